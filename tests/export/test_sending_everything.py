"""An engine that takes no thin archives gets the base's layers too."""

import os
from dataclasses import replace
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.engine.containers import host_id
from imagekit.export import engine_load
from imagekit.export.archives import docker_archive
from imagekit.export.base_layers import base_layers
from imagekit.layers.archive import END as END_OF_ARCHIVE
from imagekit.layers.archive import DigestingWriter, directory, file
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest
from imagekit.progress import SilentReporter
from imagekit.stages.probe import read_base

QUIET = SilentReporter()
REFERENCE = "imagekit-test/everything:1"


def _layer(path: Path) -> Layer:
    with path.open("wb") as stream:
        out = DigestingWriter(stream)
        for piece in (directory("srv"), file("srv/word", b"whole\n"), END_OF_ARCHIVE):
            out.write(piece)
    return Layer(diff_id=out.digest, size=out.size, pieces=(FileRange(path, 0, out.size),), cached=False)


def _extended(config: ImageConfig, diff_id: Digest) -> ImageConfig:
    return config.extended(layers=[(diff_id, History("test"))], settings={}, env={}, labels={}, created=None)


def test_a_whole_archive_holds_every_layer(engine: Engine, python_image: str, tmp_path: Path, monkeypatch) -> None:
    image = engine.image(python_image)
    assert image is not None
    base = read_base(engine, python_image, image.id, tmp_path / "cache", QUIET)
    below = base_layers(engine, base, tmp_path)
    assert tuple(layer.diff_id for layer in below) == base.config.diff_ids
    layer = _layer(tmp_path / "layer.tar")
    config = _extended(base.config, layer.diff_id)
    sent: list[tuple[Digest, ...]] = []

    def recorded(config, layers, present, name):  # type: ignore[no-untyped-def]
        sent.append(tuple(layer.diff_id for layer in layers if layer.diff_id not in present))
        return docker_archive(config, layers, present, name)

    monkeypatch.setattr(engine_load, "docker_archive", recorded)
    # As another engine that speaks Docker's API says of itself.
    foreign = Engine(engine.address)
    foreign.info = replace(engine.info, is_docker=False)
    try:
        loaded = engine_load.load_image(foreign, config, base, [layer], REFERENCE, QUIET)
        assert sent == [config.diff_ids]
        found = engine.image(REFERENCE)
        assert found is not None
        assert (found.id, found.diff_ids) == (loaded.image_id, config.diff_ids)
        # Other workers of the tests may be loading.
        assert not [tag for tag in engine.tags(engine_load.LOADING) if f"-{os.getpid()}-" in tag]
    finally:
        engine.remove_image(REFERENCE)


def test_a_dead_process_temporary_name_is_swept(engine: Engine, python_image: str) -> None:
    image = engine.image(python_image)
    assert image is not None
    host = host_id()
    dead = f"{engine_load.LOADING}:{host}-999999999-1-dead"
    alive = engine_load.loading_name()
    foreign = f"{engine_load.LOADING}:00000000-999999999-1-dead"
    for name in (dead, alive, foreign):
        engine.tag(image.id, name)
    try:
        engine_load.sweep_loading(engine)
        assert set(engine.tags(engine_load.LOADING)) >= {alive, foreign}
        assert dead not in engine.tags(engine_load.LOADING)
    finally:
        for name in (dead, alive, foreign):
            engine.remove_image(name)
