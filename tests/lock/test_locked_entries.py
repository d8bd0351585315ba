"""Single entries of other programs' locks: URLs, paths, commits, indexes, several versions; encodings of the files."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from packaging.requirements import Requirement

from imagekit.errors import HashMismatch, InputError, InvalidProject, StaleLock
from imagekit.git.remote import Git
from imagekit.lock.default_index import uv_default_index
from imagekit.lock.direct import Sources
from imagekit.lock.fetch import WheelStore
from imagekit.lock.foreign import foreign_set
from imagekit.lock.locked_indexes import with_locked_indexes
from imagekit.lock.locked_set import LockedSet, edge_of, walk
from imagekit.lock.poetry_lock import read_poetry_lock
from imagekit.lock.pylock import parse, select
from imagekit.lock.resolve import obtain
from imagekit.lock.values import Lock
from imagekit.oci.digest import digest_of
from imagekit.progress import SilentReporter
from imagekit.spec.image import ImageSpec, Indexes
from imagekit.spec.read import read_spec
from tests.lock.conftest import make_target, wheel_bytes
from tests.lock.faulty_index import FaultyIndex

TARGET = make_target()
A, B = "a" * 64, "b" * 64
URL = "https://example.com/delta-1.0-py3-none-any.whl"
COMMIT = "c" * 40


def pipfile(entry: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    return {"_meta": {"pipfile-spec": 6, "hash": {}, "sources": list(sources)}, "default": {"delta": entry}}


def poetry(entry: dict[str, Any]) -> dict[str, Any]:
    return {"package": [{"name": "delta", "version": "1.0", **entry}], "metadata": {"lock-version": "2.1"}}


def pdm(entry: dict[str, Any]) -> dict[str, Any]:
    return {"package": [{"name": "delta", "version": "1.0", **entry}], "metadata": {"lock_version": "4.5.0"}}


def found(tmp_path: Path, name: str, document: dict[str, Any]) -> LockedSet:
    from imagekit.lock.pdm_lock import read_pdm_lock

    path = tmp_path / name
    path.write_text(json.dumps(document, indent=4) if name == "Pipfile.lock" else tomli_w.dumps(document))
    if name == "Pipfile.lock":
        return foreign_set(ImageSpec(context=tmp_path), path, TARGET)
    packages = read_poetry_lock(path) if name == "poetry.lock" else read_pdm_lock(path, ())
    return walk([(edge_of(Requirement("delta")), "here")], packages, TARGET, file=name, remedy="")


def url_entry(name: str, url: str, *hashes: str) -> dict[str, Any]:
    files = [{"file": "delta", "hash": f"sha256:{h}"} for h in hashes]
    if name == "Pipfile.lock":
        return pipfile({"file": url, "hashes": [f"sha256:{h}" for h in hashes]} if hashes else {"file": url})
    if name == "poetry.lock":
        return poetry({"files": files, "source": {"type": "url", "url": url}})
    return pdm({"files": files, "url": url})


NAMES = ("poetry.lock", "pdm.lock", "Pipfile.lock")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fragment", ["", "#egg=delta", f"#sha256={A}", f"#egg=delta&sha256={A}", "#", "#md5=00"])
def test_what_stands_behind_the_url_loses_no_hash(tmp_path, name, fragment):
    (line,) = found(tmp_path, name, url_entry(name, URL + fragment, A)).lines
    assert (line.text, line.hashes) == (f"delta @ {URL}#sha256={A}", ())


@pytest.mark.parametrize("name", NAMES)
def test_any_of_several_hashes_may_be_a_url_s(tmp_path, name):
    (line,) = found(tmp_path, name, url_entry(name, URL, A, B)).lines
    assert (line.text, set(line.hashes)) == (f"delta @ {URL}", {f"sha256:{A}", f"sha256:{B}"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("url", "hashes", "words"),
    [
        (URL, (), "no sha256 hash"),
        (f"{URL}#egg=delta", (), "no sha256 hash"),
        (f"{URL}#sha256={A}", (B,), "another sha256"),
        (f"{URL}#subdirectory=inside", (A,), "inside an archive"),
        (f"{URL}#sha256=00", (), "sha256"),
        (URL, ("00",), "no sha256 hash"),
        (URL.replace("delta", "other"), (A,), "wheel of other"),
        (URL.replace("//", "//me:hunter2@"), (A,), "user or password"),
        (f"{URL}#sha256={A}".replace("//", "//me:hunter2@"), (B,), "another sha256"),
    ],
)
def test_a_url_that_is_not_held_to_one_file_is_refused(tmp_path, name, url, hashes, words):
    with pytest.raises(InputError, match=words) as caught:
        found(tmp_path, name, url_entry(name, url, *hashes))
    assert caught.value.message.startswith(f"{name}:")
    assert "hunter2" not in str(caught.value.to_json())


@pytest.mark.parametrize("key", ["file", "path"])
def test_a_directory_inside_an_archive_of_pipenv_s_is_refused(tmp_path, key):
    entry = {key: URL, "hashes": [f"sha256:{A}"], "subdirectory": "inside"}
    with pytest.raises(InvalidProject, match=r"Pipfile\.lock:8: delta is a directory inside an archive"):
        found(tmp_path, "Pipfile.lock", pipfile(entry))


@pytest.mark.parametrize("key", ["file", "path"])
def test_a_local_file_is_held_to_the_hash_that_pipenv_locked(tmp_path, key):
    content = wheel_bytes("delta", "1.0")
    (tmp_path / "delta-1.0-py3-none-any.whl").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    place = "./delta-1.0-py3-none-any.whl" if key == "path" else (tmp_path / "delta-1.0-py3-none-any.whl").as_uri()
    path = tmp_path / "Pipfile.lock"
    sources = Sources(store=WheelStore(tmp_path / "store"), git=Git(), build=lambda package: pytest.fail("no build"))

    def versions(held: str) -> dict[str, str]:
        path.write_text(json.dumps(pipfile({key: place, "hashes": [f"sha256:{held}"]})))
        spec = read_spec(tmp_path, indexes=Indexes(no_index=True))
        lock = obtain(spec, TARGET, cache_dir=tmp_path / "cache", reporter=SilentReporter(), sources=sources)
        return {p.name: p.artifact.sha256 for p in lock.packages}

    assert versions(sha256) == {"delta": sha256}
    with pytest.raises(HashMismatch, match="none of the hashes"):
        versions(A)


def git_entry(name: str, commit: str | None, url: str = "https://example.com/delta") -> dict[str, Any]:
    if name == "Pipfile.lock":
        return pipfile({"git": url, "ref": commit})
    if name == "poetry.lock":
        source = {"type": "git", "url": url, **({} if commit is None else {"resolved_reference": commit})}
        return poetry({"source": source})
    return pdm({"git": url, **({} if commit is None else {"revision": commit})})


@pytest.mark.parametrize("name", NAMES)
def test_a_commit_in_full_is_taken(tmp_path, name):
    for url in ("https://example.com/delta", "git+https://example.com/delta", "https://example.com/delta#egg=delta"):
        (line,) = found(tmp_path, name, git_entry(name, COMMIT, url)).lines
        assert line.text == f"delta @ git+https://example.com/delta@{COMMIT}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("commit", [None, "", "main", "v1.0", "c" * 7, "c" * 39, "C" * 40, "c" * 41, f"{COMMIT}\n"])
def test_any_other_commit_is_refused_by_line(tmp_path, name, commit):
    with pytest.raises(InvalidProject, match=rf"{name}:\d+: delta comes from 'https://.*delta', and .*commit"):
        found(tmp_path, name, git_entry(name, commit))


CORP = {"name": "corp", "url": "https://corp.example.com/simple", "verify_ssl": True}
TEAM = {"name": "team", "url": "https://team.example.com/simple", "verify_ssl": True}
PINNED = {"hashes": [f"sha256:{A}"], "version": "==1.0"}


def test_pipenv_s_first_source_is_asked_and_the_one_that_an_entry_names(tmp_path):
    got = found(tmp_path, "Pipfile.lock", pipfile({**PINNED, "index": "team"}, CORP, TEAM))
    indexes = with_locked_indexes(Indexes(), got)
    assert indexes.default == CORP["url"]
    assert [(pin.package, pin.index) for pin in indexes.pins] == [("delta", "team")]
    assert [(one.name, one.url, one.explicit) for one in indexes.named] == [("team", TEAM["url"], True)]
    # What the project says goes before it; a directory of files may have the package, too; no index is none.
    assert with_locked_indexes(Indexes(default="https://own.example.com"), got).default == "https://own.example.com"
    assert with_locked_indexes(Indexes(find_links=("/links",)), got).extra == (TEAM["url"],)
    assert with_locked_indexes(Indexes(no_index=True), got) == Indexes(no_index=True)


def test_the_usual_index_stays_the_machine_s(tmp_path):
    usual = {"name": "usual", "url": uv_default_index(), "verify_ssl": True}
    got = found(tmp_path, "Pipfile.lock", pipfile({**PINNED, "index": "usual"}, usual, CORP))
    assert with_locked_indexes(Indexes(), got) == Indexes()


def test_a_source_that_is_not_there_or_holds_a_login_is_refused(tmp_path):
    with pytest.raises(InvalidProject, match=r"Pipfile\.lock:14: delta: it comes from the source 'team'"):
        found(tmp_path, "Pipfile.lock", pipfile({**PINNED, "index": "team"}, CORP))
    for url in ("https://me:hunter2@corp.example.com/simple", "https://$USER:$PASSWORD@corp.example.com/simple"):
        got = found(tmp_path, "Pipfile.lock", pipfile(PINNED, {"name": "corp", "url": url}))
        with pytest.raises(InputError, match=r"Pipfile\.lock:8: ") as caught:
            with_locked_indexes(Indexes(), got)
        assert "hunter2" not in str(caught.value.to_json())


def test_a_short_marker_of_pipenv_s_is_one(tmp_path):
    assert not found(tmp_path, "Pipfile.lock", pipfile({**PINNED, "sys_platform": "== 'win32'"})).lines
    assert found(tmp_path, "Pipfile.lock", pipfile({**PINNED, "sys_platform": "== 'linux'"})).lines


def test_a_marker_may_ask_for_the_category(tmp_path):
    document = pipfile(PINNED)
    marker = "('dev' in dependency_groups) and (python_version >= '3.10')"
    document["develop"] = {"gamma": {**PINNED, "markers": marker}}
    path = tmp_path / "Pipfile.lock"
    path.write_text(json.dumps(document))
    for groups, names in (((), ["delta"]), (("dev",), ["delta", "gamma"]), (("develop",), ["delta", "gamma"])):
        lines = foreign_set(ImageSpec(context=tmp_path, groups=groups), path, TARGET).lines
        assert [line.text.partition("=")[0] for line in lines] == names


PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text("utf-8")
SECTION = PAGE.partition("## Entries of other programs' locks")[2]
ROWS = re.findall(r"^\| `(?P<entry>.+?)` \| (?P<said>taken|refused|passed over)\b.*\|$", SECTION, re.MULTILINE)


def test_the_page_s_table_is_found():
    assert len(ROWS) == len([line for line in SECTION.splitlines() if line.startswith("|")]) - 2 >= 20


@pytest.mark.parametrize(("entry", "said"), ROWS)
def test_an_entry_is_as_the_page_says(tmp_path, entry, said):
    (tmp_path / "libs" / "delta").mkdir(parents=True)
    (tmp_path / "libs" / "delta" / "pyproject.toml").write_text('[project]\nname = "delta"\nversion = "1"\n')
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "delta-1.0-py3-none-any.whl").write_bytes(b"")
    text = entry.replace('"ref": "…"', f'"ref": "{COMMIT}"').replace("…", A)
    document = pipfile(json.loads(text), CORP, TEAM)
    if said == "refused":
        with pytest.raises(InputError, match=r"^Pipfile\.lock:\d+: "):
            found(tmp_path, "Pipfile.lock", document)
    else:
        assert len(found(tmp_path, "Pipfile.lock", document).lines) == (said == "taken")


def several(*packages: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    entries = [
        {"name": n, "version": v, "files": [{"file": f"{n}-{v}", "hash": f"sha256:{A}"}], "dependencies": needs}
        for n, v, needs in packages
    ]
    return {"package": entries, "metadata": {"lock-version": "2.0"}}


@pytest.mark.parametrize("roots", [("alpha", "beta", "omega"), ("omega", "beta", "alpha"), ("beta", "omega", "alpha")])
def test_of_several_versions_the_one_that_all_allow_is_taken(tmp_path, roots):
    path = tmp_path / "poetry.lock"
    packages = [
        ("alpha", "1.0", {"beta": "*"}),
        ("omega", "1.0", {"beta": "<2"}),
        ("beta", "1.0", {}),
        ("beta", "2.0", {"gamma": "*"}),
        ("gamma", "1.0", {}),
    ]
    path.write_text(tomli_w.dumps(several(*packages)))
    wanted = [(edge_of(Requirement(name)), "here") for name in roots]
    got = walk(wanted, read_poetry_lock(path), TARGET, file="poetry.lock", remedy="")
    # What only the other version needs does not come along.
    assert [line.text for line in got.lines] == ["alpha==1.0", "beta==1.0", "omega==1.0"]


def test_versions_that_nobody_can_agree_on_are_told(tmp_path):
    path = tmp_path / "poetry.lock"
    packages = [("alpha", "1.0", {"beta": ">=2"}), ("omega", "1.0", {"beta": "<2"})]
    packages += [("beta", "1.0", {}), ("beta", "2.0", {})]
    path.write_text(tomli_w.dumps(several(*packages)))
    wanted = [(edge_of(Requirement(name)), "here") for name in ("alpha", "omega")]
    with pytest.raises(StaleLock, match=r"poetry\.lock has beta 1\.0, 2\.0, and (alpha|omega) 1\.0 asks for another"):
        walk(wanted, read_poetry_lock(path), TARGET, file="poetry.lock", remedy="")


PYLOCK = """lock-version = "1.0"
created-by = "someone"

[[packages]]
name = "delta"
version = "1.0"
"""


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("wheels = [{ url = 'https://e.io/other-1.0-py3-none-any.whl', hashes = { sha256 = '@' } }]", "not consistent"),
        ("wheels = [{ url = 'https://e.io/delta-2.0-py3-none-any.whl', hashes = { sha256 = '@' } }]", "not consistent"),
        ("wheels = [{ name = 'x-1.0-py3-none-any.whl', url = 'https://e.io/x', hashes = { sha256 = '@' } }]", "Name"),
        ("sdist = { url = 'https://e.io/other-1.0.tar.gz', hashes = { sha256 = '@' } }", "not consistent"),
        ("sdist = { url = 'https://e.io/delta-2.0.tar.gz', hashes = { sha256 = '@' } }", "not consistent"),
        ("archive = { url = 'https://e.io/other-1.0-py3-none-any.whl', hashes = { sha256 = '@' } }", "file of other"),
        ("archive = { url = 'https://e.io/delta-2.0-py3-none-any.whl', hashes = { sha256 = '@' } }", "not of version"),
        ("archive = { url = 'https://e.io/delta.whl', hashes = { sha256 = '@' } }", "no name of a wheel"),
        ("archive = { url = 'https://[', hashes = { sha256 = '@' } }", "neither a wheel"),
        ("vcs = { type = 'git', url = 'https://e.io/delta', commit-id = 'ccccccc' }", "no full commit"),
    ],
)
def test_a_file_of_another_package_or_version_is_refused_by_line(tmp_path, table, words):
    def chosen() -> Lock:
        file = parse(PYLOCK + table.replace("@", A), tmp_path / "pylock.toml")
        return select(file, TARGET, inputs=digest_of(b""), source_builds=("*",))

    with pytest.raises(InvalidProject, match=rf"pylock\.toml:[47]: .*{words}"):
        chosen()


def test_a_key_that_is_wrong_is_told_by_its_own_line(tmp_path):
    text = PYLOCK + f"[[packages.wheels]]\nurl = 'https://e.com/delta-1.0-py3-none-any.whl'\nhashes = '{A}'\n"
    with pytest.raises(InvalidProject, match=r"pylock\.toml:9: packages\[0\]\.wheels\[0\]\.hashes: "):
        parse(text, tmp_path / "pylock.toml")


@pytest.mark.parametrize("name", NAMES)
def test_marks_of_byte_order_and_line_ends_of_windows_are_read(tmp_path, name):
    document = pipfile(PINNED) if name == "Pipfile.lock" else url_entry(name, URL, A)
    lines = found(tmp_path, name, document).lines
    path = tmp_path / name
    plain = path.read_text()
    for data in (b"\xef\xbb\xbf" + plain.encode(), plain.replace("\n", "\r\n").encode()):
        path.write_bytes(data)
        if name == "Pipfile.lock":
            assert foreign_set(ImageSpec(context=tmp_path), path, TARGET).lines == lines
        else:
            assert {n: v[0].line for n, v in _packages(path).items()} == {"delta": lines[0]}
    for data, number in ((plain.encode("utf-16"), 1), (b"\n\n" + b"\xff" + plain.encode(), 3)):
        path.write_bytes(data)
        with pytest.raises(InvalidProject, match=rf"{name}:{number}: not UTF-8"):
            _packages(path) if name != "Pipfile.lock" else foreign_set(ImageSpec(context=tmp_path), path, TARGET)


def _packages(path: Path):
    from imagekit.lock.pdm_lock import read_pdm_lock

    return read_poetry_lock(path) if path.name == "poetry.lock" else read_pdm_lock(path, ())


def test_a_key_twice_in_pipenv_s_lock_is_refused(tmp_path):
    path = tmp_path / "Pipfile.lock"
    path.write_text('{"_meta": {"pipfile-spec": 6},\n"default": {"a": {},\n"a": {}}}')
    with pytest.raises(InvalidProject, match=r"Pipfile\.lock:3: 'a' is there twice"):
        foreign_set(ImageSpec(context=tmp_path), path, TARGET)


@pytest.mark.parametrize("name", ["Pipfile.lock", "poetry.lock"])
def test_each_package_is_asked_of_its_own_index_and_of_no_other(tmp_path, name):
    first, team = FaultyIndex(), FaultyIndex()
    try:
        first.add("alpha", "1.0")
        team.add("delta", "1.0")
        team.add("alpha", "1.0", requires=["beta"])  # another file of that name
        hashes = {
            package: f"sha256:{hashlib.sha256(index.pages[f'/files/{package}-1.0-py3-none-any.whl']).hexdigest()}"
            for package, index in (("alpha", first), ("delta", team))
        }
        path = tmp_path / name
        if name == "Pipfile.lock":
            document = pipfile({**PINNED, "hashes": [hashes["delta"]], "index": "team"})
            document["default"]["alpha"] = {**PINNED, "hashes": [hashes["alpha"]]}
            document["_meta"]["sources"] = [{"name": n, "url": i.url} for n, i in (("first", first), ("team", team))]
            path.write_text(json.dumps(document))
            indexes = Indexes()
        else:
            source = {"type": "legacy", "url": team.url, "reference": "team"}
            document = poetry({"files": [{"file": "", "hash": hashes["delta"]}], "source": source})
            document["package"].append({"name": "alpha", "version": "1.0", "files": [{"hash": hashes["alpha"]}]})
            path.write_text(tomli_w.dumps(document))
            indexes = Indexes(default=first.url)
        got = foreign_set(ImageSpec(context=tmp_path), path, TARGET) if name == "Pipfile.lock" else _both(path)
        spec = ImageSpec(context=tmp_path, requirements=got.lines, indexes=with_locked_indexes(indexes, got))
        lock = obtain(spec, TARGET, cache_dir=tmp_path / "cache", reporter=SilentReporter(), complete=True)
        assert {p.name: f"sha256:{p.artifact.sha256}" for p in lock.packages} == hashes
        assert {path for path in first.asked if path.startswith("/simple/")} == {"/simple/alpha/"}
        assert {path for path in team.asked if path.startswith("/simple/")} == {"/simple/delta/"}
    finally:
        first.close()
        team.close()


def _both(path: Path) -> LockedSet:
    roots = [(edge_of(Requirement(name)), "here") for name in ("alpha", "delta")]
    return walk(roots, read_poetry_lock(path), TARGET, file=path.name, remedy="")
