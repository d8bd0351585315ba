"""The same command again: what a build remembers, and each change that makes it forget."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from .conftest import PROGRAM, Imagekit, WriteProject, own_flow

HEAVY = {"typer", "docker", "requests", "rich", "packaging.requirements"}


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": own_flow(), "package/part.py": "A = 1\n"})


class Again:
    """One command line, again and again: what it came to, and the modules that it imported."""

    def __init__(self, imagekit: Imagekit, root: Path) -> None:
        self.words = ["build", str(root), "--tag", f"{imagekit.name()}:v1", "--json"]
        self._imagekit = imagekit

    def __call__(self, **env: str) -> tuple[Any, set[str]]:
        # What is younger than the clock's tick when a build begins is not remembered.
        time.sleep(0.05)
        done = subprocess.run(
            [sys.executable, "-X", "importtime", PROGRAM, *self.words],
            capture_output=True,
            text=True,
            env={**self._imagekit.env, **env},
        )
        assert done.returncode == 0, done.stderr
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
        return json.loads(done.stdout), imported


@pytest.fixture
def again(imagekit: Imagekit, root: Path) -> Again:
    return Again(imagekit, root)


def test_nothing_changed_and_next_to_nothing_is_imported(again: Again) -> None:
    first, imported = again()
    assert "typer" in imported
    second, imported = again()
    assert HEAVY & imported == set()
    assert (second["up_to_date"], second["sent"]) == (True, 0)
    changing = {"seconds", "sent", "up_to_date", "layers"}
    assert {k: v for k, v in second.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }
    assert [layer["digest"] for layer in second["layers"]] == [layer["digest"] for layer in first["layers"]]


def test_an_edit_is_one_layer_and_the_project_is_not_read_again(again: Again, root: Path, engine: Engine) -> None:
    first, _ = again()
    for text in ("A = 2\n", "A = 3\n"):
        (root / "package" / "part.py").write_text(text)
        second, imported = again()
        assert HEAVY & imported == set()
        assert (second["up_to_date"], second["lock_digest"]) == (False, first["lock_digest"])
        assert [layer["title"] for layer in second["layers"] if not layer["cached"]] == ["source"]
        found = engine.image(second["reference"])
        assert found is not None
        assert found.id == second["image_id"]
        assert engine.image(first["image_id"]) is None
        first = second


# Of the project, the build's reference, and an image of another build.
CHANGES: dict[str, Callable[[Path, str, str], object]] = {
    "another requirement": lambda root, *_: (root / "requirements.txt").write_text(
        (root / "requirements.txt").read_text().replace("alpha==1.0", "alpha==1.1")
    ),
    "a new file": lambda root, *_: (root / "package" / "new.py").write_text(""),
    "a file less": lambda root, *_: (root / "package" / "part.py").unlink(),
    "rules": lambda root, *_: (root / ".dockerignore").write_text("package\n"),
    "a repository": lambda root, *_: subprocess.run(["git", "init", "--quiet", root], check=True),
    "no image": lambda _, reference, other: subprocess.run(["docker", "rmi", "--force", reference], check=True),
    "another image": lambda _, reference, other: subprocess.run(["docker", "tag", other, reference], check=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_everything_else_is_built_as_ever(again: Again, root: Path, python_image: str, change: str) -> None:
    first, _ = again()
    CHANGES[change](root, first["reference"], python_image)
    second, imported = again()
    assert "typer" in imported
    same = change in ("no image", "another image", "a repository")
    assert (second["image_id"] == first["image_id"]) == same


def test_a_cache_that_the_configuration_names_is_no_part_of_it(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    del imagekit.env["IMAGEKIT_CACHE_DIR"]
    imagekit.env["XDG_CACHE_HOME"] = str(tmp_path / "usual")
    (tmp_path / "config.toml").write_text(f"cache-dir = {json.dumps(str(tmp_path / 'cache'))}\n")
    again = Again(imagekit, root)
    again()
    # As the hours pass, and other builds.
    for path in (tmp_path / "cache").rglob("*"):
        os.utime(path)
    second, imported = again()
    assert HEAVY & imported == set()
    assert second["up_to_date"]


def test_a_link_that_is_turned_is_a_change(again: Again, root: Path) -> None:
    (root / "package" / "other.py").write_text("A = 2\n")
    (root / "package" / "current.py").symlink_to("part.py")
    first, _ = again()
    (root / "package" / "current.py").unlink()
    (root / "package" / "current.py").symlink_to("other.py")
    assert again()[0]["image_id"] != first["image_id"]


def test_a_context_behind_a_link(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    for name in ("requirements.txt", "flow.py"):
        (tmp_path / "second" / name).write_text((root / name).read_text())
    (tmp_path / "current").symlink_to(root)
    again = Again(imagekit, tmp_path / "current")
    first, _ = again()
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(tmp_path / "second")
    assert again()[0]["image_id"] != first["image_id"]


def test_what_new_rules_let_in_is_watched(again: Again, root: Path) -> None:
    (root / ".dockerignore").write_text("package\n")
    first, _ = again()
    (root / ".dockerignore").write_text("nothing\n")
    second, _ = again()
    assert second["image_id"] != first["image_id"]
    (root / "package" / "part.py").write_text("A = 5\n")
    assert again()[0]["image_id"] != second["image_id"]


def test_a_project_below_an_environments_prefix(imagekit: Imagekit, root: Path) -> None:
    # As a project in /usr/src is, for the system's Python.
    place = Path(sys.prefix) / f"tests-{secrets.token_hex(4)}"
    shutil.copytree(root, place)
    try:
        again = Again(imagekit, place)
        first, _ = again()
        (place / "flow.py").write_text(own_flow())
        assert again()[0]["image_id"] != first["image_id"]
    finally:
        shutil.rmtree(place)


def test_a_commit_in_a_worktree_is_a_change(again: Again, imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    def git(*words: object) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, "-C", tmp_path / "repository", *map(str, words)], check=True)

    subprocess.run(["git", "init", "--quiet", tmp_path / "repository"], check=True)
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    git("worktree", "add", "--quiet", tmp_path / "tree")
    for name in ("requirements.txt", "flow.py"):
        (tmp_path / "tree" / name).write_text((root / name).read_text())
    again = Again(imagekit, tmp_path / "tree")
    first, _ = again()
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(
        ["git", *identity, "-C", tmp_path / "tree", "commit", "--quiet", "--allow-empty", "-m", "two"], check=True
    )
    assert again()[0]["image_id"] != first["image_id"]


def test_a_record_with_another_byte_is_none(again: Again, imagekit: Imagekit, root: Path) -> None:
    first, _ = again()
    for path in (Path(imagekit.env["IMAGEKIT_CACHE_DIR"]) / "builds").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"/app"', b'"/apq"'))
    (root / "flow.py").write_text(own_flow())
    second, imported = again()
    assert "typer" in imported
    assert second["image_id"] != first["image_id"]


def test_the_environment_counts(again: Again) -> None:
    again()
    _, imported = again(SOURCE_DATE_EPOCH="1700000000")
    assert "typer" in imported


def test_a_damaged_record_is_no_matter(again: Again, imagekit: Imagekit) -> None:
    first, _ = again()
    for path in (Path(imagekit.env["IMAGEKIT_CACHE_DIR"]) / "builds").iterdir():
        path.write_text('{"format": 1}')
    second, imported = again()
    assert "typer" in imported
    assert second["image_id"] == first["image_id"]
