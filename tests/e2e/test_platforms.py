"""Images for another Python, another processor and another C library than this machine's."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.building.bases import LAID_OUT
from imagekit.engine.client import Engine
from imagekit.explaining.results import WrittenResult
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import find_image
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import LAYER_TAR, Descriptor
from imagekit.oci.platform import Platform
from imagekit.preflight.elf import read_elf
from imagekit.progress import SilentReporter
from imagekit.stages.debian import DebianRootfs
from imagekit.stages.probe import find_base

from ..base_blobs import base_blobs
from ..own_registry import OwnRegistry
from .conftest import PROGRAM, Imagekit, WriteProject, clean_environment
from .wheels import write_wheel

NO_ENGINE = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
HOST = Platform.host()
OTHER = Platform("linux", "arm64" if HOST.architecture == "amd64" else "amd64")
FLOW = """
import importlib.metadata
import sys

def etl():
    names = sorted(d.metadata["Name"] for d in importlib.metadata.distributions())
    import native
    return list(sys.version_info[:2]), native.FOR, [name for name in names if name in ("native", "newer", "older")]
"""


def layout_of(python: str, directory: Path, cache: Path) -> str:
    """A base with ``python`` for both processors, made from Debian's packages, as ``--base-image`` takes it."""
    where = f"oci:{directory / 'bases'}"
    done = subprocess.run(
        [PROGRAM, "base", "build", "--python", python, "--platform", f"{HOST},{OTHER}", "-o", where],
        env={**clean_environment(), "IMAGEKIT_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return f"{where}:imagekit/python:{python}"


# Of the session: between two tests of its group others may run, and it takes a minute.
@pytest.fixture(scope="session")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> str:
    return layout_of("3.13", tmp_path_factory.mktemp("trixie"), tmp_path_factory.mktemp("trixie-cache"))


@pytest.fixture(scope="session")
def bookworm(debian_rootfs: DebianRootfs, debian_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """That of this machine's Python is made already, for those who look at what is in it."""
    return layout_of("3.11", tmp_path_factory.mktemp("bookworm"), debian_cache)


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """Wheels of one version for many targets, each of which knows what it is for, and pure ones."""
    directory = tmp_path / "native"
    for python in ("39", "311", "313", "314"):
        for platform in (
            *("manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "musllinux_1_1_x86_64", "musllinux_1_1_aarch64"),
        ):
            tag = f"cp{python}-cp{python}-{platform}"
            write_wheel(directory, "native", "1.0", {"native.py": f"FOR = {tag!r}\n"}, tag=tag)
    for name in ("newer", "older", "here", "there"):
        write_wheel(directory, name, "1.0", {f"{name}.py": "X = 1\n"})
    return directory


@pytest.fixture
def root(project: WriteProject, native: Path) -> Path:
    lines = [
        *("--no-index", f"--find-links {native}", "native"),
        *("newer; python_version >= '3.12'", "older; python_version < '3.12'"),
        *(f"here; platform_machine == '{HOST.machine}'", f"there; platform_machine == '{OTHER.machine}'"),
    ]
    text = "".join(f"{line}\n" for line in lines)
    return project({"requirements.txt": text, "flow.py": f"MARK = {secrets.token_hex(8)!r}\n{FLOW}"})


@pytest.fixture
def given(request: pytest.FixtureRequest, engine: Engine) -> Iterator[None]:
    """The engine forgets the base that it is given in a test, and none of those that others are given meanwhile."""
    bases = [request.getfixturevalue(name) for name in ("trixie", "bookworm") if name in request.fixturenames]
    yield
    for base in bases:
        for platform in (HOST, OTHER):
            engine.remove_image(laid_out(base, platform), force=True)


def laid_out(base: str, platform: Platform = HOST) -> str:
    """What an engine that was given ``base`` for ``platform`` calls it."""
    _, directory, name = base.split(":", 2)
    digest = find_image(Path(directory), name, platform).config.digest
    return f"{LAID_OUT}:{digest.removeprefix('sha256:')[:16]}"


def built_and_run(imagekit: Imagekit, root: Path, base: str) -> Any:
    built = imagekit.json("build", root, "--name", imagekit.name(), "--base-image", base)
    return imagekit.json("run", "flow.py:etl", "--image", built["reference"])["result"]


@pytest.mark.soak
@pytest.mark.xdist_group("trixie")
def test_another_python_than_this_machines(imagekit: Imagekit, root: Path, trixie: str, given: None) -> None:
    version, wheel, names = built_and_run(imagekit, root, trixie)
    assert version == [3, 13]
    assert wheel == f"cp313-cp313-manylinux_2_17_{HOST.machine}"
    assert names == ["native", "newer"]


@pytest.mark.soak
@pytest.mark.parametrize(("python", "names"), [("3.9", ["native", "older"]), ("3.14", ["native", "newer"])])
def test_the_other_pythons_of_debian(
    imagekit: Imagekit, engine: Engine, root: Path, tmp_path: Path, python: str, names: list[str]
) -> None:
    where = f"oci:{tmp_path / 'bases'}"
    imagekit.json("base", "build", "--python", python, "-o", where)
    base = f"{where}:imagekit/python:{python}"
    try:
        found = built_and_run(imagekit, root, base)
    finally:
        engine.remove_image(laid_out(base), force=True)
    tag = python.replace(".", "")
    assert found[0] == [int(part) for part in python.split(".")]
    assert found[1:] == [f"cp{tag}-cp{tag}-manylinux_2_17_{HOST.machine}", names]


@pytest.mark.soak
@pytest.mark.xdist_group("trixie")
def test_one_index_of_two_processors_each_with_its_own_packages(
    imagekit: Imagekit, root: Path, trixie: str, tmp_path: Path
) -> None:
    """No engine: nothing is run of the other processor, whose bytecode is compiled by this one's base."""
    out = tmp_path / "out"
    made = imagekit.json(
        *("build", root, "--name", "both", "--tag", ":1", "--base-image", trixie),
        *("--platform", f"{HOST},{OTHER}", "-o", f"oci:{out}"),
        env=NO_ENGINE,
    )
    packages = [sorted(pin for layer in image["layers"] for pin in layer["packages"]) for image in made["images"]]
    assert packages == [["here==1.0", "native==1.0", "newer==1.0"], ["native==1.0", "newer==1.0", "there==1.0"]]
    sources = [
        next(layer["digest"] for layer in image["layers"] if layer["title"] == "source") for image in made["images"]
    ]
    assert sources[0] == sources[1]
    index = json.loads((out / "index.json").read_bytes())
    (entry,) = index["manifests"]
    manifests = json.loads(blob(out, entry["digest"]))["manifests"]
    for platform, described in zip((HOST, OTHER), manifests, strict=True):
        assert described["platform"]["architecture"] == platform.architecture
        manifest = json.loads(blob(out, described["digest"]))
        config = json.loads(blob(out, manifest["config"]["digest"]))
        assert config["architecture"] == platform.architecture
        files = [name for layer in manifest["layers"] for name in members(blob(out, layer["digest"]))]
        # Native code is that of the platform, bytecode is there for both.
        assert any(name.endswith("native.cpython-313.pyc") for name in files)
        text = next(data for layer in manifest["layers"] for data in contents(blob(out, layer["digest"]), "/native.py"))
        assert text == f"FOR = 'cp313-cp313-manylinux_2_17_{platform.machine}'\n".encode()


@pytest.mark.xdist_group("debian")
def test_an_engine_that_cannot_run_it_says_where_it_can_be_written(
    imagekit: Imagekit, root: Path, bookworm: str, given: None
) -> None:
    found = imagekit.refused("build", root, "--name", "other", "--base-image", bookworm, "--platform", str(OTHER))
    assert (found["error"], "for another processor" in found["message"]) == ("BaseUnusable", True)
    assert "--output registry" in found["hint"]


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def members(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


def contents(data: bytes, suffix: str) -> Iterator[bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.name.endswith(suffix) and (stream := archive.extractfile(member)) is not None:
                yield stream.read()


@pytest.fixture
def musl(engine: Engine, python_image: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base in a layout whose interpreter asks for musl's loader, which is there and tells a version.

    No Python that really runs on musl can be had here; what is read of one, these two files say.
    """
    base = find_base(engine, python_image, "", HOST, tmp_path / "cache", SilentReporter())
    command = ["docker", "--host", engine.address, "run", "--rm", "--", python_image, "cat", base.python.executable]
    program = subprocess.run(command, capture_output=True, check=True).stdout
    elf = read_elf(program)
    assert elf is not None
    assert elf.loader is not None
    loader = f"/lib/ld-musl-{HOST.machine}.so.1"
    patched = program.replace(elf.loader.encode() + b"\0", loader.encode().ljust(len(elf.loader), b"\0") + b"\0", 1)
    upper = io.BytesIO()
    with tarfile.open(fileobj=upper, mode="w") as archive:
        for path, data in ((base.python.executable, patched), (f"/usr{loader}", b"\x7fELF musl libc\x001.2.5\0")):
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    layer = upper.getvalue()
    document = {**base.config.document, "rootfs": {"type": "layers", "diff_ids": []}}
    document["rootfs"]["diff_ids"] = [*base.config.diff_ids, digest_of(layer)]
    blobs = engine_base_blobs(engine, base, base_blobs(tmp_path_factory))
    described = Descriptor(media_type=LAYER_TAR, digest=digest_of(layer), size=len(layer))
    content = ImageContent(
        config=ImageConfig(document), layers=(*blobs, Blob(descriptor=described, content=Data(layer)))
    )
    write_layout([content], tmp_path / "musl", "musl:1")
    return f"oci:{tmp_path / 'musl'}:musl:1"


def test_wheels_for_musl_where_the_base_has_it(imagekit: Imagekit, root: Path, musl: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("build", root, "--name", "musl", "--tag", ":1", "--base-image", musl, "-o", f"oci:{out}")
    (image,) = imagekit.json(*words, env=NO_ENGINE)["images"]
    (layer,) = [layer["digest"] for layer in image["layers"] if layer["packages"] == ["native==1.0"]]
    index = json.loads((out / "index.json").read_bytes())
    manifest = json.loads(blob(out, index["manifests"][0]["digest"]))
    config = json.loads(blob(out, manifest["config"]["digest"]))
    packed = manifest["layers"][config["rootfs"]["diff_ids"].index(layer)]["digest"]
    (text,) = contents(blob(out, packed), "/native.py")
    assert b"musllinux_1_1_" + HOST.machine.encode() in text


def test_a_package_without_a_wheel_for_musl_is_named(imagekit: Imagekit, root: Path, musl: str, native: Path) -> None:
    for wheel in native.glob("*musllinux*"):
        wheel.unlink()
    found = imagekit.refused("build", root, "--name", "musl", "--base-image", musl, "-o", "oci:out", env=NO_ENGINE)
    assert "native" in found["message"] + (found["details"] or "")
    assert "musl" in " ".join(filter(None, (found["message"], found["hint"], found["details"])))


@pytest.mark.xdist_group("debian")
def test_both_at_once_by_the_library(
    library: Imagekit, root: Path, bookworm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEKIT_ENGINE", NO_ENGINE["IMAGEKIT_ENGINE"])
    with closing(OwnRegistry(tmp_path / "registry")) as registry:
        image = DockerImage(
            f"{registry.name}/orders", "v1", context=root, base_image=bookworm, push=True,
            platforms=[str(HOST), str(OTHER)], stream_progress_to=None,
        )  # fmt: skip
        result = image.build()
        assert isinstance(result, WrittenResult)
        index = json.loads(registry.blob_path(image.push()).read_text())
    assert [made.platform for made in result.images] == [str(HOST), str(OTHER)]
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == [
        HOST.architecture,
        OTHER.architecture,
    ]


@pytest.mark.xdist_group("debian")
def test_what_must_be_built_for_another_processor_is_named(
    imagekit: Imagekit, project: WriteProject, bookworm: str
) -> None:
    declared = """[project]
name = "common"
version = "1.0"

[build-system]
requires = []
build-backend = "own"
backend-path = ["."]
"""
    root = project({"libs/pyproject.toml": declared, "libs/own.py": "", "requirements.txt": "./libs\n--no-index\n"})
    where = ("--base-image", bookworm, "--platform", str(OTHER), "--output", f"oci:{root.with_name('out')}")
    found = imagekit.refused("build", root, *where, env=NO_ENGINE)
    assert found["message"] == f"building common from source: programs of this machine do not run in a {OTHER} base"
    assert found["exit_code"] == 5
