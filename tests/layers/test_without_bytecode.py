"""Layers that were made where nothing could compile are not those of who can."""

from __future__ import annotations

from pathlib import Path

from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.progress import SilentReporter

from .plans import CompilesNothing, plan_of, small_wheels


def test_a_layer_without_bytecode_is_kept_apart(tmp_path: Path) -> None:
    (path,) = small_wheels(tmp_path, 1)
    cache = LayerCache(tmp_path / "cache")
    plan = plan_of([path])

    def make(compiler: CompilesNothing | None) -> bool | None:
        """Whether the layer was there before; ``None`` where the wheel was not even asked for."""
        with LayerMaker(plan, cache) as maker:
            missing = maker.missing_wheels()
            for wheel in missing:
                maker.add_wheel(wheel, path, compiler)
            (layer,) = list(maker.in_order(None, SilentReporter()))
            return layer.cached if missing else None

    assert make(None) is False
    assert make(None) is True
    assert make(CompilesNothing()) is False
    assert make(CompilesNothing()) is None
