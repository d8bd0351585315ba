"""What a base's Python has installed, however it came there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents
from imagekit.stages.probe import read_base, read_contents

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("installed")

BuildImage = Callable[[str, Mapping[str, str]], str]

DOCKERFILE = """FROM {python}
USER 0
COPY site /site
COPY else /else
COPY system /system
RUN v="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \\
 && mkdir -p /usr/lib/python3/dist-packages "/usr/local/lib/python$v/dist-packages" \\
 && cp -r /system/. /usr/lib/python3/dist-packages/ && cp -r /site/. "/usr/local/lib/python$v/dist-packages/" \\
 && cd "/usr/local/lib/python$v/dist-packages" && python3 -m compileall -q whole && ln -s "$PWD" /linked \\
 && echo data > /usr/local/share/whole.txt && touch whole/stray.txt && mkdir __pycache__ \\
 && touch "__pycache__/single.cpython-311.opt-1.pyc" "__pycache__/single.more.pyc" "__pycache__/other.cpython-311.pyc"
ENV PYTHONPATH=/else
"""


def _metadata(name: str, version: str, *more: str) -> str:
    return "".join(f"{line}\n" for line in ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *more])


FILES = {
    "site/Whole_Thing-1.0.dist-info/METADATA": _metadata(
        "Whole.Thing", "1.0", "Provides-Extra: fast", "Requires-Dist: other>1", "Requires-Dist: quick; extra == 'fast'"
    ),
    "site/Whole_Thing-1.0.dist-info/INSTALLER": "pip\n",
    "site/Whole_Thing-1.0.dist-info/REQUESTED": "",
    "site/Whole_Thing-1.0.dist-info/RECORD": "whole/__init__.py,,\nwhole/absent.py,,\nsingle.py,,\n"
    "../../../share/whole.txt,,\nWhole_Thing-1.0.dist-info/METADATA,,\nWhole_Thing-1.0.dist-info/RECORD,,\n",
    "site/whole/__init__.py": "",
    "site/single.py": "",
    "site/unrecorded-2.dist-info/METADATA": _metadata("unrecorded", "2"),
    "site/by_conda-3.dist-info/METADATA": _metadata("by-conda", "3"),
    "site/by_conda-3.dist-info/INSTALLER": "conda\n",
    "site/older-4.egg-info/PKG-INFO": _metadata("older", "4"),
    "site/older-4.egg-info/installed-files.txt": "../older.py\nPKG-INFO\n",
    "site/older.py": "",
    "site/oldest-5.egg-info": _metadata("oldest", "5"),
    "else/else_where-6.dist-info/METADATA": _metadata("else-where", "6"),
    "else/else_where-6.dist-info/RECORD": "",
    "system/apt_one-7.dist-info/METADATA": _metadata("apt-one", "7"),
    "system/apt_one-7.dist-info/INSTALLER": "debian\n",
    "system/older-0.egg-info": _metadata("older", "0"),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def odd(engine: Engine, python_image: str, build_image: BuildImage, cache: Path) -> BaseImage:
    tag = build_image(DOCKERFILE.format(python=python_image), FILES)
    image = engine.image(tag)
    assert image is not None
    return read_base(engine, tag, image.id, cache, SilentReporter())


@pytest.fixture
def contents(engine: Engine, odd: BaseImage, cache: Path) -> Contents:
    return read_contents(lambda: engine, odd, cache)


def test_who_has_what_and_what_keeps_it(odd: BaseImage) -> None:
    found = [(d.name, d.version, d.installer, d.is_system) for d in odd.python.distributions]
    assert found == [
        ("apt-one", "7", "debian", True),
        ("by-conda", "3", "conda", False),
        ("else-where", "6", "", False),
        ("older", "4", "", False),
        ("older", "0", "", True),
        ("oldest", "5", "", False),
        ("unrecorded", "2", "", False),
        ("whole-thing", "1.0", "pip", False),
    ]
    obstacles = {d.pin: d.obstacle for d in odd.python.distributions if d.obstacle is not None}
    assert obstacles == {
        "apt-one==7": "the operating system's package manager owns it",
        "by-conda==3": "conda left no record of its files",
        "else-where==6": "it lies in /else, where packages are not installed to",
        "older==0": "the operating system's package manager owns it",
        "oldest==5": "whoever installed it left no record of its files",
        "unrecorded==2": "whoever installed it left no record of its files",
    }
    assert not odd.python.is_bare


def test_its_files_are_those_that_are_there(odd: BaseImage, contents: Contents) -> None:
    site = odd.python.scheme.purelib
    whole = next(d for d in odd.python.distributions if d.name == "whole-thing")
    info = f"{site}/Whole_Thing-1.0.dist-info"
    tag = odd.python.cache_tag
    expected = {
        *(f"{info}/{name}" for name in ("METADATA", "INSTALLER", "REQUESTED", "RECORD")),
        f"{site}/whole/__init__.py",
        f"{site}/whole/__pycache__/__init__.{tag}.pyc",
        f"{site}/single.py",
        f"{site}/__pycache__/single.cpython-311.opt-1.pyc",
        "/usr/local/share/whole.txt",
    }
    assert set(contents.files[whole.metadata]) == expected
    assert contents.entries[f"{site}/whole"] == {"__init__.py", "__pycache__", "stray.txt"}
    older = next(d for d in odd.python.distributions if d.pin == "older==4")
    assert set(contents.files[older.metadata]) == {
        f"{site}/older.py",
        f"{site}/older-4.egg-info/PKG-INFO",
        f"{site}/older-4.egg-info/installed-files.txt",
    }


def test_what_it_requires(contents: Contents) -> None:
    assert contents.requires["whole-thing"] == ("other>1", "quick; extra == 'fast'")
    assert contents.extras["whole-thing"] == ("fast",)


def test_the_engine_is_asked_only_where_it_is_gone(
    engine: Engine, odd: BaseImage, cache: Path, contents: Contents
) -> None:
    def refuse() -> Engine:
        raise AssertionError

    assert read_contents(refuse, odd, cache) == contents
    (kept,) = (cache / "bases").glob("*.gz")
    for damage in (b"", b"\x1f\x8b", None):
        if damage is None:
            kept.unlink()
        else:
            kept.write_bytes(damage)
        assert read_contents(lambda: engine, odd, cache) == contents
