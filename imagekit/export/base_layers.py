"""A base's layers out of the engine's own archive of it, for an engine that must be sent everything."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.engine.stream import PiecesReader
from imagekit.errors import AssemblyFailed, BaseNotFound
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.digest import Digest
from imagekit.spec.base import BaseImage

_PIECE = 1 << 20


def base_layers(engine: Engine, base: BaseImage, directory: Path) -> tuple[Layer, ...]:
    """The layers of ``base``, the lowest first, unpacked into ``directory``; each is known by its diff ID.

    Raises ``BaseNotFound`` where the engine has it no more, and ``AssemblyFailed``.
    """
    require_base(engine, base)
    found: dict[Digest, Layer] = {}
    with tarfile.open(fileobj=PiecesReader(engine.save(base.image_id)), mode="r|") as archive:
        for number, member in enumerate(archive):
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            path, sha256 = directory / str(number), hashlib.sha256()
            with path.open("wb") as out:
                while piece := content.read(_PIECE):
                    out.write(piece)
                    sha256.update(piece)
            digest = Digest("sha256:" + sha256.hexdigest())
            if digest in base.config.diff_ids:
                pieces = (FileRange(path, 0, member.size),)
                found[digest] = Layer(diff_id=digest, size=member.size, pieces=pieces, cached=True)
            else:
                path.unlink()
    missing = [diff_id for diff_id in base.config.diff_ids if diff_id not in found]
    if missing:
        raise AssemblyFailed(
            f"the engine does not give all layers of {base.reference} ({missing[0]})", hint="pull or make the base anew"
        )
    return tuple(found[diff_id] for diff_id in dict.fromkeys(base.config.diff_ids))


def require_base(engine: Engine, base: BaseImage) -> None:
    """``BaseNotFound`` where the engine does not have ``base`` any more, though it was read."""
    if engine.image(base.image_id) is None:
        raise BaseNotFound(
            f"the engine lost the base image {base.reference} while it was built on",
            hint="pull or make it, and build again; what prunes images may be running beside it",
        )
