"""What goes with a distribution of the base, and the whiteouts that say so."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from imagekit.layers.removal import doomed
from imagekit.layers.tree_layer import write_whiteouts
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents, Distribution

from .bases import base

SITE = "/usr/local/lib/python3.11/dist-packages"


def _distribution(name: str) -> Distribution:
    metadata = f"{SITE}/{name}-1.dist-info"
    return Distribution(name=name, version="1", metadata=metadata, installer="pip", is_system=False, obstacle=None)


def _contents(files: dict[str, list[str]], others: tuple[str, ...] = ()) -> Contents:
    """``files`` by distribution, and ``others`` that nobody owns; all below the site directory or absolute."""
    placed = {
        _distribution(name).metadata: tuple(p if p.startswith("/") else f"{SITE}/{p}" for p in paths)
        for name, paths in files.items()
    }
    entries: dict[str, set[str]] = {}
    for path in [*(p for paths in placed.values() for p in paths), *(f"{SITE}/{p}" for p in others)]:
        while path.rpartition("/")[0]:
            directory, _, name = path.rpartition("/")
            entries.setdefault(directory, set()).add(name)
            path = directory
    return Contents(
        requires={}, extras={}, files=placed, entries={path: frozenset(names) for path, names in entries.items()}
    )


def _gone(contents: Contents, *names: str, on: BaseImage | None = None) -> list[str]:
    found = doomed([_distribution(name) for name in names], on or base(), contents)
    return [path.removeprefix(SITE.lstrip("/") + "/") for path in found]


def test_directories_go_with_their_last_file() -> None:
    files = {"a": ["a/__init__.py", "a/deep/x.py", "a/deep/__pycache__/x.cpython-311.pyc", "a-1.dist-info/RECORD"]}
    assert _gone(_contents(files), "a") == ["a", "a-1.dist-info"]
    # What nobody owns stays, and so does what holds it.
    assert _gone(_contents(files, ("a/deep/mine.txt",)), "a") == [
        "a-1.dist-info",
        "a/__init__.py",
        "a/deep/__pycache__",
        "a/deep/x.py",
    ]


def test_what_another_one_owns_stays() -> None:
    contents = _contents({"a": ["space/a.py", "both.py"], "b": ["space/b.py", "both.py"]})
    assert _gone(contents, "a") == ["space/a.py"]
    assert _gone(contents, "a", "b") == ["both.py", "space"]


def test_the_places_of_packages_stay_and_what_lies_elsewhere() -> None:
    contents = _contents(
        {"a": ["a.py", "/usr/local/bin/a", "/usr/local/share/man/a.1", "/etc/passwd", "/usr/include/python3.11/a/a.h"]}
    )
    assert doomed([_distribution("a")], base(), contents) == [
        "usr/include/python3.11/a",
        "usr/local/bin/a",
        f"{SITE.lstrip('/')}/a.py",
        "usr/local/share",
    ]


_NAMES = st.sampled_from(["x", "y", "z"])
_PATHS = st.lists(
    st.lists(_NAMES, min_size=1, max_size=4).map(lambda parts: "/".join(["d", *parts, "f.py"])), max_size=8
)


@given(mine=_PATHS, others=_PATHS, nobodys=_PATHS)
def test_exactly_what_is_its_own_is_gone(mine: list[str], others: list[str], nobodys: list[str]) -> None:
    nobodys = [path for path in nobodys if path not in mine]
    contents = _contents({"a": mine, "b": others}, tuple(nobodys))
    hidden = _gone(contents, "a")
    # No path lies below another one: a whiteout stands for all that is below.
    assert not [(x, y) for x in hidden for y in hidden if y.startswith(f"{x}/")]
    left = {
        path
        for path in {*mine, *others, *nobodys}
        if not any(path == gone or path.startswith(f"{gone}/") for gone in hidden)
    }
    assert left == {*others, *nobodys}


def test_whiteouts_leave_directories_as_they_are() -> None:
    special = replace(base(), directories=((SITE, 0o2775, 0, 50),))
    out = io.BytesIO()
    written = write_whiteouts([f"{SITE.lstrip('/')}/a", "usr/local/bin/a"], special, out)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        members = {member.name: member for member in archive}
    assert members[SITE.lstrip("/")].mode == 0o2775
    assert members[SITE.lstrip("/")].gid == 50
    assert members["usr/local/bin"].mode == 0o755
    files = [member for member in members.values() if not member.isdir()]
    assert [(member.name, member.size) for member in files] == [
        ("usr/local/bin/.wh.a", 0),
        (f"{SITE.lstrip('/')}/.wh.a", 0),
    ]
    again = io.BytesIO()
    assert write_whiteouts(["usr/local/bin/a", f"{SITE.lstrip('/')}/a"], special, again).diff_id == written.diff_id
