"""Well-known public projects' dependency declarations are read, or refused with a reason that is right.

``table.py`` says which. Nothing here needs an engine or an index; what comes of them there is ``test_builds.py``.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from imagekit.lock import pylock
from imagekit.lock.foreign import foreign_set, uv_export
from imagekit.lock.inputs import inputs_digest
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec
from tests.corpus.declarations import HERE, laid_out
from tests.corpus.page import PAGE, rendered
from tests.corpus.row import Row
from tests.corpus.table import ROWS
from tests.lock.conftest import make_target

PROJECTS = sorted(path.parent for path in HERE.glob("*/SOURCE"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No engine answers, and no connection is made."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection is made")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    monkeypatch.setattr(socket.socket, "connect", refuse)


def read(row: Row, scratch: Path) -> ImageSpec:
    root = laid_out(row, scratch) if row.config else HERE / row.project
    return read_spec(root, python=row.python, **row.arguments)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("row", [row for row in ROWS if row.refused is None], ids=str)
def test_it_is_read(row: Row, tmp_path: Path) -> None:
    spec = read(row, tmp_path)
    root = spec.context.as_uri()
    found = [(line.text.replace(root, "ROOT"), line.origin) for line in spec.requirements]
    assert len(found) == row.count
    for wanted, place in row.has.items():
        assert [text for text, origin in found if text == wanted and origin.startswith(place)], found
    assert [text for text, _ in found if row.hasnt and text.startswith(row.hasnt)] == []
    assert len(spec.constraints) == row.constraints
    assert len(spec.conda.packages if spec.conda is not None else ()) == row.conda
    assert (spec.lock_file and spec.lock_file.name) == row.lock
    assert spec.python == row.python
    assert spec.builds_project == row.built


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("row", [row for row in ROWS if row.refused is not None], ids=str)
def test_it_is_refused(row: Row, tmp_path: Path) -> None:
    assert row.refused is not None
    with pytest.raises(row.refused) as caught:
        read(row, tmp_path)
    error = caught.value
    assert type(error) is row.refused
    assert error.message.startswith(row.says[0])
    for words in row.says[1:]:
        assert words in "\n".join(filter(None, (error.message, error.details, error.hint)))
    assert len(error.problems or (error,)) == row.problems


@pytest.mark.parametrize("row", [row for row in ROWS if row.locked is not None], ids=str)
def test_its_lock_says_what_is_installed(row: Row, tmp_path: Path) -> None:
    spec = read(row, tmp_path)
    path = spec.lock_file
    assert path is not None
    target = make_target(f"{row.python}.2")
    if path.name in ("uv.lock", "pylock.toml"):
        file = uv_export(spec, path, target).file if path.name == "uv.lock" else pylock.parse(path.read_text(), path)
        inputs = inputs_digest(spec, target)
        lock = pylock.select(
            file, target, inputs=inputs, extras=spec.extras, groups=spec.groups, source_builds=spec.source_builds
        )
        found = {f"{package.name}=={package.version}" for package in lock.packages}
        assert all(re.fullmatch(r"[0-9a-f]{64}", p.artifact.sha256) for p in lock.packages)
    else:
        lines = foreign_set(spec, path, target).lines
        found = {line.text for line in lines}
        assert all(line.hashes for line in lines)
    assert len(found) == row.locked
    for version in row.versions:
        assert any(text == version or text.startswith(f"{version}==") for text in found)


def test_all_projects_are_in_the_table() -> None:
    assert {path.name for path in PROJECTS} == {row.project.partition("/")[0] for row in ROWS}
    assert len({(HERE / path / "SOURCE").read_text().splitlines()[0] for path in PROJECTS}) >= 20
    read_ones = [(str(row), row.config) for row in ROWS if row.refused is None]
    assert len(set(read_ones)) == len(read_ones)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_copied_says_where_it_is_from(project: Path) -> None:
    source = (project / "SOURCE").read_text()
    head, _, listed = source.partition("files:\n")
    from_commit = re.search(r"^commit: [0-9a-f]{40}$", head, re.MULTILINE)
    for key in ("licence",) if from_commit else ("version", "source distribution", "sha256", "licence"):
        assert re.search(rf"^{key}: \S", head, re.MULTILINE)
    for line in listed.splitlines() if from_commit else ():
        assert re.search(r": (ours, |\S+, sha256 [0-9a-f]{64}( |$))", line), line
    names = {line.split(": ")[0].strip() for line in listed.splitlines()}
    there = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert there == names | {"SOURCE"}
    # Declarations are data: no code but empty modules, where a build backend's metadata needs one.
    assert all(path.stat().st_size == 0 for path in project.rglob("*.py"))


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == rendered()
