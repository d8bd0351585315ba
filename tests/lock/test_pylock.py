"""Writing our locks, and taking from other programs' what a target needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidProject, NoWheel, StaleLock
from imagekit.lock.pylock import LockFile, dump, load, parse, select
from imagekit.lock.values import Artifact, Directory, GitCommit, Lock, LockedPackage
from imagekit.oci.digest import Digest, digest_of

INPUTS = digest_of(b"inputs")
ORIGIN = Path("/project/pylock.toml")
A, B, C = ("a" * 64, "b" * 64, "c" * 64)

LOCK = Lock(
    packages=(
        LockedPackage(
            name="alpha",
            version="1.0",
            artifact=Artifact(
                filename="alpha-1.0-py3-none-any.whl",
                url="https://user:canary@files.example/alpha-1.0-py3-none-any.whl",
                sha256=A,
                size=12,
            ),
            direct=True,
        ),
        LockedPackage(
            name="beta",
            version="2.0",
            artifact=Artifact(filename="beta-2.0.tar.gz", url="file:///project/wheels/beta-2.0.tar.gz", sha256=B),
        ),
    ),
    inputs=INPUTS,
    python="3.11.2",
    platform="linux/amd64",
)

GOLDEN = f"""\
lock-version = "1.0"
requires-python = "==3.11.*"
created-by = "imagekit"

[[packages]]
name = "alpha"
version = "1.0"

[[packages.wheels]]
name = "alpha-1.0-py3-none-any.whl"
url = "https://files.example/alpha-1.0-py3-none-any.whl"
size = 12

[packages.wheels.hashes]
sha256 = "{A}"

[[packages]]
name = "beta"
version = "2.0"

[packages.sdist]
name = "beta-2.0.tar.gz"
path = "wheels/beta-2.0.tar.gz"

[packages.sdist.hashes]
sha256 = "{B}"

[tool.imagekit]
inputs = "{INPUTS}"
python = "3.11.2"
platform = "linux/amd64"
direct = [
    "alpha",
]
"""

FOREIGN = f"""\
lock-version = "1.0"
created-by = "another"
requires-python = ">=3.10"
extras = ["plot"]
dependency-groups = ["dev"]
default-groups = ["dev"]

[[packages]]
name = "alpha"
version = "1.0"
marker = "sys_platform == 'linux'"
sdist = {{ url = "https://files.example/alpha-1.0.tar.gz", hashes = {{ sha256 = "{C}" }} }}
wheels = [
  {{ url = "https://files.example/alpha-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }},
  {{ url = "https://files.example/alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", hashes = {{ sha256 = "{B}" }} }},
  {{ url = "https://files.example/alpha-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", hashes = {{ sha256 = "{C}" }} }},
]

[[packages]]
name = "on-windows"
version = "1.0"
marker = "sys_platform == 'win32'"
wheels = [{{ url = "https://files.example/on_windows-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}]

[[packages]]
name = "plotting"
version = "1.0"
marker = "'plot' in extras"
wheels = [{{ path = "wheels/plotting-1.0-py3-none-any.whl", size = 5, hashes = {{ sha256 = "{A}" }} }}]

[[packages]]
name = "tests"
version = "1.0"
marker = "'dev' in dependency_groups"
wheels = [{{ url = "https://files.example/tests-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}]
"""


def test_a_lock_is_written_as_the_same_bytes_without_credentials():
    assert dump(LOCK, relative_to=Path("/project")) == GOLDEN
    assert dump(LOCK, relative_to=Path("/project")) == GOLDEN


def test_what_was_written_is_read_back():
    back = load(dump(LOCK, relative_to=Path("/project")), ORIGIN)
    assert back.digest == LOCK.digest
    assert back.inputs == INPUTS
    assert [p.direct for p in back.packages] == [True, False]
    assert back.packages[1].artifact == LOCK.packages[1].artifact
    assert dump(back, relative_to=Path("/project")) == GOLDEN


def test_the_best_file_of_the_target_is_selected(target):
    lock = select(parse(FOREIGN, ORIGIN), target, inputs=INPUTS, direct={"alpha"})
    assert [(p.name, p.artifact.filename, p.direct) for p in lock.packages] == [
        ("alpha", "alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("tests", "tests-1.0-py3-none-any.whl", False),
    ]


def test_extras_and_groups_are_chosen(target):
    lock = select(parse(FOREIGN, ORIGIN), target, inputs=INPUTS, extras=["plot"], groups=[])
    assert [p.name for p in lock.packages] == ["alpha", "plotting"]
    assert lock.packages[1].artifact.url == "file:///project/wheels/plotting-1.0-py3-none-any.whl"
    assert lock.packages[1].artifact.size == 5


def test_a_source_distribution_only_where_it_is_allowed(target, other_target):
    text = FOREIGN.replace("alpha-1.0-py3-none-any.whl", "alpha-1.0-cp310-cp310-win_amd64.whl")
    elsewhere = other_target("3.12.4")
    with pytest.raises(NoWheel, match="alpha"):
        select(parse(text, ORIGIN), elsewhere, inputs=INPUTS)
    for allowed in (["alpha"], ["*"]):
        lock = select(parse(text, ORIGIN), elsewhere, inputs=INPUTS, source_builds=allowed)
        assert lock.packages[0].artifact.filename == "alpha-1.0.tar.gz"
    with pytest.raises(NoWheel, match="alpha"):
        select(parse(text, ORIGIN), elsewhere, inputs=INPUTS, source_builds=["*"], only_binary=["alpha"])


def test_neither_a_wheel_nor_a_source_is_no_wheel(target):
    text = FOREIGN.replace("tests-1.0-py3-none-any.whl", "tests-1.0-cp39-cp39-win_amd64.whl")
    with pytest.raises(NoWheel, match="tests"):
        select(parse(text, ORIGIN), target, inputs=INPUTS)


def test_a_lock_for_another_python_is_stale(other_target):
    with pytest.raises(StaleLock, match=r"the lock is for Python >=3\.10, and the image has 3\.9\.2") as caught:
        select(parse(FOREIGN, ORIGIN), other_target("3.9.2"), inputs=INPUTS)
    assert "--python 3.10" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('lock-version = "1.0"', 'lock-version = "9.0"', "not supported"),
        ('lock-version = "1.0"', "", "lock-version"),
        ('name = "tests"', 'name = "Tests"', "packages[3].name"),
        ("wheels/plotting-1.0", "wheels/other-1.0", "packages[2].wheels[0]"),
        ('created-by = "another"', "created-by = ", "pylock.toml:2: Invalid value"),
        ("[[packages]]", "[packages]", "pylock.toml:19: Cannot declare"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_key(before, after, key):
    assert before in FOREIGN
    with pytest.raises(InvalidProject) as caught:
        parse(FOREIGN.replace(before, after), ORIGIN)
    assert str(ORIGIN) in caught.value.message
    assert key in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'{{ sha256 = "{A}" }}', '{ md5 = "abc" }'),
        (f'{{ sha256 = "{A}" }}', '{ sha256 = "ABC" }'),
        ("https://files.example/tests", "ftp://files.example/tests"),
        ('name = "tests"\nversion = "1.0"', 'name = "tests"\nversion = "1.0"\nindex = 3'),
    ],
)
def test_a_file_that_cannot_be_held_to_its_hash_is_refused(target, before, after):
    assert before in FOREIGN
    with pytest.raises(InvalidProject, match="pylock"):
        select(parse(FOREIGN.replace(before, after), ORIGIN), target, inputs=INPUTS, extras=["plot"])


def test_a_version_control_source_is_refused(target):
    text = (
        'lock-version = "1.0"\ncreated-by = "another"\n[[packages]]\nname = "alpha"\n'
        'vcs = { type = "git", url = "https://u:canary@git.example/alpha", commit-id = "abc" }\n'
    )
    with pytest.raises(InvalidProject, match="alpha") as caught:
        select(parse(text, ORIGIN), target, inputs=INPUTS)
    assert "canary" not in f"{caught.value.to_json()}"


def test_a_direct_url_is_taken_with_its_version_from_the_name(target):
    text = (
        'lock-version = "1.0"\ncreated-by = "another"\n[[packages]]\nname = "alpha"\n'
        f'archive = {{ url = "https://files.example/alpha-3.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}\n'
    )
    (package,) = select(parse(text, ORIGIN), target, inputs=INPUTS).packages
    assert (package.version, package.artifact.filename) == ("3.0", "alpha-3.0-py3-none-any.whl")


def test_all_that_is_wrong_with_it_is_told_at_once():
    text = FOREIGN
    for before, after in (
        ('created-by = "another"', "created-by = 3"),
        ('name = "tests"', 'name = "Tests"'),
        ("wheels/plotting-1.0", "wheels/other-1.0"),
    ):
        assert before in text
        text = text.replace(before, after)
    with pytest.raises(InvalidProject) as caught:
        parse(text, Path("pylock.toml"))
    told = [problem.message.split(":")[:3] for problem in caught.value.problems]
    assert [key.strip() for _, _, key in told] == ["created-by", "packages[2].wheels[0]", "packages[3].name"]
    lines = [int(line) for _, line, _ in told]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("key", ["inputs", "python", "platform", "direct"])
def test_our_own_table_must_be_whole(key):
    lines = [line for line in GOLDEN.splitlines() if not line.startswith(f"{key} =")]
    text = "\n".join(lines).replace('    "alpha",\n]', "" if key == "direct" else '    "alpha",\n]')
    with pytest.raises(InvalidProject, match=key):
        load(text, ORIGIN)


def test_another_programs_lock_is_not_loaded_as_ours():
    with pytest.raises(InvalidProject, match=r"tool\.imagekit"):
        load(FOREIGN, ORIGIN)


def test_inputs_that_are_no_digest_are_refused():
    with pytest.raises(InvalidProject, match="inputs"):
        load(GOLDEN.replace(INPUTS, Digest("sha256:short")), ORIGIN)


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def kind(table: str, root: Path | None = None) -> LockFile:
    """Another program's lock with one package, which is installed from ``table``."""
    origin = ORIGIN if root is None else root / "pylock.toml"
    head = 'lock-version = "1.0"\ncreated-by = "x"\n'
    return parse(f'{head}[[packages]]\nname = "alpha"\nversion = "1.0"\n{table}\n', origin)


def test_a_commit_is_taken_as_it_is_locked(target):
    keys = f'requested-revision = "v1", commit-id = "{COMMIT}", subdirectory = "s"'
    table = f'vcs = {{ type = "git", url = "https://git.example/r", {keys} }}'
    (package,) = select(kind(table), target, inputs=INPUTS).packages
    assert package.artifact.origin == GitCommit(
        url="https://git.example/r", commit=COMMIT, requested="v1", subdirectory="s"
    )
    assert package.artifact.url == f"git+https://git.example/r@{COMMIT}#subdirectory=s"
    assert not package.artifact.is_wheel


def test_a_directory_is_read_where_the_lock_lies(target, tmp_path):
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "pyproject.toml").write_text('[project]\nname = "alpha"\nversion = "2.0"\n')
    file = kind('directory = { path = "libs", editable = true }', tmp_path)
    (package,) = select(file, target, inputs=INPUTS).packages
    assert package.artifact.origin == Directory(path=tmp_path / "libs")
    (tmp_path / "libs" / "alpha.py").write_text("")
    (edited,) = select(file, target, inputs=INPUTS).packages
    assert edited.artifact.sha256 != package.artifact.sha256


def test_an_archive_of_source_needs_no_leave(target):
    table = f'archive = {{ url = "https://files.example/alpha-1.0.tar.gz", hashes = {{ sha256 = "{A}" }} }}'
    (package,) = select(kind(table), target, inputs=INPUTS).packages
    assert (package.artifact.by_url, package.artifact.is_wheel) == (True, False)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (f'vcs = {{ type = "hg", url = "https://h.example/r", commit-id = "{COMMIT}" }}', "alpha is locked to 'hg'"),
        ('vcs = { type = "git", url = "https://git.example/r", commit-id = "main" }', "alpha: commit-id 'main'"),
        (
            f'vcs = {{ type = "git", url = "https://u:canary@git.example/r", commit-id = "{COMMIT}" }}',
            "alpha: .*password",
        ),
        (f'vcs = {{ type = "git", url = "ext::sh -c id", commit-id = "{COMMIT}" }}', "alpha: .*unknown scheme"),
        (f'vcs = {{ type = "git", url = "https://-oProxy/r", commit-id = "{COMMIT}" }}', "alpha: .*no valid host"),
        (f'vcs = {{ type = "git", url = "file:///etc", commit-id = "{COMMIT}" }}', "alpha: '/etc' is outside"),
        (f'vcs = {{ type = "git", path = "../r", commit-id = "{COMMIT}" }}', "alpha: .* is outside"),
        (
            f'vcs = {{ type = "git", url = "https://git.example/r", commit-id = "{COMMIT}", subdirectory = "../x" }}',
            "alpha: .*subdirectory outside",
        ),
        ('directory = { path = "../out" }', r"packages.directory: alpha: '../out' is outside"),
        ('directory = { path = "link" }', r"packages.directory: alpha: 'link' is outside"),
        ('directory = { path = "missing" }', r"packages.directory: alpha: 'missing' is not there"),
        ('directory = { path = "." }', r"packages.directory: alpha: '.' is no Python project"),
        (
            f'archive = {{ url = "https://files.example/a.zip", subdirectory = "s", hashes = {{ sha256 = "{A}" }} }}',
            "packages.archive.subdirectory: alpha: ",
        ),
        (
            f'archive = {{ url = "https://files.example/a.tar.xz", hashes = {{ sha256 = "{A}" }} }}',
            "packages.archive: alpha: 'a.tar.xz' is neither",
        ),
        ('archive = { url = "https://files.example/a.zip", hashes = { md5 = "00" } }', "alpha: 'a.zip' has no sha256"),
    ],
)
def test_a_source_that_cannot_be_honoured_is_refused_with_its_package(target, tmp_path, table, words):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pyproject.toml").write_text('[project]\nname = "alpha"\n')
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to("../out")
    with pytest.raises(InvalidProject, match=words) as caught:
        select(kind(table, tmp_path / "project"), target, inputs=INPUTS)
    assert "canary" not in str(caught.value.to_json())
    assert caught.value.message.isprintable()


def test_a_lock_for_several_environments_with_extras_and_groups(target, other_target):
    """uv and PDM write such: one entry for each environment, chosen by markers, and groups that are asked for."""
    lines = ['lock-version = "1.0"', 'created-by = "x"', 'extras = ["fast"]', 'dependency-groups = ["dev", "docs"]']
    lines += ['default-groups = ["dev"]']
    lines += ["environments = [\"sys_platform == 'linux'\", \"sys_platform == 'win32'\"]"]
    for name, marker in (
        ("alpha", "platform_machine == 'x86_64'"),
        ("alpha", "platform_machine == 'aarch64'"),
        ("fast", "'fast' in extras"),
        ("dev", "'dev' in dependency_groups"),
        ("docs", "'docs' in dependency_groups"),
        ("windows", "sys_platform == 'win32'"),
    ):
        version = "2.0" if "aarch64" in marker else "1.0"
        lines += ["[[packages]]", f'name = "{name}"', f'version = "{version}"', f'marker = "{marker}"']
        url = f"https://files.example/{name}-{version}-py3-none-any.whl"
        lines += [f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{A}" }} }}]']
    file = parse("\n".join(lines), ORIGIN)

    def chosen(on, **others):
        return [f"{p.name} {p.version}" for p in select(file, on, inputs=INPUTS, **others).packages]

    assert chosen(target) == ["alpha 1.0", "dev 1.0"]
    assert chosen(other_target(architecture="arm64"), groups=[]) == ["alpha 2.0"]
    assert chosen(target, extras=["fast"], groups=["docs"]) == ["alpha 1.0", "docs 1.0", "fast 1.0"]
    doubled = parse("\n".join(lines).replace("aarch64", "x86_64"), ORIGIN)
    with pytest.raises(InvalidProject, match="alpha"):
        select(doubled, target, inputs=INPUTS)
