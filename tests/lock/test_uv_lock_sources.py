"""A ``uv.lock`` is stale where a source moved: another index, kind of ref or directory, or that of another extra."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from imagekit.errors import StaleLock
from imagekit.lock.target import Target
from imagekit.lock.uv import find_uv
from imagekit.lock.uv_lock import export_uv_lock
from imagekit.lock.uv_lock_sources import MemberSources, source_text
from imagekit.spec.uv_workspace import find_workspace
from tests.lock.faulty_index import FaultyIndex
from tests.own_repositories import Repository, package_files

PROJECT = '[project]\nname = "orders"\nversion = "1"\nrequires-python = ">=3.10"\n'


@pytest.fixture
def indexes() -> Iterator[tuple[FaultyIndex, FaultyIndex]]:
    both = FaultyIndex(), FaultyIndex()
    for index in both:
        index.add("acme", "1.0")
    yield both
    for index in both:
        index.close()


def lock(project: Path, text: str, *, default: str | None = None) -> Path:
    """``uv lock`` as a user runs it."""
    project.mkdir(exist_ok=True)
    (project / "pyproject.toml").write_text(text)
    where = ["--default-index", default] if default else ["--no-index"]
    subprocess.run([str(find_uv()), "lock", "--quiet", *where], cwd=project, check=True)
    return project / "uv.lock"


def stale(project: Path, text: str, target: Target, **options: tuple[str, ...]) -> str:
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(StaleLock) as caught:
        export_uv_lock(project / "uv.lock", project, target, **options)
    return caught.value.message


def test_another_index(tmp_path: Path, target: Target, indexes: tuple[FaultyIndex, FaultyIndex]) -> None:
    corp, other = indexes
    text = (
        PROJECT + 'dependencies = ["acme"]\n[tool.uv.sources]\nacme = { index = "corp" }\n'
        f'[[tool.uv.index]]\nname = "corp"\nurl = "{corp.url}/"\nexplicit = true\n'
    )
    path = lock(tmp_path / "project", text, default=other.url)
    project = path.parent
    assert len(export_uv_lock(path, project, target).file.pylock.packages) == 1
    assert f"acme (index {other.url}), and then for acme (index {corp.url})" in stale(
        project, text.replace(corp.host, other.host), target
    )
    assert f"asks for acme, and then for acme (index {corp.url})" in stale(
        project, text.replace('acme = { index = "corp" }', ""), target
    )


def test_an_index_of_an_extra(tmp_path: Path, target: Target, indexes: tuple[FaultyIndex, FaultyIndex]) -> None:
    corp, other = indexes
    text = (
        PROJECT + '[project.optional-dependencies]\nfast = ["acme"]\n[dependency-groups]\ndev = ["acme"]\n'
        '[tool.uv.sources]\nacme = [{ index = "corp", extra = "fast" }, { index = "dev", group = "dev" }]\n'
        f'[[tool.uv.index]]\nname = "corp"\nurl = "{corp.url}"\nexplicit = true\n'
        f'[[tool.uv.index]]\nname = "dev"\nurl = "{other.url}"\nexplicit = true\n'
        '[tool.uv]\nconflicts = [[{ extra = "fast" }, { group = "dev" }]]\n'
    )
    path = lock(tmp_path / "project", text, default=other.url)
    for options in ({"extras": ("fast",)}, {"groups": ("dev",)}):
        assert len(export_uv_lock(path, path.parent, target, **options).file.pylock.packages) == 1
    changed = text.replace('extra = "fast" }, {', "marker = \"python_version > '3'\" }, {", 1)
    assert "acme (index" in stale(path.parent, changed, target, groups=("dev",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('tag = "one"', 'branch = "one"'), "branch one in inner), and then"),
        (('tag = "one"', 'tag = "two"'), "tag two in inner), and then"),
        ((', subdirectory = "inner"', ', subdirectory = "outer"'), "tag one in outer), and then"),
        (('tag = "one", ', ""), "part in inner), and then"),
    ],
)
def test_another_ref_or_directory(tmp_path: Path, target: Target, change: tuple[str, str], words: str) -> None:
    repository = Repository(tmp_path / "project" / "vendor" / "part")
    repository.commit(package_files("part", "1.0", below="inner/"))
    for name in ("one", "two"):
        repository.git("tag", name)
    source = f'{{ git = "{repository.path.as_uri()}", tag = "one", subdirectory = "inner" }}'
    text = f'{PROJECT}dependencies = ["part"]\n[tool.uv.sources]\npart = {source}\n'
    path = lock(tmp_path / "project", text)
    assert len(export_uv_lock(path, path.parent, target).direct) == 1
    assert words in stale(path.parent, text.replace(*change), target)


# What no server here can be locked from, in the words that uv's lock has for it

SAME = [
    (
        "part @ git+ssh://git@example.com/team/part.git@v1#subdirectory=inner",
        "",
        {"git": "ssh://git@example.com/team/part.git?subdirectory=inner&rev=v1"},
    ),
    ("part @ git+ssh://me@example.com/team/part", "", {"git": "ssh://example.com/team/part"}),
    (
        "part",
        'git = "git@example.com:team/part.git", tag = "v1"',
        {"git": "ssh://git@example.com/team/part.git?tag=v1"},
    ),
    ("part", 'git = "https://example.com/part", branch = "a/b"', {"git": "https://example.com/part?branch=a%2Fb"}),
    (
        "part @ https://example.com/part-1.0.zip#sha256=00&subdirectory=inner",
        "",
        {"url": "https://example.com/part-1.0.zip", "subdirectory": "inner"},
    ),
    ("part", 'url = "https://example.com/part-1.0.zip"', {"url": "https://example.com/part-1.0.zip"}),
    ("part", 'index = "corp"', {"index": "https://corp.example.com/simple"}),
    ("part", "", {"specifier": ">=1"}),
]


@pytest.mark.parametrize(("text", "source", "locked"), SAME)
def test_the_same_source_in_both_files(
    tmp_path: Path, target: Target, text: str, source: str, locked: dict[str, str]
) -> None:
    table = f"[tool.uv.sources]\npart = {{ {source} }}\n" if source else ""
    index = '[[tool.uv.index]]\nname = "corp"\nurl = "https://corp.example.com/simple/"\n'
    (tmp_path / "pyproject.toml").write_text(PROJECT + table + index)
    found = MemberSources(tmp_path, find_workspace(tmp_path)).of(Requirement(text), target)
    assert found == source_text(locked)
