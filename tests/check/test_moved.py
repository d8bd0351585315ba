"""What a passed check says of an image in which versions moved."""

from __future__ import annotations

from typing import Any

import pytest

from imagekit.check.moved import Moved, concerning, foretold, may_touch_others, reach

ANSWER: dict[str, Any] = {
    "python": "3.11.2",
    "distributions": [
        {"name": "Al.pha", "version": "1", "location": "/site", "requires": ["beta>=1", "Gamma<2"], "scripts": []},
        {"name": "beta", "version": "1", "location": "/site", "requires": ["gamma; extra == 'x'"], "scripts": ["b"]},
        {"name": "gamma", "version": "1", "location": "/site", "requires": [], "scripts": []},
    ],
}
MOVED = Moved(version="2", requires=("delta",), scripts=("c",))


def test_metadata_is_read_as_installers_do() -> None:
    metadata = "Name: x\nVersion: 1.0\nRequires-Dist: a>=1\nRequires-Dist: b ; extra == 'c'\n\nText: no\n"
    found = Moved.of("x", metadata, "[console_scripts]\nX-it = x:main\n[gui_scripts]\nw = x:w\n[other]\nz = y\n")
    assert found == Moved(version="1.0", requires=("a>=1", "b ; extra == 'c'"), scripts=("X-it", "w"))


@pytest.mark.parametrize(
    ("metadata", "entry_points"),
    [
        ("Name: x\n", ""),
        ("Version: 1\n", ""),
        ("Name: y\nVersion: 1\n", ""),
        ("Name: x\nVersion: 1\n", "no section"),
        ("Name: x\nVersion: 1\n", "[console_scripts]\na = x:a\na = x:b\n"),
        ("Name: x\nVersion: 1\n", "[other]\na = 50%\n"),
    ],
)
def test_metadata_that_is_not_its_own_or_that_some_python_cannot_read(metadata: str, entry_points: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Moved.of("x", metadata, entry_points)


@pytest.mark.parametrize("top", ["x.pth", "x.egg-info", "sitecustomize.py", "usercustomize", "sitecustomize.pyc"])
def test_places_that_decide_what_is_found(top: str) -> None:
    assert may_touch_others(["package", top])
    assert not may_touch_others(["package", "pth", "site.py", "/bin/x"])


def test_where_files_can_be_met() -> None:
    paths = ["v/site/pkg/__init__.py", "v/site/one.py", "v/site/pkg-1.dist-info/METADATA", "v/bin/run", "v/sitex/a"]
    assert reach(paths, "v/site") == {"pkg", "one.py", "/v/bin/run", "/v/sitex/a"}


def test_a_moved_version_takes_its_place() -> None:
    found = foretold(ANSWER, {"al-pha": MOVED})
    assert found is not None
    assert found["distributions"][0] == {
        "name": "Al.pha", "version": "2", "location": "/site", "requires": ["delta"], "scripts": ["c"]
    }  # fmt: skip
    assert found["distributions"][1:] == ANSWER["distributions"][1:]


def test_what_was_not_there_or_was_twice_cannot_be_told() -> None:
    assert foretold(ANSWER, {"delta": MOVED}) is None
    twice = {"distributions": [*ANSWER["distributions"], ANSWER["distributions"][0]]}
    assert foretold(twice, {"al-pha": MOVED}) is None


def test_only_what_moved_and_what_is_about_it_is_judged_anew() -> None:
    found = concerning(ANSWER, {"gamma"})
    assert [entry["requires"] for entry in found["distributions"]] == [["Gamma<2"], ["gamma; extra == 'x'"], []]
    found = concerning(ANSWER, {"al-pha"})
    assert [entry["requires"] for entry in found["distributions"]] == [["beta>=1", "Gamma<2"], [], []]
