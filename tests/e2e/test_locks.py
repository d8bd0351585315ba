"""``imagekit lock``, and what a build makes of the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Imagekit, Inside, WriteProject

PYPROJECT = """
[project]
name = "locked-floor"
version = "1.0"
dependencies = ["alpha<2", "beta"]
[tool.imagekit]
no-index = true
find-links = ["{wheels}"]
"""
VERSIONS = "import importlib.metadata as m; print(m.version('alpha'), m.version('beta'))"


@pytest.fixture(params=["requirements.txt", "pyproject.toml"])
def asking(request: pytest.FixtureRequest, project: WriteProject, wheels: Path, no_index: str) -> Path:
    """The file that says what is wanted."""
    texts = {
        "requirements.txt": f"{no_index}alpha<2\nbeta\n",
        "pyproject.toml": PYPROJECT.format(wheels=wheels),
    }
    files = {request.param: texts[request.param], "locked_floor/__init__.py": ""}
    return project(files) / request.param


def test_a_build_uses_the_lock_until_it_is_stale(imagekit: Imagekit, inside: Inside, asking: Path) -> None:
    root = asking.parent
    locked = imagekit.json("lock", root)
    assert [(p["name"], p["version"]) for p in locked["packages"]] == [("alpha", "1.1"), ("beta", "2.0")]
    assert locked["written"] is True
    text = (root / "pylock.toml").read_bytes()
    assert imagekit.json("lock", root)["written"] is False
    assert (root / "pylock.toml").read_bytes() == text
    assert imagekit("lock", root, "--check").returncode == 0

    built = imagekit.json("build", root, "--name", imagekit.name())
    assert built["lock_digest"] == locked["digest"]
    assert inside(built["reference"], "python", "-c", VERSIONS).split() == ["1.1", "2.0"]

    asking.write_text(asking.read_text().replace("alpha<2", "alpha<1.1"))
    for words in (("build", root), ("lock", root, "--check"), ("plan", root)):
        error = imagekit.refused(*words)
        assert (error["error"], error["exit_code"]) == ("StaleLock", 4)
        assert "imagekit lock" in error["hint"]
    assert (root / "pylock.toml").read_bytes() == text

    moved = imagekit("lock", root)
    assert (moved.returncode, "alpha 1.1 -> 1.0" in moved.stdout) == (0, True)
    again = imagekit.json("build", root, "--name", imagekit.name())
    assert inside(again["reference"], "python", "-c", VERSIONS).split() == ["1.0", "2.0"]


def test_a_check_without_a_lock(imagekit: Imagekit, asking: Path) -> None:
    error = imagekit.refused("lock", asking.parent, "--check")
    assert (error["error"], error["exit_code"]) == ("StaleLock", 4)
    assert not (asking.parent / "pylock.toml").exists()


def test_a_file_that_is_not_the_locked_one(imagekit: Imagekit, project: WriteProject, tmp_path: Path) -> None:
    from .wheels import write_wheel

    wheel = write_wheel(tmp_path / "changing", "changing", "1.0", {"changing.py": "X = 1\n"})
    root = project({"requirements.txt": "--no-index\n--find-links ../changing\nchanging\n"})
    imagekit.json("lock", root)
    wheel.unlink()
    write_wheel(tmp_path / "changing", "changing", "1.0", {"changing.py": "X = 2\n"})
    # A cache that has the one that was locked would go on with it.
    error = imagekit.refused(
        "build", root, "--name", imagekit.name(), env={"IMAGEKIT_CACHE_DIR": str(tmp_path / "empty")}
    )
    assert (error["error"], error["exit_code"]) == ("HashMismatch", 4)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [("alpha>=1,<1\n", "Unsatisfiable"), ("alpha==9\n", "Unsatisfiable"), ("no-such-package-here\n", "Unsatisfiable")],
)
def test_what_cannot_be_resolved(
    imagekit: Imagekit, project: WriteProject, no_index: str, lines: str, kind: str
) -> None:
    error = imagekit.refused("build", project({"requirements.txt": no_index + lines}))
    assert (error["error"], error["exit_code"]) == (kind, 4)
    assert lines.partition(">")[0].partition("=")[0].strip() in error["message"] + (error["details"] or "")
