"""Credentials in an image that BuildKit built: its configuration and history, and the layers that are not its base's.

Layers are read from the engine where the build had secrets, or where a credential lies in its context: an archive
of an image takes the engine as long as its size, and what was built without either holds public files.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.check.leaks import Leak, leaks_of_config, leaks_of_file, leaks_of_member
from imagekit.errors import DiskFull, EngineError, InputError, InvalidReference
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.secrets.dockerfile_text import instructions
from imagekit.spec.source_tree import scan
from imagekit.stages.saved_archive import members, read_saved

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.secrets.needles import Needles

_SHORT = 16  # bytes of a digest that stand for a file's marks


def image_leaks(
    engine: Engine, image: EngineImage, *, base: EngineImage | None, below: int | None, needles: Needles
) -> list[Leak]:
    """What ``image`` holds in its configuration that ``base`` does not, and in its layers above the lowest ``below``.

    ``below`` ``None``: no layer is read.
    """
    inherited = document_of(engine, base) if base is not None else None
    found = leaks_of_config(document_of(engine, image), inherited, needles)
    if below is not None:
        found += _in_layers(engine.save(image.id), image.diff_ids, below=below, needles=needles)
    return found


def _in_layers(archive: Iterable[bytes], diff_ids: Sequence[Digest], *, below: int, needles: Needles) -> list[Leak]:
    """What the layers of the image in ``archive``, which has ``diff_ids``, hold, but for its lowest ``below``."""
    names = {digest.removeprefix("sha256:") for digest in diff_ids[:below]}

    def read(layer: tarfile.TarFile) -> list[Leak]:
        return [leak for member in members(layer) for leak in leaks_of_member(layer, member, needles)]

    found = read_saved(archive, read, lambda name: not names.isdisjoint(name.split("/"))).layers
    layers = list(zip(diff_ids, found, strict=True))[below:]
    return [leak._replace(layer=diff_id) for diff_id, leaks in layers for leak in leaks or ()]


def leaks_of_image(engine: Engine, reference: str, needles: Needles) -> list[Leak]:
    """What an image of ``engine`` holds, in all of its layers. ``EngineError`` where it is not there."""
    image = engine.image(reference)
    if image is None:
        raise EngineError(f"{reference} is not in the engine", hint=f"build it, or docker pull {reference}")
    return image_leaks(engine, image, base=None, below=0, needles=needles)


def base_of(engine: Engine, image: EngineImage, references: Iterable[str]) -> EngineImage | None:
    """The image, of those that ``references`` name in the engine, on which ``image`` lies; the nearest of them."""
    found: EngineImage | None = None
    for reference in references:
        # A name may also be a stage's.
        with suppress(InvalidReference):
            base = engine.image(str(Reference.parse(reference)))
            height = len(base.diff_ids) if base is not None else 0
            if base is not None and image.diff_ids[:height] == base.diff_ids and base.id != image.id:
                found = base if found is None or height > len(found.diff_ids) else found
    return found


def bases_named(dockerfile: str) -> list[str]:
    """The images that a Dockerfile names in its ``FROM`` lines, where no variable is part of the name."""
    words = [i.text.split() for i in instructions(dockerfile) if i.name == "FROM"]
    named = [next((word for word in line if not word.startswith("--")), "") for line in words]
    return [name for name in named if name and "$" not in name and name != "scratch"]


def suspicious_files(context: Path, dockerignore: Path | None, notes: Path) -> list[Leak]:
    """Files of a build context that hold tokens, whether or not an image gets them.

    What was clean is remembered at ``notes`` by each file's marks (size, times, inode), and not read again.
    """
    try:
        files = [file.path for file in scan(context, dockerignore).files if file.kind == "file"]
    except InputError:
        return []  # BuildKit has its own word on what it cannot send
    clean, now = _read(notes), set()
    found: list[Leak] = []
    for path in files:
        with suppress(OSError):
            mark = _mark(context / path, path)
            leaks = [] if mark in clean else leaks_of_file(path, context / path)
            found += leaks
            if not leaks:
                now.add(mark)
    if not now <= clean or len(clean) > 2 * len(now):
        with suppress(OSError, DiskFull):
            write_whole(notes, b"".join(sorted(now)))
    return found


def _mark(file: Path, path: str) -> bytes:
    status = os.stat(file, follow_symlinks=False)
    marks = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0{status.st_ino}"
    return hashlib.sha256(marks.encode("utf-8", "surrogateescape")).digest()[:_SHORT]


def _read(path: Path) -> set[bytes]:
    try:
        data = path.read_bytes()
    except OSError:
        return set()
    return {data[at : at + _SHORT] for at in range(0, len(data), _SHORT)}


def document_of(engine: Engine, image: EngineImage) -> dict[str, Any]:
    """What an engine tells of the configuration of ``image``: its settings and its history."""
    history = [{"created_by": entry.created_by} for entry in engine.history(image.id)]
    return {"config": dict(image.settings), "history": history}
