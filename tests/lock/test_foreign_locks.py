"""poetry.lock, pdm.lock and Pipfile.lock: what they have for a target, and when they are stale."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from imagekit.errors import HashMismatch, InvalidProject, StaleLock
from imagekit.lock.foreign import foreign_set
from imagekit.lock.locked_indexes import with_locked_indexes
from imagekit.lock.resolve import obtain
from imagekit.progress import SilentReporter
from imagekit.spec.image import Indexes, IndexPin, NamedIndex
from imagekit.spec.read import read_spec

QUIET = SilentReporter()
POETRY = """
[tool.poetry]
name = "orders"
version = "0.1.0"
description = ""
authors = ["A <a@example.com>"]

[tool.poetry.dependencies]
python = ">=3.9,<4"
click = "^8.1"
packaging = [
    {version = "<24", python = "<3.10"},
    {version = ">=24", python = ">=3.10"},
]
idna = {version = "*", optional = true}

[tool.poetry.extras]
web = ["idna"]

[tool.poetry.group.dev.dependencies]
iniconfig = "*"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
POETRY_WITH_PROJECT = """
[project]
name = "orders"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["click (>=8.1,<9)"]

[dependency-groups]
dev = ["iniconfig"]

[tool.poetry.group.docs.dependencies]
idna = "*"
"""
PDM = """
[project]
name = "orders"
version = "0.1.0"
requires-python = ">=3.9"
dependencies = ["click>=8.1", "packaging>=24; python_version >= '3.10'", "packaging<24; python_version < '3.10'"]
[project.optional-dependencies]
web = ["idna"]
[dependency-groups]
dev = ["iniconfig"]
"""
PIPFILE = """
[[source]]
name = "pypi"
url = "https://index.example.com/simple"
verify_ssl = true

[packages]
click = ">=8.1"
colorama = {version = "*", markers = "sys_platform == 'win32'"}

[dev-packages]
iniconfig = "*"

[docs]
idna = "*"

[requires]
python_version = "3.11"
"""
# What Poetry 2.4.1 (and, the third, any before 2.3), PDM 2.29 and pipenv 2026.5 say of these files.
POETRY_HASH = "372929e5c3dc842d37e62576ed24da88f97dd967efdc48c66606423eece465ef"
PROJECT_HASH = "88b3642a823c001c24e0a48fee66fe0e1d78b502ae7352f8a2bb4d8c8034a49c"
PROJECT_HASH_BEFORE = "07bfecfa55344edb605fa2ded269ec337dba9be467363f2e9b4d40c95c97f240"
PDM_HASH = "e259d7550fe90dcf989c4920f7ad671004bde59fc75ab26e267934ce29ec8b9b"
PIPFILE_HASH = "273292ec37b8bb9105f04546897400758c5077d7581c1c6aa0e725e1dc3027fe"


@pytest.fixture
def index(wheels):
    for name, version in (("packaging", "23.0"), ("packaging", "24.0"), ("iniconfig", "2.0"), ("idna", "3.0")):
        wheels.add(name, version)
    wheels.add("colorama", "0.4")
    wheels.add("click", "8.1", ["colorama; sys_platform == 'win32'", "idna; extra == 'i18n'"])
    wheels.add("click", "8.2")
    return wheels


def hash_of(index, name: str, version: str) -> str:
    content = (index.path / f"{name}-{version}-py3-none-any.whl").read_bytes()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def files(index, name: str, version: str) -> list[dict[str, str]]:
    other = {"file": f"{name}-{version}.tar.gz", "hash": "sha256:" + "0" * 64}
    return [{"file": f"{name}-{version}-py3-none-any.whl", "hash": hash_of(index, name, version)}, other]


def poetry_lock(index, content_hash: str = POETRY_HASH, lock_version: str = "2.1") -> dict[str, Any]:
    def package(name: str, version: str, python: str = ">=3.7", **others: Any) -> dict[str, Any]:
        table = {"name": name, "version": version, "description": "", "optional": False, "python-versions": python}
        if lock_version >= "2":
            table["files"] = files(index, name, version)
        return {**table, **others}

    packages = [
        package("click", "8.1", dependencies={"colorama": {"version": "*", "markers": 'platform_system == "Windows"'}}),
        package("colorama", "0.4", markers='platform_system == "Windows"'),
        package("idna", "3.0", optional=True, markers='extra == "web"'),
        package("iniconfig", "2.0"),
        package("packaging", "23.0", markers='python_version < "3.10"'),
        package("packaging", "24.0", markers='python_version >= "3.10"'),
    ]
    metadata: dict[str, Any] = {
        "lock-version": lock_version,
        "python-versions": ">=3.9,<4",
        "content-hash": content_hash,
    }
    if lock_version < "2":
        metadata["files"] = {p["name"]: [] for p in packages}
        for p in packages:
            metadata["files"][p["name"]] += files(index, p["name"], p["version"])
    return {"package": packages, "extras": {"web": ["idna"]}, "metadata": metadata}


def write(directory: Path, name: str, text: str | dict[str, Any]) -> Path:
    directory.mkdir(exist_ok=True)
    content = text if isinstance(text, str) else json.dumps(text, indent=4) if "Pip" in name else tomli_w.dumps(text)
    (directory / name).write_text(content)
    return directory


@pytest.fixture
def poetry(index, tmp_path) -> Path:
    project = write(tmp_path / "project", "pyproject.toml", POETRY)
    return write(project, "poetry.lock", poetry_lock(index))


def read(project: Path, index, **others: Any):
    return read_spec(project, indexes=index.indexes, python="3.11", **others)


def locked(spec, target, tmp_path: Path) -> dict[str, str]:
    lock = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    return {p.name: p.version for p in lock.packages}


def test_poetry_has_what_the_target_needs_and_no_more(poetry, index, target, other_target, tmp_path):
    assert locked(read(poetry, index), target, tmp_path) == {"click": "8.1", "packaging": "24.0"}
    more = read(poetry, index, extras=["web"], groups=["dev"])
    assert locked(more, target, tmp_path).keys() == {"click", "packaging", "idna", "iniconfig"}
    old = read_spec(poetry, indexes=index.indexes, python="3.9")
    assert locked(old, other_target("3.9.2"), tmp_path) == {"click": "8.1", "packaging": "23.0"}


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_every_version_of_poetry_s_lock(poetry, index, target, tmp_path, version):
    write(poetry, "poetry.lock", poetry_lock(index, lock_version=version))
    assert locked(read(poetry, index, groups=["dev"]), target, tmp_path).keys() == {"click", "packaging", "iniconfig"}


def test_what_it_names_is_direct_and_the_second_time_nothing_is_asked(poetry, index, target, tmp_path):
    spec = read(poetry, index)
    first = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    assert [p.name for p in first.packages if p.direct] == ["click", "packaging"]
    for path in index.path.iterdir():
        path.unlink()
    assert obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET) == first


def test_a_file_that_is_not_the_locked_one_is_refused(poetry, index, target, tmp_path):
    lock = poetry_lock(index)
    lock["package"][0]["files"] = [{"file": "click-8.1-py3-none-any.whl", "hash": "sha256:" + "1" * 64}]
    write(poetry, "poetry.lock", lock)
    with pytest.raises(HashMismatch, match="click"):
        locked(read(poetry, index), target, tmp_path)


@pytest.mark.parametrize(
    ("text", "content_hash"),
    [
        (POETRY, POETRY_HASH),
        (POETRY_WITH_PROJECT, PROJECT_HASH),
        (POETRY_WITH_PROJECT, PROJECT_HASH_BEFORE),
    ],
)
def test_a_changed_pyproject_makes_poetry_s_lock_stale(index, target, tmp_path, text, content_hash):
    project = write(tmp_path / "project", "pyproject.toml", text)
    write(project, "poetry.lock", poetry_lock(index, content_hash))
    assert foreign_set(read(project, index), project / "poetry.lock", target).lines
    write(project, "pyproject.toml", text.replace("8.1", "8.0"))
    with pytest.raises(StaleLock, match="another pyproject") as caught:
        foreign_set(read(project, index), project / "poetry.lock", target)
    assert caught.value.hint == "make it anew: poetry lock"


def test_what_a_lock_lacks_is_told_at_once_with_its_origin(poetry, index, target):
    lock = poetry_lock(index)
    lock["package"] = [p for p in lock["package"] if p["name"] not in ("click", "packaging")]
    write(poetry, "poetry.lock", lock)
    with pytest.raises(StaleLock, match="2 problems") as caught:
        foreign_set(read(poetry, index), poetry / "poetry.lock", target)
    assert sorted(caught.value.details.splitlines()) == [
        "poetry.lock has no click, which pyproject.toml:10 asks for",
        "poetry.lock has no packaging, which pyproject.toml:13 asks for",
    ]


def test_poetry_s_sources(poetry, index, target):
    lock = poetry_lock(index)
    commit = "a" * 40
    lock["package"][0]["source"] = {
        "type": "git",
        "url": "git@example.com:pallets/click.git",
        "reference": "main",
        "resolved_reference": commit,
        "subdirectory": "src",
    }
    lock["package"][5]["source"] = {
        "type": "legacy",
        "url": "https://index.example.com/simple",
        "reference": "own",
    }
    write(poetry, "poetry.lock", lock)
    found = foreign_set(read(poetry, index), poetry / "poetry.lock", target)
    assert found.lines[0].text == f"click @ git+ssh://git@example.com/pallets/click.git@{commit}#subdirectory=src"
    assert [(name, index.name, index.url) for name, index in found.indexes] == [
        ("packaging", "own", "https://index.example.com/simple")
    ]


def test_everything_wrong_in_a_lock_is_told_by_line(poetry, index, target):
    lock = poetry_lock(index)
    lock["package"][0]["source"] = {"type": "svn", "url": "https://example.com/x"}
    lock["package"][1]["files"] = []
    lock["package"][2]["markers"] = "python_version <"
    lock["package"][3]["source"] = {"type": "legacy", "url": "https://me:hunter2@example.com/simple"}
    write(poetry, "poetry.lock", lock)
    with pytest.raises(ValueError, match="4 problems") as caught:
        foreign_set(read(poetry, index), poetry / "poetry.lock", target)
    lines = caught.value.details.splitlines()
    assert [line.partition(": ")[2].split(" ")[0].strip(":'") for line in lines][:3] == ["click", "colorama", "idna"]
    assert all(line.startswith("poetry.lock:") for line in lines)
    assert "hunter2" not in caught.value.details


@pytest.mark.parametrize(
    ("text", "words"), [("[metadata]\nlock-version = '3.0'\n", "3.0"), ("[[package]", r"poetry\.lock:1")]
)
def test_a_lock_that_cannot_be_read(poetry, index, target, text, words):
    write(poetry, "poetry.lock", text)
    with pytest.raises(InvalidProject, match=words):
        foreign_set(read(poetry, index), poetry / "poetry.lock", target)


def pdm_lock(index, **metadata: Any) -> dict[str, Any]:
    def package(name: str, version: str, *groups: str, **others: Any) -> dict[str, Any]:
        return {
            "name": name,
            "version": version,
            "groups": list(groups),
            "files": files(index, name, version),
            **others,
        }

    return {
        "metadata": {
            "groups": ["default", "dev", "web"],
            "strategy": ["inherit_metadata"],
            "lock_version": "4.5.0",
            "content_hash": f"sha256:{PDM_HASH}",
            **metadata,
        },
        "package": [
            package("click", "8.1", "default", dependencies=["colorama; platform_system == 'Windows'"]),
            package("click", "8.1", "web", extras=["i18n"], dependencies=["click==8.1", "idna"]),
            package("colorama", "0.4", "default", marker="platform_system == 'Windows'"),
            package("idna", "3.0", "web"),
            package("iniconfig", "2.0", "dev"),
            package("packaging", "23.0", "default", marker="python_version < '3.10'"),
            package("packaging", "24.0", "default", marker="python_version >= '3.10'"),
        ],
    }


@pytest.fixture
def pdm(index, tmp_path) -> Path:
    project = write(tmp_path / "project", "pyproject.toml", PDM)
    return write(project, "pdm.lock", pdm_lock(index))


def test_pdm_has_what_the_target_needs_and_no_more(pdm, index, target, other_target, tmp_path):
    assert locked(read(pdm, index), target, tmp_path) == {"click": "8.1", "packaging": "24.0"}
    more = read(pdm, index, extras=["web"], groups=["dev"])
    assert locked(more, target, tmp_path).keys() == {"click", "packaging", "idna", "iniconfig"}
    old = read_spec(pdm, indexes=index.indexes, python="3.9")
    assert locked(old, other_target("3.9.2"), tmp_path)["packaging"] == "23.0"


def test_an_entry_with_extras_adds_what_the_extras_need(pdm, index, target):
    write(pdm, "pyproject.toml", PDM.replace("click>=8.1", "click[i18n]>=8.1"))
    lock = pdm_lock(index)
    del lock["metadata"]["content_hash"]  # as a lock with canonical inputs has none
    write(pdm, "pdm.lock", lock)
    found = foreign_set(read(pdm, index), pdm / "pdm.lock", target)
    assert [line.text for line in found.lines] == ["click==8.1", "idna==3.0", "packaging==24.0"]


def test_a_changed_pyproject_makes_pdm_s_lock_stale(pdm, index, target):
    write(pdm, "pyproject.toml", PDM.replace("8.1", "8.0"))
    with pytest.raises(StaleLock, match="another pyproject"):
        foreign_set(read(pdm, index), pdm / "pdm.lock", target)


def test_a_group_that_was_not_locked(pdm, index, target):
    write(pdm, "pdm.lock", pdm_lock(index, groups=["default"]))
    with pytest.raises(StaleLock, match="no group dev") as caught:
        foreign_set(read(pdm, index, groups=["dev"]), pdm / "pdm.lock", target)
    assert caught.value.hint == "lock it too: pdm lock -G dev"


def pipfile_lock(index) -> dict[str, Any]:
    def entry(name: str, version: str, **others: Any) -> dict[str, Any]:
        return {"hashes": [hash_of(index, name, version)], "index": "pypi", "version": f"=={version}", **others}

    return {
        "_meta": {
            "hash": {"sha256": PIPFILE_HASH},
            "pipfile-spec": 6,
            "requires": {"python_version": "3.11"},
            "sources": [{"name": "pypi", "url": "https://index.example.com/simple", "verify_ssl": True}],
        },
        "default": {
            "click": entry("click", "8.1", markers="python_version >= '3.7'"),
            "colorama": entry("colorama", "0.4", markers="sys_platform == 'win32'"),
        },
        "develop": {"iniconfig": entry("iniconfig", "2.0")},
        "docs": {"idna": entry("idna", "3.0")},
    }


@pytest.fixture
def pipenv(index, tmp_path) -> Path:
    project = write(tmp_path / "project", "Pipfile", PIPFILE)
    return write(project, "Pipfile.lock", pipfile_lock(index))


def test_pipenv_s_lock_its_categories_and_its_python(pipenv, index, target, tmp_path):
    spec = read_spec(pipenv, indexes=index.indexes)
    assert (spec.python, spec.requirements) == ("3.11", ())
    assert locked(spec, target, tmp_path) == {"click": "8.1"}
    more = read_spec(pipenv, indexes=index.indexes, groups=["dev", "docs"])
    assert locked(more, target, tmp_path).keys() == {"click", "iniconfig", "idna"}
    with pytest.raises(StaleLock, match="no category 'nope'"):
        locked(read_spec(pipenv, indexes=index.indexes, groups=["nope"]), target, tmp_path)


def test_a_changed_pipfile_makes_its_lock_stale(pipenv, index, target, tmp_path):
    write(pipenv, "Pipfile", PIPFILE.replace("8.1", "8.0"))
    with pytest.raises(StaleLock, match="another Pipfile"):
        locked(read(pipenv, index), target, tmp_path)


def test_everything_wrong_in_pipenv_s_lock_is_told_by_line(pipenv, index, target, tmp_path):
    lock = pipfile_lock(index)
    lock["default"]["click"]["hashes"] = []
    lock["default"]["colorama"]["markers"] = "nonsense"
    write(pipenv, "Pipfile.lock", lock)
    with pytest.raises(InvalidProject, match="2 problems") as caught:
        locked(read(pipenv, index), target, tmp_path)
    assert [line.split(": ")[0].split(":")[0] for line in caught.value.details.splitlines()] == ["Pipfile.lock"] * 2


def test_a_requirement_that_the_lock_does_not_answer_is_told(poetry, index, target, tmp_path):
    write(poetry, "requirements.txt", "click\nnumpy\n")
    with pytest.raises(StaleLock, match=r"poetry\.lock has no numpy, which requirements\.txt:2 asks for"):
        locked(read(poetry, index), target, tmp_path)


def test_an_index_of_the_lock_is_asked_for_its_files(poetry, index, target, tmp_path):
    lock = poetry_lock(index)
    lock["package"][0]["source"] = {"type": "legacy", "url": index.path.as_uri(), "reference": "own"}
    write(poetry, "poetry.lock", lock)
    spec = read_spec(poetry, indexes=Indexes(find_links=(str(index.path),)), python="3.11")
    found = foreign_set(spec, poetry / "poetry.lock", target)
    assert with_locked_indexes(spec.indexes, found).extra == (index.path.as_uri(),)
    alone = with_locked_indexes(Indexes(), found)
    assert alone.pins == (IndexPin(package="click", index="own"),)
    assert alone.named == (NamedIndex(name="own", url=index.path.as_uri(), explicit=True),)
