"""A working tree as a source: what is recorded of it, and where its modules lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.checkouts.check import check_flow
from imagekit.checkouts.find import find_source
from imagekit.checkouts.values import MountedSource, SourceAccess
from imagekit.errors import InvalidEntrypoint, InvalidParameters
from imagekit.spec.entrypoint import Entrypoint
from tests.own_repositories import Repository

Reach = Callable[..., SourceAccess]
ETL = Entrypoint.parse("flow.py:etl")


def test_its_commit_and_whether_it_is_what_that_says(repository: Repository, reach: Reach) -> None:
    source = MountedSource(directory=repository.path)
    commit = repository.git("rev-parse", "HEAD")
    clean = find_source(source, reach())
    assert clean.record == {
        "kind": "mounted",
        "path": str(repository.path),
        "url": None,
        "commit": commit,
        "dirty": False,
    }
    (repository.path / "new.py").touch()
    repository.git("remote", "add", "origin", "https://me:canary@example.com/r.git")
    dirty = find_source(source, reach()).record
    assert (dirty["commit"], dirty["dirty"], dirty["url"]) == (commit, True, "https://example.com/r.git")


def test_outside_a_repository_there_is_a_path_alone(tmp_path: Path, reach: Reach) -> None:
    found = find_source(MountedSource(directory=tmp_path), reach())
    assert found.record == {"kind": "mounted", "path": str(tmp_path)}
    assert not found.is_fetched


def test_where_its_modules_lie(tmp_path: Path, reach: Reach) -> None:
    source = MountedSource(directory=tmp_path)
    package = tmp_path / "src" / "orders"
    package.mkdir(parents=True)
    assert find_source(source, reach()).imports == ()
    (package / "__init__.py").touch()
    assert find_source(source, reach()).imports == ("src",)
    (tmp_path / "src" / "__init__.py").touch()
    assert find_source(source, reach()).imports == ()


def test_flows_are_held_to_what_is_there(repository: Repository, reach: Reach) -> None:
    (repository.path / "out.py").symlink_to("/etc/hostname")
    found = find_source(MountedSource(directory=repository.path), reach())
    check_flow(found, ETL, {"n": 3})
    with pytest.raises(InvalidParameters, match="takes no parameter 'm'"):
        check_flow(found, ETL, {"m": 3})
    for entrypoint, words in (
        ("nowhere.py:etl", "is not there"),
        ("flow.py:nope", "has no function"),
        ("out.py:f", "leads out"),
    ):
        with pytest.raises(InvalidEntrypoint, match=words) as caught:
            check_flow(found, Entrypoint.parse(entrypoint), {})
        assert f"(source: {repository.path})" in caught.value.message
