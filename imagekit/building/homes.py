"""Which repositories hold blobs that were pushed from here: on the same registry they are mounted, and not sent.

A note for each repository, by the SHA-256 of its name; one that is wrong by now costs nothing: what cannot be
mounted is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.layers.values import read_file
from imagekit.notes import from_note, to_note
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.client import Registry
from imagekit.registry.hosts import home_of
from imagekit.registry.push import push_content
from imagekit.registry.values import Pushed

DIRECTORY = "homes"
_MOST_BLOBS = 4000  # of one repository, the latest
_MOST_HOMES = 8  # repositories of one registry, the latest


def push_remembering(
    images: Sequence[ImageContent], reference: Reference, registry: Registry, reporter: Reporter, cache: Path
) -> Pushed:
    """``registry.push.push_content``, with what earlier pushes from here brought to the same registry."""
    home = home_of(reference)
    known = dict(_known(cache, home))
    pushed = push_content([_at_home(image, known) for image in images], reference, registry, reporter)
    blobs = [blob.descriptor.digest for image in images for blob in (image.config_blob, *image.layers)]
    # What is only remembered must not fail what is done.
    with suppress(OSError, DiskFull):
        before = _read(_path(cache, home))
        _write(_path(cache, home), home, list(dict.fromkeys([*blobs, *(before[1] if before else ())])))
    return pushed


def _known(cache: Path, home: str) -> Iterator[tuple[str, str]]:
    """Digests, and the repository of the same registry that has each; the latest one for each comes last."""
    with suppress(OSError):
        paths = sorted((cache / DIRECTORY).iterdir(), key=lambda path: path.stat().st_mtime)
        host = home.partition("/")[0]
        notes = [note for note in map(_read, paths) if note is not None and note[0].partition("/")[0] == host]
        for place, blobs in [note for note in notes if note[0] != home][-_MOST_HOMES:]:
            yield from ((digest, place) for digest in blobs)


def _at_home(image: ImageContent, known: dict[str, str]) -> ImageContent:
    def told(blob: Blob) -> Blob:
        place = known.get(blob.descriptor.digest)
        return blob if place is None else replace(blob, held_by=(*blob.held_by, place))

    return replace(image, layers=tuple(map(told, image.layers)))


def _read(path: Path) -> tuple[str, list[str]] | None:
    try:
        value = from_note(read_file(path))
        return str(value["home"]), [str(digest) for digest in value["blobs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, home: str, blobs: Sequence[str]) -> None:
    write_whole(path, to_note({"home": home, "blobs": blobs[:_MOST_BLOBS]}))


def _path(cache: Path, home: str) -> Path:
    return cache / DIRECTORY / f"{hashlib.sha256(home.encode()).hexdigest()}.json"
