"""Writing our locks, and taking from other programs' what a target needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidProject, NoWheel, StaleLock
from imagekit.lock.pylock import dump, load, parse, select
from imagekit.lock.values import Artifact, Lock, LockedPackage
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


def test_neither_a_wheel_nor_a_source_is_no_wheel(target):
    text = FOREIGN.replace("tests-1.0-py3-none-any.whl", "tests-1.0-cp39-cp39-win_amd64.whl")
    with pytest.raises(NoWheel, match="tests"):
        select(parse(text, ORIGIN), target, inputs=INPUTS)


def test_a_lock_for_another_python_is_stale(other_target):
    with pytest.raises(StaleLock, match=r"3\.9\.2"):
        select(parse(FOREIGN, ORIGIN), other_target("3.9.2"), inputs=INPUTS)


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('lock-version = "1.0"', 'lock-version = "9.0"', "not supported"),
        ('lock-version = "1.0"', "", "lock-version"),
        ('name = "tests"', 'name = "Tests"', "packages[3].name"),
        ("wheels/plotting-1.0", "wheels/other-1.0", "packages[2].wheels[0]"),
        ('created-by = "another"', "created-by = ", "TOML"),
        ("[[packages]]", "[packages]", "TOML"),
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
