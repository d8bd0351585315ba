"""Several wheels that own one path: told, the same one's file each time, or refused."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from imagekit.errors import WheelRefused
from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.layers.clashes import Clash, lines
from imagekit.layers.values import Layer
from imagekit.progress import SilentReporter

from .plans import make, plan_of
from .wheels import VERSION, Members, write_wheel

SITE = f"opt/venv/lib/python{VERSION}/site-packages"


def wheels(tmp_path: Path, **members: Members) -> list[Path]:
    return [write_wheel(tmp_path, files, name=name) for name, files in members.items()]


def clashes(tmp_path: Path, *groups: Sequence[Path]) -> list[Clash]:
    plan = plan_of(*groups)
    cache = LayerCache(tmp_path / "cache" / "layers")
    make(plan, cache, [path for group in groups for path in group])
    with LayerMaker(plan, cache) as maker:
        assert maker.missing_wheels() == []
        list(maker.in_order(None, SilentReporter()))
        return maker.clashes()


def unpacked(layers: Sequence[Layer]) -> dict[str, bytes]:
    """The files that the image shows."""
    found = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(b"".join(layer.chunks()))) as tar:
            for member in tar:
                if (content := tar.extractfile(member)) is not None:
                    found[member.name] = content.read()
    return found


@pytest.mark.parametrize("together", [False, True])
def test_one_owner_and_it_is_said(together: bool, tmp_path: Path) -> None:
    a, b = wheels(tmp_path, a={"tests/__init__.py": b"a", "a.py": b""}, b={"tests/__init__.py": b"b", "b.py": b""})
    groups = [[a, b]] if together else [[a], [b]]
    assert clashes(tmp_path, *groups) == [Clash(f"{SITE}/tests/__init__.py", "a==1.0", "b==1.0")]
    layers = make(plan_of(*groups), LayerCache(tmp_path / "cache" / "layers"), [])
    assert unpacked(layers)[f"{SITE}/tests/__init__.py"] == b"b"


def test_it_is_told_once(tmp_path: Path) -> None:
    a, b = wheels(tmp_path, a={"x.py": b"a"}, b={"x.py": b"b"})
    assert len(clashes(tmp_path, [a], [b])) == 1
    assert clashes(tmp_path, [a], [b]) == []
    # Other company is another set.
    (c,) = wheels(tmp_path, c={"c.py": b""})
    assert len(clashes(tmp_path, [a], [b], [c])) == 1


def test_the_same_content_is_no_clash(tmp_path: Path) -> None:
    shared = {"google/__init__.py": b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"}
    a, b, c = wheels(
        tmp_path,
        a={**shared, "google/a.py": b""},
        b={**shared, "google/b.py": b""},
        c={"google/__init__.py": b"other"},
    )
    assert clashes(tmp_path, [a, b]) == []
    assert [(clash.first, clash.second) for clash in clashes(tmp_path, [a], [b], [c])] == [("b==1.0", "c==1.0")]


@pytest.mark.parametrize("together", [False, True])
def test_namespace_packages_are_one(together: bool, tmp_path: Path) -> None:
    """PEP 420: portions of several wheels, in one directory that is nobody's."""
    a, b = wheels(tmp_path, a={"ns/deep/a/__init__.py": b"A = 1\n"}, b={"ns/deep/b.py": b"B = 2\n"})
    groups = [[a, b]] if together else [[a], [b]]
    assert clashes(tmp_path, *groups) == []
    layers = make(plan_of(*groups), LayerCache(tmp_path / "cache" / "layers"), [])
    root = tmp_path / "root"
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(b"".join(layer.chunks()))) as tar:
            # Python 3.11.2, Debian's, knows no filters yet, and 3.14 has one unasked.
            tar.extractall(root)
    program = "import ns.deep.a, ns.deep.b; print(ns.deep.a.A + ns.deep.b.B)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(root / SITE)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "3\n"


def test_an_executable_and_a_file_that_is_none_are_not_the_same(tmp_path: Path) -> None:
    a, b = wheels(tmp_path, a={"a-1.0.data/scripts/run": b"#!/bin/sh\n"}, b={"b-1.0.data/data/bin/run": b"#!/bin/sh\n"})
    assert [clash.path for clash in clashes(tmp_path, [a], [b])] == ["opt/venv/bin/run"]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_file_for_a_directory_is_refused(turned: bool, together: bool, tmp_path: Path) -> None:
    a, b = wheels(tmp_path, a={"x": b"a file"}, b={"x/y/z.py": b"in a directory"})
    pair = [b, a] if turned else [a, b]
    with pytest.raises(WheelRefused, match=r"a==1.0 has a file /.*/x, and b==1.0 a directory") as caught:
        clashes(tmp_path, *([pair] if together else [[each] for each in pair]))
    assert caught.value.hint
    # It is said again by the next build, which has all layers.
    with pytest.raises(WheelRefused):
        clashes(tmp_path, *([pair] if together else [[each] for each in pair]))


def test_names_that_differ_in_case_are_both_there(tmp_path: Path) -> None:
    a, b = wheels(tmp_path, a={"Straße/Data.py": b"a", "straße/data.py": b"b"}, b={"STRASSE/data.PY": b"c"})
    found = clashes(tmp_path, [a], [b])
    assert {(clash.first, clash.second, clash.is_case) for clash in found} == {
        ("a==1.0", "a==1.0", True),
        ("a==1.0", "b==1.0", True),
    }
    files = unpacked(make(plan_of([a], [b]), LayerCache(tmp_path / "cache" / "layers"), []))
    assert {files[f"{SITE}/{name}"] for name in ("Straße/Data.py", "straße/data.py", "STRASSE/data.PY")} == {
        *(b"a", b"b", b"c")
    }


def test_a_line_for_each_pair() -> None:
    many = [Clash(f"cv2/{n}.py", "opencv-python==4", "opencv-python-headless==4") for n in range(100)]
    (line,) = lines(many)
    assert line == (
        "cv2/0.py, cv2/1.py, cv2/10.py and 97 more in opencv-python==4 and opencv-python-headless==4: "
        "the latter's is used"
    )
    (line,) = lines([Clash("A.py", "a==1", "a==1", is_case=True)])
    assert line.startswith("A.py in a==1: names that differ in case alone")


def test_many_in_a_chain(tmp_path: Path) -> None:
    """Each of them takes it from the one before."""
    paths = wheels(tmp_path, **{f"w{n}": {"x.py": b"%d" % n} for n in range(5)})
    found = clashes(tmp_path, *[[path] for path in paths])
    assert [(clash.first, clash.second) for clash in found] == [(f"w{n}==1.0", f"w{n + 1}==1.0") for n in range(4)]
    files = unpacked(make(plan_of(*[[path] for path in paths]), LayerCache(tmp_path / "cache" / "layers"), []))
    assert files[f"{SITE}/x.py"] == b"4"
