"""Base images for an engine: ``stages`` makes them, ``export`` puts them into the engine."""

from __future__ import annotations

import threading
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.errors import BaseNotFound, EngineError
from imagekit.export.engine_load import load_image
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter
from imagekit.stages.base_ensure import EnsuredBase, ensure_base
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base


def ensure(engine: Engine, python: str, cache: Path, reporter: Reporter, *, remake: bool = False) -> EnsuredBase:
    """A base image with ``python`` in ``engine``; ``remake`` makes it from Debian packages in any case."""

    def load(rootfs: DebianRootfs, reference: str) -> None:
        layer = Layer(
            diff_id=rootfs.diff_id, size=rootfs.size, pieces=(FileRange(rootfs.tar, 0, rootfs.size),), cached=True
        )
        load_image(engine, rootfs.config, None, [layer], reference, reporter)

    if remake:
        base = DebianBase(python=python)
        load(build_base(base, cache=cache, reporter=reporter), base.reference)
        return EnsuredBase(reference=base.reference, how="made")
    return ensure_base(
        python,
        cache=cache,
        exists=lambda reference: engine.image(reference) is not None,
        pull=lambda reference, patience: _pulled(engine, reference, patience),
        load=load,
        reporter=reporter,
    )


def _pulled(engine: Engine, reference: str, patience: float) -> bool:
    """Whether ``reference`` could be pulled; given up when the registry says nothing for ``patience`` seconds."""
    ended = threading.Event()
    heard = threading.Event()
    outcome: list[bool] = []

    def work() -> None:
        try:
            engine.pull(reference, Platform.host(), on_event=heard.set)
            outcome.append(True)
        except (BaseNotFound, EngineError):
            outcome.append(False)
        finally:
            ended.set()
            heard.set()

    threading.Thread(target=work, name="imagekit-pull", daemon=True).start()
    while not ended.is_set():
        if not heard.wait(patience):
            return False
        heard.clear()
        ended.wait(0.2)
    return outcome == [True]
