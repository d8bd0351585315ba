"""A layer that was damaged in the cache never becomes part of an image, and the next attempt succeeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import DamagedLayer
from imagekit.export.engine_load import LOADING, Loaded, load_image
from imagekit.layers.cache import LayerCache
from imagekit.layers.mending import mended
from imagekit.layers.values import Layer, WrittenLayer
from imagekit.oci.config import History
from imagekit.oci.digest import Digest
from imagekit.progress import SilentReporter
from imagekit.stages.probe import read_base

from ..cache.entries import written

QUIET = SilentReporter()
KEY = Digest("sha256:" + "5" * 64)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1024)


@pytest.mark.parametrize("damage", [_flip, _cut, Path.unlink])
def test_the_engine_gets_no_damaged_layer(
    damage: Callable[[Path], None], engine: Engine, python_image: str, tmp_path: Path
) -> None:
    image = engine.image(python_image)
    assert image is not None
    base = read_base(engine, python_image, image.id, tmp_path / "cache", QUIET)
    reference = f"imagekit-test/damaged-{os.getpid()}:1"
    cache = LayerCache(tmp_path / "cache" / "layers")
    content = os.urandom(5 << 20)
    harmed: list[Path] = []

    def write(out: BinaryIO) -> WrittenLayer:
        return written({"srv/data": content}, out)

    def attempt() -> Loaded:
        entry = cache.get(KEY) or cache.put(KEY, write)
        if not harmed:
            damage(entry.path)
            harmed.append(entry.path)
        layer = Layer(diff_id=entry.diff_id, size=entry.size, pieces=(entry.whole,), cached=entry.cached)
        config = base.config.extended(
            layers=[(layer.diff_id, History("test"))], settings={}, env={}, labels={}, created=None
        )
        return load_image(engine, config, base, [layer], reference, QUIET)

    try:
        with pytest.raises(DamagedLayer) as caught:
            attempt()
        assert caught.value.paths == (str(harmed[0]),)
        assert engine.image(reference) is None
        assert not [tag for tag in engine.tags(LOADING) if f"-{os.getpid()}-" in tag]
        assert mended(attempt, QUIET).sent > 5 << 20
        found = engine.image(reference)
        assert found is not None
        assert len(found.diff_ids) == len(base.config.diff_ids) + 1
    finally:
        engine.remove_image(reference)
