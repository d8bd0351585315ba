"""Archives as files: the same bytes always, loaded and run by engines of each store."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import AssemblyFailed, BaseUnusable, InputError, InvalidReference
from imagekit.export.archive_files import write_docker_archive, write_oci_archive
from imagekit.export.base_layers import base_layers
from imagekit.oci.config import History
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import LAYER_GZIP, LAYER_TAR, Descriptor
from imagekit.progress import SilentReporter
from imagekit.stages.probe import read_base

from ..base_blobs import base_blobs
from ..own_engine import OwnEngine
from .images import check_blobs, config_of, make_image, make_layer, make_layers, members
from .test_layout import skopeo

QUIET = SilentReporter()


def _zstd(data: bytes) -> bytes:
    from backports import zstd

    # Two frames, as some tools write them (RFC 8878, section 3.1).
    return zstd.compress(data[:5000]) + zstd.compress(data[5000:])


def _blob(data: bytes, media_type: str = LAYER_GZIP) -> Blob:
    return Blob(
        descriptor=Descriptor(media_type=media_type, digest=digest_of(data), size=len(data)), content=Data(data)
    )


def test_an_oci_archive_is_a_layout(tmp_path: Path) -> None:
    image, path = make_image(tmp_path), tmp_path / "new" / "image.tar"
    digest = write_oci_archive([image], path, "orders:v1")
    assert digest == image.manifest.descriptor.digest
    found = members(path.read_bytes())
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    blobs = {name[len("blobs/sha256/") :]: data for name, data in found.items() if name.startswith("blobs/")}
    check_blobs(json.loads(found["index.json"]), blobs)
    told = json.loads(skopeo("inspect", f"oci-archive:{path}:orders:v1"))
    assert told["Digest"] == digest
    skopeo("copy", f"oci-archive:{path}:orders:v1", f"docker-archive:{tmp_path}/copy.tar:orders:v1")


def test_an_oci_archive_of_several_platforms(tmp_path: Path) -> None:
    images = [make_image(tmp_path, "a"), make_image(tmp_path, "b", "arm64")]
    path = tmp_path / "image.tar"
    write_oci_archive(images, path, "orders:v1")
    assert "manifest.json" not in members(path.read_bytes())
    told = json.loads(skopeo("--override-arch", "arm64", "inspect", f"oci-archive:{path}:orders:v1"))
    assert told["Layers"] == [blob.descriptor.digest for blob in images[1].layers]


def test_a_docker_archive(tmp_path: Path) -> None:
    layers = make_layers(tmp_path)
    config = config_of(layers)
    path = tmp_path / "image.tar"
    assert write_docker_archive(config, (), layers, path, "orders") == config.digest
    found = members(path.read_bytes())
    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["orders:latest"]
    assert found[entry["Config"]] == config.to_bytes()
    assert [digest_of(found[name]) for name in entry["Layers"]] == list(config.diff_ids)
    # It unpacks and compares with the diff IDs.
    skopeo("copy", f"docker-archive:{path}", f"dir:{tmp_path}/dir")


def test_whatever_the_base_is_compressed_by(tmp_path: Path) -> None:
    layers = make_layers(tmp_path / "layers")
    datas = [b"".join(layer.chunks()) for layer in layers]
    base = [_blob(gzip.compress(datas[0], 1)), _blob(_zstd(datas[1]), f"{LAYER_TAR}+zstd"), _blob(datas[2], LAYER_TAR)]
    top = make_layer(tmp_path / "layers" / "top.tar", {"srv/top": b"top"})
    config = config_of([*layers, top])
    write_docker_archive(config, base, [top], tmp_path / "1.tar", "orders:v1")
    write_docker_archive(config, (), [*layers, top], tmp_path / "2.tar", "orders:v1")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.tar", "2.tar", "layers"]


def test_a_base_that_is_not_what_its_digests_say(tmp_path: Path) -> None:
    layers = make_layers(tmp_path)
    datas = [b"".join(layer.chunks()) for layer in layers]
    config, path = config_of(layers), tmp_path / "image.tar"
    path.write_bytes(b"old")
    right = [_blob(gzip.compress(data)) for data in datas]
    flipped = bytearray(gzip.compress(datas[1]))
    flipped[len(flipped) // 2] ^= 0xFF
    for wrong in (gzip.compress(datas[0]), gzip.compress(datas[1])[:-9], _zstd(datas[1])[:-1], bytes(flipped), b""):
        with pytest.raises(BaseUnusable) as caught:
            write_docker_archive(config, [right[0], _blob(wrong), right[2]], (), path, None)
        assert caught.value.hint
    assert path.read_bytes() == b"old"
    with pytest.raises(InputError, match="2 layers"):
        write_docker_archive(config, right[:2], (), path, None)
    write_docker_archive(config, right, (), path, None)


def test_the_same_bytes_whoever_writes(tmp_path: Path) -> None:
    layers, image = make_layers(tmp_path), make_image(tmp_path)
    for directory, umask in (("1", 0o022), ("2", 0o077)):
        old = os.umask(umask)
        try:
            (tmp_path / directory).mkdir()
            write_oci_archive([image], tmp_path / directory / "oci.tar", "orders:v1")
            write_docker_archive(config_of(layers), (), layers, tmp_path / directory / "docker.tar", "orders:v1")
        finally:
            os.umask(old)
    for name in ("oci.tar", "docker.tar"):
        one, other = tmp_path / "1" / name, tmp_path / "2" / name
        assert one.read_bytes() == other.read_bytes()
        assert stat.S_IMODE(one.stat().st_mode) == stat.S_IMODE(other.stat().st_mode) == 0o644


Write = Callable[[Path], object]


@pytest.fixture(params=["oci", "docker"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    layers, image = make_layers(tmp_path / "l"), make_image(tmp_path / "i")
    if request.param == "oci":
        return lambda path: write_oci_archive([image], path, "orders:v1")
    return lambda path: write_docker_archive(config_of(layers), (), layers, path, "orders:v1")


def test_places_for_no_file(tmp_path: Path, write: Write) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(InputError, match="directory") as caught:
        write(tmp_path / "directory")
    assert "image.tar" in str(caught.value.hint)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="pipe"):
        write(tmp_path / "fifo")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError):
        write(tmp_path / "file" / "image.tar")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError):
        write(tmp_path / "loop")
    # A device stays one: the tests run as root.
    with pytest.raises(InputError, match="device"):
        write(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_file_is_replaced_where_it_lies(tmp_path: Path, write: Write) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "image.tar").write_text("old")
    (tmp_path / "link.tar").symlink_to("there/image.tar")
    write(tmp_path / "link.tar")
    assert (tmp_path / "link.tar").is_symlink()
    assert members((tmp_path / "there" / "image.tar").read_bytes())
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["image.tar"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    image, path = make_image(tmp_path), tmp_path / "out" / "image.tar"
    write_oci_archive([image], path, None)
    old = path.read_bytes()
    first = image.layers[0]
    wrong = Blob(descriptor=first.descriptor, content=Data(b"x" * first.descriptor.size))
    with pytest.raises(AssemblyFailed):
        write_oci_archive([ImageContent(config=image.config, layers=(wrong, *image.layers[1:]))], path, None)
    assert path.read_bytes() == old
    assert [each.name for each in path.parent.iterdir()] == ["image.tar"]


PROGRAM = """
import sys
from pathlib import Path
from imagekit.export.archive_files import write_docker_archive
from tests.export.images import config_of, make_layers
layers = make_layers(Path(sys.argv[1]))
while True:
    write_docker_archive(config_of(layers), (), layers, Path(sys.argv[2]), "orders:v1")
"""


def test_what_killed_processes_left_is_swept_and_what_others_write_is_not(tmp_path: Path) -> None:
    layers, path = make_layers(tmp_path / "mine"), tmp_path / "out" / "image.tar"
    write_docker_archive(config_of(layers), (), layers, path, "orders:v1")
    old = path.read_bytes()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "theirs"), str(path)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    while len(list(path.parent.iterdir())) < 2:
        assert process.poll() is None
    for _ in range(20):
        write_docker_archive(config_of(layers), (), layers, path, "orders:v1")
    assert process.poll() is None
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        if list(path.parent.glob(".image.tar.imagekit-*/*")):
            break
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert path.read_bytes() == old
    assert list(path.parent.glob(".image.tar.imagekit-*"))
    write_docker_archive(config_of(layers), (), layers, path, "orders:v1")
    assert [each.name for each in path.parent.iterdir()] == ["image.tar"]


def test_names_that_docker_does_not_take(tmp_path: Path) -> None:
    layers, image = make_layers(tmp_path), make_image(tmp_path)
    for name in ("Orders", "a b", "x@sha256:" + "0" * 64, "scratch"):
        with pytest.raises(InvalidReference):
            write_docker_archive(config_of(layers), (), layers, tmp_path / "image.tar", name)
    assert not (tmp_path / "image.tar").exists()
    # A layout's name may be any word; then docker load gives it no tag.
    write_oci_archive([image], tmp_path / "image.tar", "Release-1.2")
    (entry,) = json.loads(members((tmp_path / "image.tar").read_bytes())["manifest.json"])
    assert entry["RepoTags"] is None


# Engines


def _run(address: str, image: str, *command: str) -> str:
    done = subprocess.run(
        ["docker", "--host", address, "run", "--rm", "--network", "none", "--", image, *command],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while piece := source.read(1 << 20):
            yield piece


@pytest.fixture
def on_base(
    engine: Engine, python_image: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ImageContent, Path]:
    """An image of the base and a layer, and a directory with its archives."""
    found = engine.image(python_image)
    assert found is not None
    base = read_base(engine, python_image, found.id, tmp_path / "cache", QUIET)
    below = base_layers(engine, base, tmp_path)
    top = make_layer(tmp_path / "top.tar", {"srv/word": b"whole\n"})
    config = base.config.extended(layers=[(top.diff_id, History("test"))], settings={}, env={}, labels={}, created=None)
    cache = base_blobs(tmp_path_factory)
    image = ImageContent(config=config, layers=tuple(map(cache.gzip, (*below, top))))
    write_oci_archive([image], tmp_path / "oci.tar", "imagekit-test/archived:oci")
    write_docker_archive(config, image.layers[:-1], [top], tmp_path / "docker.tar", "imagekit-test/archived:docker")
    return image, tmp_path


def test_the_engine_loads_and_runs_them(engine: Engine, on_base: tuple[ImageContent, Path]) -> None:
    image, directory = on_base
    for kind in ("docker", "oci"):
        name = f"imagekit-test/archived:{kind}"
        try:
            engine.load(_pieces(directory / f"{kind}.tar"))
            found = engine.image(name)
            assert found is not None
            assert (found.id, found.diff_ids) == (image.config.digest, image.config.diff_ids)
            assert _run(engine.address, name, "cat", "/srv/word") == "whole\n"
        finally:
            engine.remove_image(name)


@pytest.mark.xdist_group("own_engine")
@pytest.mark.parametrize("containerd_store", [pytest.param(False, marks=pytest.mark.soak), True])
def test_engines_that_have_nothing_load_and_run_them(
    own_engine: Callable[..., OwnEngine], on_base: tuple[ImageContent, Path], containerd_store: bool
) -> None:
    image, directory = on_base
    ours = own_engine(containerd_store=containerd_store)
    with ours.connect() as connected:
        for kind in ("oci", "docker"):
            name = f"imagekit-test/archived:{kind}"
            connected.load(_pieces(directory / f"{kind}.tar"))
            found = connected.image(name)
            assert found is not None
            assert found.diff_ids == image.config.diff_ids
            if containerd_store and kind == "oci":
                # The manifest that was written, and no other.
                assert found.id == image.manifest.descriptor.digest
            assert _run(ours.address, name, "cat", "/srv/word") == "whole\n"
            connected.remove_image(name, force=True)
