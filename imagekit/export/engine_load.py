"""Assembling an image in an engine: a thin load, accepted only when the image works.

What an engine holds is asked each time and never remembered. On the containerd store a load
with a blob missing ends well and leaves an image that cannot run; so the image is loaded
under a name of its own, must have the layers that were meant and let a container be made of
it, and only then gets its tag. Otherwise everything is loaded once more, and whole.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec, is_abandoned, owner
from imagekit.errors import AssemblyFailed, DiskFull, EngineError, EngineLost, EngineTimeout
from imagekit.export.archives import docker_archive, image_manifest, oci_archive
from imagekit.export.base_layers import base_layers
from imagekit.export.presence import Relatives, held
from imagekit.export.replaced import let_go
from imagekit.layers.values import Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import Descriptor
from imagekit.progress import Reporter, Task
from imagekit.spec.base import BaseImage

# A temporary name, in no registry and seen by nobody for longer than a load takes.
LOADING = "imagekit/loading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An image that an engine holds and that was seen to work."""

    image_id: str
    sent: int  # bytes of layers that the engine lacked
    up_to_date: bool  # the engine had it, tag and all


def expected_id(engine: Engine, config: ImageConfig, base: BaseImage | None, layers: Sequence[Layer]) -> str:
    """The ID that the image has in ``engine``: the config's digest, or the manifest's on the containerd store."""
    if engine.info.containerd_store:
        return image_manifest(config, _layers_of(base), layers).descriptor.digest
    return config.digest


def load_image(
    engine: Engine,
    config: ImageConfig,
    base: BaseImage | None,
    layers: Sequence[Layer],
    reference: str,
    reporter: Reporter,
    *,
    ahead: Sequence[str] = (),
    accept: Callable[[str], object] = lambda image_id: None,
) -> Loaded:
    """Make ``reference`` (``name:tag``) name the image of ``config`` and ``layers`` on ``base`` (``None``: on nothing).

    ``ahead`` are names of images of its lowest layers (``load_ahead``). The tag moves once the image is whole
    and ``accept``, called with its ID, did not raise; what becomes of an image that the tag leaves without a name
    is in ``replaced``.
    Raises ``AssemblyFailed`` or ``DiskFull``, and what ``accept`` raises.
    """
    image_id = expected_id(engine, config, base, layers)
    previous = engine.image(reference)
    named = previous is not None and previous.id == image_id
    # The classic store loses no layer of an image that it has; the containerd store may have lost a blob.
    if named and (not engine.info.containerd_store or works(engine, image_id, config.diff_ids)):
        accept(image_id)
        return Loaded(image_id=image_id, sent=0, up_to_date=True)
    sent = 0
    if not named and engine.image(image_id) is not None and works(engine, image_id, config.diff_ids):
        accept(image_id)
        engine.tag(image_id, reference)
    else:

        def take(image_id: str) -> None:
            accept(image_id)
            engine.tag(image_id, reference)

        sent = _send(engine, config, base, layers, [*reversed(ahead), reference], reporter, take)
    if previous is not None and previous.id != image_id:
        let_go(engine, previous.id, config.diff_ids)
    return Loaded(image_id=image_id, sent=sent, up_to_date=False)


def _send(
    engine: Engine,
    config: ImageConfig,
    base: BaseImage | None,
    layers: Sequence[Layer],
    names: Sequence[str],
    reporter: Reporter,
    take: Callable[[str], object],
) -> int:
    """Load what the engine lacks, and everything if that does not do; the bytes of the layers sent."""
    present = present_layers(engine, config, layers, Relatives(engine, names))
    if engine.info.is_docker and _load(engine, config, base, layers, present, reporter, take):
        return sum(layer.size for layer in layers if layer.diff_id not in present)
    if engine.info.is_docker and present:
        reporter.line("the engine lacks layers that it named; sending all")
        if _load(engine, config, base, layers, frozenset(), reporter, take):
            return sum(layer.size for layer in layers)
    if not engine.info.containerd_store:
        # Other engines take no thin archives, and a Docker Engine may have lost a layer of the base.
        with tempfile.TemporaryDirectory(prefix="imagekit-base-") as directory:
            below = base_layers(engine, base, Path(directory)) if base is not None else ()
            if _load(engine, config, base, layers, frozenset(), reporter, take, below=below):
                return sum(layer.size for layer in layers)
    raise AssemblyFailed(
        "the engine loads the image, and cannot make a container of it",
        hint="imagekit doctor looks at the engine; docker system df at its disk",
    )


def present_layers(
    engine: Engine, config: ImageConfig, layers: Sequence[Layer], relatives: Relatives
) -> frozenset[Digest]:
    """Diff IDs of ``layers``, the uppermost of ``config``, that the engine holds in one of ``relatives``."""
    diff_ids = [layer.diff_id for layer in layers]
    below = config.diff_ids[: len(config.diff_ids) - len(layers)]
    new = {layer.diff_id for layer in layers if not layer.cached}
    there = held(engine, below, diff_ids, relatives, new=new)
    return frozenset(diff_id for diff_id, is_there in zip(diff_ids, there, strict=True) if is_there)


def _load(
    engine: Engine,
    config: ImageConfig,
    base: BaseImage | None,
    layers: Sequence[Layer],
    present: frozenset[Digest],
    reporter: Reporter,
    take: Callable[[str], object],
    *,
    below: Sequence[Layer] = (),
) -> bool:
    """Whether the image was loaded and works; then ``take`` was called with its ID.

    ``below`` are the base's layers, where they are to be sent too.
    """
    name = loading_name()
    size = sum(layer.size for layer in layers if layer.diff_id not in present)
    image_id = expected_id(engine, config, base, layers)
    try:
        with _refusals() as refused, reporter.task("loading into the engine", total=size, unit="B") as task:
            engine.load(_counted(archive_of(engine, config, base, layers, present, name, below=below), task))
        is_whole = not refused and works(engine, image_id, config.diff_ids)
        if is_whole:
            take(image_id)
        return is_whole
    finally:
        engine.remove_image(name)


def sweep_loading(engine: Engine) -> None:
    """Remove temporary names whose process is gone: its load may have ended after it was killed."""
    for name in engine.tags(LOADING):
        host, pid, start, _ = (name.rpartition(":")[2].split("-") + [""] * 4)[:4]
        if is_abandoned(host, pid, start):
            engine.remove_image(name)


def loading_name() -> str:
    """A temporary name of this process's own."""
    return f"{LOADING}:{owner().replace(':', '-')}-{secrets.token_hex(4)}"


def archive_of(
    engine: Engine,
    config: ImageConfig,
    base: BaseImage | None,
    layers: Sequence[Layer],
    present: Collection[Digest],
    name: str,
    *,
    below: Sequence[Layer] = (),
) -> Iterator[bytes]:
    """What ``engine`` loads, without the layers in ``present``; ``below`` are the base's, where it lacks them."""
    if engine.info.containerd_store:
        return oci_archive(config, _layers_of(base), layers, present, f"docker.io/{name}")
    return docker_archive(config, [*below, *layers], present, name)


def works(engine: Engine, image_id: str, diff_ids: Sequence[Digest]) -> bool:
    """Whether the engine has the layers that were meant, and makes a container of them."""
    image = engine.image(image_id)
    if image is None or image.diff_ids != tuple(diff_ids):
        return False
    with _refusals() as refused:
        Container.create(
            engine, ContainerSpec(image=image_id, command=["true"], kind="verify", network="none")
        ).remove()
    return not refused


def _layers_of(base: BaseImage | None) -> tuple[Descriptor, ...]:
    return base.layers if base is not None else ()


@contextlib.contextmanager
def _refusals() -> Iterator[list[str]]:
    """The engine's refusals as a list, so that they can be answered by sending more."""
    refused: list[str] = []
    try:
        yield refused
    except (EngineLost, EngineTimeout, DiskFull):
        raise
    except EngineError as error:
        refused.append(error.message)


def _counted(chunks: Iterator[bytes], task: Task) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        task.advance(len(chunk))
