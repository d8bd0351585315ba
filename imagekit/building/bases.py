"""Base images from Debian packages: ``stages`` makes them, ``export`` puts them into an engine or a layout."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagekit.atomic import rewrite
from imagekit.engine.client import Engine
from imagekit.errors import BaseBuildFailed, BaseNotFound, EngineError, InputError
from imagekit.export.engine_load import load_image
from imagekit.export.layout import write_layout
from imagekit.layers.blobs import BlobCache
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter
from imagekit.stages.base_ensure import EnsuredBase, ensure_base
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base
from imagekit.stages.debian_lock import DebianLock
from imagekit.stages.declared import SLIM

# Bases out of layouts, each under a tag that its content says.
LAID_OUT = "imagekit/laid-out"
_PIECE = 1 << 20
_NAME_LOCK = "name a file: --lock debian.lock.toml"


def make(
    engine: Engine,
    python: str,
    cache: Path,
    reporter: Reporter,
    *,
    lock_file: Path | None = None,
    variant: str = SLIM,
) -> EnsuredBase:
    """A base image with ``python``, made from Debian packages; see ``pipeline.Pipeline.base``."""
    base = DebianBase(python=python, variant=variant)
    rootfs = _made(base, cache, reporter, lock_file)
    _load(engine, rootfs, base.reference, reporter)
    return EnsuredBase(reference=base.reference, how="made")


def lay_out(
    python: str,
    platforms: Sequence[Platform],
    directory: Path,
    cache: Path,
    reporter: Reporter,
    *,
    lock_file: Path | None = None,
    variant: str = SLIM,
) -> tuple[str, Digest]:
    """Base images with ``python`` for ``platforms``, written to the OCI layout ``directory``; no engine is needed.

    Their name in it, and the digest of the manifest, or of the index of several. Each is made from Debian
    packages, those for another processor without running any of them.
    """
    bases = [DebianBase(python=python, platform=platform, variant=variant) for platform in platforms]
    if lock_file is not None and len(bases) > 1:
        raise InputError(
            "a lock is of one platform's packages",
            hint="give --platform one platform at a time, each with its own --lock FILE",
        )
    blobs = BlobCache(cache / "blobs")
    images = []
    with ThreadPoolExecutor(thread_name_prefix="imagekit-compress") as pool:
        for base in bases:
            rootfs = _made(base, cache, reporter, lock_file)
            with reporter.task(
                f"compressing {base.reference} for {base.platform}", total=rootfs.size, unit="B"
            ) as task:
                blob = blobs.gzip(_layer(rootfs), pool=pool, advance=task.advance)
            images.append(ImageContent(config=rootfs.config, layers=(blob,)))
    return bases[0].reference, write_layout(images, directory, bases[0].reference, reporter=reporter)


def load_base(engine: Engine, content: ImageContent, reference: str, reporter: Reporter) -> tuple[str, str]:
    """Give ``engine`` the base image ``content``, unless it has it; its name there, which its content says, and its ID.

    Raises ``BaseUnusable`` for layers that are not what their digests say.
    """
    from imagekit.stages.layer_stream import layer_tar

    name = f"{LAID_OUT}:{content.config.digest.removeprefix('sha256:')[:16]}"
    known = engine.image(name)
    if known is not None and known.diff_ids == content.config.diff_ids:
        return name, known.id
    with tempfile.TemporaryDirectory(prefix="imagekit-base-") as directory:
        layers = []
        with reporter.task(f"unpacking {reference}"):
            for number, (blob, diff_id) in enumerate(zip(content.layers, content.config.diff_ids, strict=True)):
                path = Path(directory, str(number))
                with layer_tar(blob, diff_id, reference) as archive, path.open("wb") as out:
                    shutil.copyfileobj(archive, out, _PIECE)
                size = path.stat().st_size
                layers.append(Layer(diff_id=diff_id, size=size, pieces=(FileRange(path, 0, size),), cached=True))
        return name, load_image(engine, content.config, None, layers, name, reporter).image_id


def _made(base: DebianBase, cache: Path, reporter: Reporter, lock_file: Path | None) -> DebianRootfs:
    """The base made from the packages that ``lock_file`` names, or from the newest, which are then written there."""
    lock = None if lock_file is None else _read_lock(lock_file)
    if lock is not None and lock.python != base.python:
        raise BaseBuildFailed(
            f"{lock_file} locks Python {lock.python}, and {base.python} is asked for",
            hint=f"name another file, or remove {lock_file}: then it is locked anew",
        )
    rootfs = build_base(base, cache=cache, lock=lock, reporter=reporter)
    if lock_file is not None and lock is None:
        rewrite(lock_file, rootfs.lock.to_bytes(), InputError, hint=_NAME_LOCK)
    return rootfs


def _read_lock(file: Path) -> DebianLock | None:
    """What ``file`` locks; ``None`` where it is not there. That it can be written is seen before minutes of work."""
    try:
        return DebianLock.from_bytes(file.read_bytes(), file)
    except FileNotFoundError:
        above = next(each for each in file.resolve().parents if each.exists())
        if above.is_dir() and os.access(above, os.W_OK):
            return None
        raise InputError(f"{file} cannot be written: {above} cannot be written to", hint=_NAME_LOCK) from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", hint=_NAME_LOCK) from None


def ensure(engine: Engine, python: str, cache: Path, reporter: Reporter, *, variant: str = SLIM) -> EnsuredBase:
    """A base image with ``python`` in ``engine``: found, pulled, or made from Debian packages."""
    return ensure_base(
        python,
        cache=cache,
        exists=lambda reference: engine.image(reference) is not None,
        pull=lambda reference, patience: _pulled(engine, reference, patience),
        load=lambda rootfs, reference: _load(engine, rootfs, reference, reporter),
        variant=variant,
        reporter=reporter,
    )


def _load(engine: Engine, rootfs: DebianRootfs, reference: str, reporter: Reporter) -> None:
    load_image(engine, rootfs.config, None, [_layer(rootfs)], reference, reporter)


def _layer(rootfs: DebianRootfs) -> Layer:
    whole = FileRange(rootfs.tar, 0, rootfs.size)
    return Layer(diff_id=rootfs.diff_id, size=rootfs.size, pieces=(whole,), cached=True)


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
