"""What a source is built with: locked, held to its hash, recorded; and a kept wheel is what was noted of it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import SourceBuildFailed
from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore
from imagekit.lock.logins import Login, Logins
from imagekit.lock.values import Artifact, BuildTool, LockedPackage
from imagekit.oci.digest import digest_of
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import Indexes
from imagekit.stages.build_tools import DEFAULT, asked_beside, declared_tools
from imagekit.stages.built_wheels import BuiltWheels
from imagekit.stages.in_base import InBase
from imagekit.stages.probe import read_base
from imagekit.stages.source_build import build_wheels

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("build_tools")

BACKEND = """
import os, zipfile

def get_requires_for_build_wheel(settings=None):
    return ["tinyhelper >= 1"]

def build_wheel(directory, settings=None, metadata=None):
    import tinyhelper
    login = "".join(value for name, value in os.environ.items() if name.startswith("UV_INDEX"))
    login += open(os.environ["NETRC"]).read() if "NETRC" in os.environ else ""
    name = "alpha-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr("alpha.py", f"MADE_BY = {__name__!r}, {VERSION!r}, {tinyhelper.VERSION!r}, {login!r}")
        wheel.writestr("alpha-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: alpha\\nVersion: 1.0\\n")
        wheel.writestr("alpha-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("alpha-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture(scope="session")
def base(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> BaseImage:
    image = engine.image(python_image)
    assert image is not None
    return read_base(engine, python_image, image.id, tmp_path_factory.mktemp("bases"), SilentReporter())


def add_tool(links: Path, name: str, version: str, code: str = "") -> Path:
    path = links / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n{code}")
        wheel.writestr(
            f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return path


def sdist(directory: Path, requires: list[str], pyproject: str | None = None) -> LockedPackage:
    text = f'[build-system]\nrequires = {json.dumps(requires)}\nbuild-backend = "tinybackend"\n'
    path = directory / "alpha-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("pyproject.toml", pyproject or text), ("alpha.py", "")):
            member = tarfile.TarInfo(f"alpha-1.0/{name}")
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    artifact = Artifact(filename=path.name, url=path.as_uri(), sha256=sha256)
    return LockedPackage(name="alpha", version="1.0", artifact=artifact)


@pytest.fixture
def links(tmp_path: Path) -> Path:
    directory = tmp_path / "links"
    directory.mkdir()
    add_tool(directory, "tinybackend", "1.0", BACKEND)
    add_tool(directory, "tinyhelper", "1.0")
    return directory


def sha256_of(links: Path, name: str, version: str) -> str:
    return hashlib.sha256((links / f"{name}-{version}-py3-none-any.whl").read_bytes()).hexdigest()


def test_tools_are_locked_with_those_that_a_backend_asks_for_and_stay_the_same(base, links, tmp_path):
    url = "https://index.example.com/simple"
    login = Login(url=url, user="user", password="hunter2-of-the-index", origin="a test")
    access = IndexAccess(indexes=Indexes(find_links=(str(links),), no_index=True), logins=Logins(by_url=(login,)))
    stage = InBase(base=base, access=access)
    package = sdist(tmp_path, ["tinybackend"])
    store = WheelStore(tmp_path / "wheels")
    wheel = build_wheels([package], stage, store=store, cache_dir=tmp_path / "cache")["alpha"]
    names = ("tinybackend", "tinyhelper")
    assert wheel.tools == tuple(
        BuildTool(name=n, version="1.0", filename=f"{n}-1.0-py3-none-any.whl", sha256=sha256_of(links, n, "1.0"))
        for n in names
    )
    made = zipfile.ZipFile(wheel.path).read("alpha.py").decode()
    assert made == "MADE_BY = 'tinybackend', '1.0', '1.0', ''"  # and no login is in its reach
    for name in names:
        add_tool(links, name, "2.0", BACKEND if name == "tinybackend" else "")
    shutil.rmtree(tmp_path / "cache" / "built")
    again = build_wheels([package], stage, store=store, cache_dir=tmp_path / "cache")["alpha"]
    assert again.tools == wheel.tools


def no_engine(base: BaseImage, links: Path, tmp_path: Path) -> InBase:
    access = IndexAccess(indexes=Indexes(find_links=(str(links),), no_index=True))
    return InBase(base=base, engine=f"unix://{tmp_path}/none.sock", access=access)


@pytest.mark.parametrize(
    ("requires", "words"),
    [
        (["tinybackend @ https://example.com/tinybackend-1.0-py3-none-any.whl"], "tools come from an index"),
        (["x=2"], "what its build needs is not to be had: build-system.requires of alpha: 'x=2'"),
    ],
)
def test_tools_that_are_not_to_be_had_are_told_before_anything_runs(base, links, tmp_path, requires, words):
    stage = no_engine(base, links, tmp_path)
    store = WheelStore(tmp_path / "wheels")
    with pytest.raises(SourceBuildFailed, match=rf"^alpha: .*{words}"):
        build_wheels([sdist(tmp_path, requires)], stage, store=store, cache_dir=tmp_path / "cache")


def test_a_tool_that_no_place_has_is_told_with_the_resolver_s_words(base, links, tmp_path):
    stage = replace(no_engine(base, links, tmp_path), engine=None)
    package = sdist(tmp_path, ["nothing-of-this-name"])
    with pytest.raises(SourceBuildFailed, match=r"^alpha: what its build needs is not to be had: ") as caught:
        build_wheels([package], stage, store=WheelStore(tmp_path / "wheels"), cache_dir=tmp_path / "cache")
    assert "nothing-of-this-name" in (caught.value.details or "")


def test_a_tool_that_is_not_the_locked_file_is_refused_before_anything_runs(base, links, tmp_path):
    stage = no_engine(base, links, tmp_path)
    package = sdist(tmp_path, ["tinyhelper"])
    with pytest.raises(Exception, match=r"none\.sock"):  # locked, and then there is no engine
        build_wheels([package], stage, store=WheelStore(tmp_path / "wheels"), cache_dir=tmp_path / "cache")
    add_tool(links, "tinyhelper", "1.0", "import os  # another file of that name\n")
    with pytest.raises(SourceBuildFailed, match="not the file that the lock names"):
        build_wheels([package], stage, store=WheelStore(tmp_path / "others"), cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[build-system]\nrequires = ["hatchling>=1", "x; python_version > \'3\'"]\n',
            ("hatchling>=1", "x; python_version > '3'"),
        ),
        ("[build-system]\nrequires = []\n", ()),
        ("[project]\nname = 'x'\n", DEFAULT),
        ("\ufeff[project]\nname = 'x'\n", DEFAULT),
        ("[build-system]\n", ()),
        ("[build-system]\nrequires = 'x'\n", ()),
        ("build-system = 3\n", ()),
        ("[build-system\n", ()),
    ],
)
def test_what_a_source_declares(tmp_path, text, expected):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "pyproject.toml").write_text(text, "utf-8")
    assert declared_tools(tmp_path / "tree") == expected
    sdist(tmp_path, [], text)
    assert declared_tools(tmp_path / "alpha-1.0.tar.gz") == expected
    with zipfile.ZipFile(tmp_path / "alpha-1.0.zip", "w") as archive:
        archive.writestr("alpha-1.0/inside/pyproject.toml", "[build-system]\nrequires = ['other']\n")
        archive.writestr("alpha-1.0/pyproject.toml", text.encode())
    assert declared_tools(tmp_path / "alpha-1.0.zip") == expected


def test_a_source_without_a_pyproject_or_that_is_none(tmp_path):
    assert declared_tools(tmp_path) == DEFAULT
    for name, content in (("x.tar.gz", b"junk"), ("x.zip", b"junk"), ("y.tar.gz", b"")):
        (tmp_path / name).write_bytes(content)
        assert declared_tools(tmp_path / name) == DEFAULT


def test_what_uv_lacks_is_read_from_its_words():
    words = (
        "error: Failed to build `/x`\n"
        "  cause: No solution found when resolving: `setuptools==60.0.0`, `wheel`, `cffi>=1.0 ; os_name != 'nt'`\n"
        "  cause: Because wheel was not found in the provided package locations …"
    )
    assert asked_beside(words, ["setuptools == 60.0.0"]) == ("wheel", "cffi>=1.0 ; os_name != 'nt'")
    assert asked_beside("error: No module named 'x'", ["setuptools"]) == ()


KEY = digest_of(b"a source")


def kept(tmp_path: Path) -> tuple[BuiltWheels, Path]:
    path = add_tool(tmp_path, "alpha", "1.0")
    wheels = BuiltWheels(tmp_path / "built")
    tool = BuildTool(name="tiny", version="1.0", filename="tiny-1.0-py3-none-any.whl", sha256="a" * 64)
    wheel = wheels.put(KEY, path, (tool,))
    assert wheels.get(KEY) == wheel
    assert wheel.tools == (tool,)
    return wheels, wheel.path


def change_content(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def change_both(path: Path) -> None:
    other = path.parent.with_name(hashlib.sha256(b"evil").hexdigest())
    path.parent.rename(other)
    (other / path.name).write_bytes(b"evil")


def change_name(path: Path) -> None:
    path.rename(path.with_name("alpha-2.0-py3-none-any.whl"))


def change_note(path: Path) -> None:
    note = path.parents[1] / ".note.json"
    note.write_text(note.read_text().replace("alpha-1.0", "alpha-2.0"))


def drop_note(path: Path) -> None:
    (path.parents[1] / ".note.json").unlink()


@pytest.mark.parametrize("damage", [change_content, change_both, change_name, change_note, drop_note])
def test_a_kept_wheel_that_is_not_what_was_noted_is_none(tmp_path, damage):
    wheels, path = kept(tmp_path)
    damage(path)
    assert wheels.get(KEY) is None
    assert not list((tmp_path / "built").glob("*/*/*.whl"))


def test_a_kept_wheel_of_another_source_is_none(tmp_path):
    wheels, path = kept(tmp_path)
    other = digest_of(b"another source")
    path.parents[1].rename(tmp_path / "built" / other.removeprefix("sha256:"))
    assert wheels.get(other) is None
