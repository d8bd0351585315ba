"""An OCI image layout on disk, written so that whoever reads it finds a whole image, old or new.

Blobs are renamed into place when they are complete and right; ``index.json`` follows last.
Writers come one after the other: each holds the lock of the file ``oci-layout``.
Source: image-spec image-layout.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagekit.atomic import UNFINISHED, replacing, write_whole
from imagekit.errors import AssemblyFailed, InputError
from imagekit.export.destination import directory_destination
from imagekit.export.layout_attachments import attached_blobs, with_attachments
from imagekit.export.layout_content import LAYOUT, REF_NAME, LayoutContent, layout_content
from imagekit.layers.values import digest_of_file
from imagekit.oci.artifact import Attachment
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.digest import Digest, canonical_json
from imagekit.oci.manifest import INDEX
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.flock import LocksUnavailable, acquire

_MARKER = "oci-layout"
_INDEX = "index.json"
# For whoever the layout is given to, as other tools have it.
_MODE = 0o644
_PATIENCE = 600.0  # seconds for which another writer is waited for


def write_layout(
    images: Sequence[ImageContent],
    directory: Path,
    name: str | None,
    *,
    verify: bool = False,
    reporter: Reporter | None = None,
    patience: float = _PATIENCE,
    attachments: Sequence[Attachment] = (),
) -> Digest:
    """Put ``images`` (one a platform) into the layout at ``directory``, made where it is missing, as ``name``.

    The digest is that of the manifest, or of the index of several. Other images stay; one that had the name
    loses it. Blobs that are there are not written again: they count by their size, with ``verify`` by their
    content. ``attachments`` are documents about ``images``: entries of their own, without a name.
    Raises ``InputError``, ``InvalidReference``, ``DiskFull``, and what reading a blob raises.
    """
    content = layout_content(images, name)
    reporter = reporter or SilentReporter()
    place = directory_destination(directory)
    _refuse_foreign(place)
    with _only_writer(place, reporter, patience):
        _mark(place)
        index = _read_index(place)
        blobs = place / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        _sweep(place, blobs)
        wanted = (*content.blobs, *attached_blobs(attachments))
        missing = [blob for blob in wanted if not _is_there(blob, blobs, verify)]
        total = sum(blob.descriptor.size for blob in missing)
        with reporter.task(f"writing {directory}", total=total, unit="B") as task:
            for blob in missing:
                with replacing(_path(blob, blobs), mode=_MODE) as out:
                    for chunk in verified(blob):
                        out.write(chunk)
                        task.advance(len(chunk))
        entries = with_attachments(place, _with_entry(index["manifests"], content, name), attachments)
        updated = {**index, "manifests": entries}
        if updated != index or not (place / _INDEX).exists():
            write_whole(place / _INDEX, canonical_json(updated), mode=_MODE)
    return content.top.digest


def verified(blob: Blob) -> Iterator[bytes]:
    """The bytes of ``blob``; ``AssemblyFailed`` before the last of them where they are not those of its digest."""
    sha256, size, held = hashlib.sha256(), 0, b""
    for chunk in blob.content.chunks():
        if held:
            yield held
        sha256.update(chunk)
        size, held = size + len(chunk), chunk
    descriptor = blob.descriptor
    if (size, "sha256:" + sha256.hexdigest()) != (descriptor.size, descriptor.digest):
        raise AssemblyFailed(f"the blob {descriptor.digest} came as other bytes", hint="build again")
    yield held


def _is_there(blob: Blob, blobs: Path, verify: bool) -> bool:
    path = _path(blob, blobs)
    if path.is_dir():
        raise InputError(f"{path} is a directory", hint="it should be a file: remove it")
    try:
        return path.stat().st_size == blob.descriptor.size and (
            not verify or digest_of_file(path) == blob.descriptor.digest
        )
    except OSError:
        return False


def _path(blob: Blob, blobs: Path) -> Path:
    return blobs / blob.descriptor.digest.removeprefix("sha256:")


def _with_entry(manifests: list[Any], content: LayoutContent, name: str | None) -> list[Any]:
    """The entries of index.json with that of ``content``: in the place of the one that has the name, or at the end."""
    if name is None and any(_digest_in(entry) == content.top.digest for entry in manifests):
        return manifests
    kept: list[Any] = []
    written = False
    for entry in manifests:
        if name is not None and _name_in(entry) == name:
            if not written:
                kept.append(dict(content.entry))
                written = True
        elif name is None or _name_in(entry) is not None or _digest_in(entry) != content.top.digest:
            # An entry of the same content without a name is this one, which now has a name.
            kept.append(entry)
    return kept if written else [*kept, dict(content.entry)]


def _name_in(entry: Any) -> object:
    annotations = entry.get("annotations") if isinstance(entry, Mapping) else None
    return annotations.get(REF_NAME) if isinstance(annotations, Mapping) else None


def _digest_in(entry: Any) -> object:
    return entry.get("digest") if isinstance(entry, Mapping) else None


def _refuse_foreign(place: Path) -> None:
    marker = place / _MARKER
    if not marker.exists():
        # Another writer may just have begun.
        if any(entry.name != _MARKER for entry in place.iterdir()) and not marker.exists():
            raise InputError(
                f"{place} is not empty, and no OCI layout", hint="name a directory that is new, or empty, or a layout"
            )
        return
    try:
        data = marker.read_bytes()
        # Empty where a writer was killed in its very first moment.
        version = json.loads(data)["imageLayoutVersion"] if data else LAYOUT["imageLayoutVersion"]
    except (OSError, ValueError, KeyError, TypeError):
        version = "unknown"
    if not str(version).startswith("1."):
        raise InputError(f"{place} is an OCI layout of version {version}", hint="name another directory")


def _read_index(place: Path) -> dict[str, Any]:
    try:
        index = json.loads((place / _INDEX).read_bytes())
    except FileNotFoundError:
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    except (OSError, ValueError):
        index = None
    if not isinstance(index, dict) or not isinstance(index.get("manifests"), list):
        raise InputError(f"{place / _INDEX} is no image index", hint=f"write to another directory, or remove {place}")
    return index


def _mark(place: Path) -> None:
    marker = place / _MARKER
    if not marker.exists() or not marker.stat().st_size:
        # In place: it is the lock of those who wait for it.
        marker.write_bytes(canonical_json(LAYOUT))
        marker.chmod(_MODE)


def _sweep(place: Path, blobs: Path) -> None:
    """Remove what killed writers left: there is no other writer now."""
    for path in (*place.glob(f"{UNFINISHED}*"), *blobs.glob(f"{UNFINISHED}*")):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def _only_writer(place: Path, reporter: Reporter, patience: float) -> Iterator[None]:
    held = None
    try:
        held = acquire(place / _MARKER)
        if held is None:
            reporter.line(f"another process is writing to {place}; waiting for it")
            begun = time.monotonic()
            held = acquire(place / _MARKER, seconds=patience)
            if held is None:
                raise InputError(
                    f"another process has been writing to {place} for {time.monotonic() - begun:.0f} seconds",
                    hint="end it, or write to another directory",
                )
    except LocksUnavailable:
        reporter.line(f"{place} has no locks: nobody else must write to it now")
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or place} cannot be written: {error.strerror}", hint="write to another directory"
        ) from error
    finally:
        if held is not None:
            os.close(held)
