"""Base images for an engine: ``stages`` makes them, ``export`` puts them into the engine."""

from __future__ import annotations

import threading
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.errors import BaseBuildFailed, BaseNotFound, EngineError
from imagekit.export.engine_load import load_image
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter
from imagekit.stages.base_ensure import EnsuredBase, ensure_base
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base
from imagekit.stages.debian_lock import DebianLock


def make(engine: Engine, python: str, cache: Path, reporter: Reporter, *, lock_file: Path | None = None) -> EnsuredBase:
    """A base image with ``python``, made from Debian packages; see ``pipeline.Pipeline.base``."""
    base = DebianBase(python=python)
    lock = None
    if lock_file is not None and lock_file.exists():
        lock = DebianLock.from_bytes(lock_file.read_bytes())
        if lock.python != python:
            raise BaseBuildFailed(f"{lock_file} locks Python {lock.python}, and {python} is asked for")
    rootfs = build_base(base, cache=cache, lock=lock, reporter=reporter)
    if lock_file is not None and lock is None:
        lock_file.write_bytes(rootfs.lock.to_bytes())
    _load(engine, rootfs, base.reference, reporter)
    return EnsuredBase(reference=base.reference, how="made")


def ensure(engine: Engine, python: str, cache: Path, reporter: Reporter) -> EnsuredBase:
    """A base image with ``python`` in ``engine``: found, pulled, or made from Debian packages."""
    return ensure_base(
        python,
        cache=cache,
        exists=lambda reference: engine.image(reference) is not None,
        pull=lambda reference, patience: _pulled(engine, reference, patience),
        load=lambda rootfs, reference: _load(engine, rootfs, reference, reporter),
        reporter=reporter,
    )


def _load(engine: Engine, rootfs: DebianRootfs, reference: str, reporter: Reporter) -> None:
    whole = FileRange(rootfs.tar, 0, rootfs.size)
    layer = Layer(diff_id=rootfs.diff_id, size=rootfs.size, pieces=(whole,), cached=True)
    load_image(engine, rootfs.config, None, [layer], reference, reporter)


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
