"""Images in which versions alone moved are checked by metadata, and in a container where that will not do."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from .conftest import Imagekit
from .wheels import write_wheel

_LOOKED = "checking the image"


class Locked:
    """A project with a lock written by hand, so that no resolver stands between it and the check."""

    def __init__(self, imagekit: Imagekit, root: Path) -> None:
        self.imagekit, self.root = imagekit, root
        self.name = imagekit.name("moved")
        self.word = secrets.token_hex(4)  # so that no other test's check is told of it
        self._pins: dict[str, str] = {}
        root.mkdir()

    def has(
        self,
        package: str,
        version: str,
        files: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
        scripts: Mapping[str, str] | None = None,
    ) -> None:
        name = f"{package}_{self.word}"
        files = {f"{name}/__init__.py": f"VERSION = {version!r}\n", **(files or {})}
        requires = [text.replace("*", self.word) for text in requires]
        directory = self.root.parent / "wheels"
        wheel = write_wheel(directory, name, version, files, requires=requires, scripts=scripts)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self._pins[package] = (
            f'[[packages]]\nname = "{name.replace("_", "-")}"\nversion = "{version}"\n'
            f'wheels = [{{name = "{wheel.name}", url = "{wheel.as_uri()}", hashes = {{sha256 = "{digest}"}}}}]\n'
        )
        lock = 'lock-version = "1.0"\ncreated-by = "hand"\n' + "".join(self._pins.values())
        (self.root / "pylock.toml").write_text(lock)

    def build(self) -> tuple[int, str]:
        done = self.imagekit("build", self.root, "--tag", f"{self.name}:1", "-v")
        return done.returncode, done.stderr


@pytest.fixture
def locked(imagekit: Imagekit, tmp_path: Path) -> Locked:
    found = Locked(imagekit, tmp_path / "project")
    found.has("lower", "1.0", scripts={"lower-it": "lower:main"})
    found.has("upper", "1.0", requires=["lower-*<2"])
    code, words = found.build()
    assert code == 0, words
    assert _LOOKED in words
    return found


def test_a_moved_version_needs_no_container(locked: Locked) -> None:
    for version in ("1.1", "1.2"):
        locked.has("lower", version, scripts={"lower-it": "lower:main"})
        code, words = locked.build()
        assert code == 0, words
        assert _LOOKED not in words


def test_a_moved_version_that_does_not_fit_is_told_by_the_image(locked: Locked) -> None:
    locked.has("lower", "2.0", scripts={"lower-it": "lower:main"})
    code, words = locked.build()
    assert code == 6
    assert f"upper-{locked.word} requires lower-{locked.word}<2; 2.0 is there" in words


def test_a_requirement_that_a_moved_version_has_of_its_own(locked: Locked) -> None:
    locked.has("upper", "1.1", requires=["lower-*<2", "nowhere-*"])
    code, words = locked.build()
    assert code == 6
    assert f"upper-{locked.word} requires nowhere-{locked.word}, which is not installed" in words


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"beside.py": "X = 1\n"}},
        {"files": {"at-start.pth": "import sys\n"}},
        {"scripts": {"lower-it": "lower:main", "another": "lower:main"}},
    ],
    ids=["module", "path file", "script"],
)
def test_what_others_may_meet_is_looked_at_from_inside(locked: Locked, change: dict[str, dict[str, str]]) -> None:
    locked.has("lower", "1.1", **{"scripts": {"lower-it": "lower:main"}, **change})
    code, words = locked.build()
    assert code == 0, words
    assert _LOOKED in words


def test_what_the_same_path_file_says_is_looked_at_from_inside(imagekit: Imagekit, tmp_path: Path) -> None:
    locked = Locked(imagekit, tmp_path / "project")
    locked.has("lower", "1.0", {"lower.pth": "# nothing\n"})
    assert locked.build()[0] == 0
    name = f"lower_{locked.word}"
    stowaway = {f"{name}/vendor/stowaway-9.dist-info/METADATA": "Name: stowaway\nVersion: 9\n"}
    locked.has("lower", "1.1", {"lower.pth": f"{name}/vendor\n", **stowaway})
    code, words = locked.build()
    assert code == 6
    assert "stowaway" in words


def test_another_package_is_looked_at_from_inside(locked: Locked) -> None:
    locked.has("third", "1.0")
    code, words = locked.build()
    assert code == 0, words
    assert _LOOKED in words


def test_what_is_remembered_is_not_trusted_when_it_is_damaged(locked: Locked) -> None:
    notes = list(Path(locked.imagekit.env["IMAGEKIT_CACHE_DIR"]).glob("checked/*.json"))
    assert notes
    for note in notes:
        note.write_text(json.dumps({**json.loads(note.read_text()), "answer": {"distributions": [{}]}}))
    locked.has("lower", "1.3", scripts={"lower-it": "lower:main"})
    code, words = locked.build()
    assert code == 0, words
    assert _LOOKED in words
