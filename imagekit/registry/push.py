"""Pushing images to a registry with only what it lacks, and checking that they arrived.

The order keeps a tag on a whole image at every moment: blobs, then a look at each of them, then the
manifests by their digests, read back, and only then the tag.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from imagekit.errors import PushError, RegistryError
from imagekit.oci.content import Blob, ImageContent, index_bytes
from imagekit.oci.digest import Digest, digest_of, is_digest, short
from imagekit.oci.manifest import INDEX, MANIFEST, Descriptor
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.auth import Scope
from imagekit.registry.client import HeldManifest, Registry
from imagekit.registry.hosts import canonical_host, repository_of
from imagekit.registry.retry import Stopped
from imagekit.registry.upload import Upload
from imagekit.registry.values import Pushed

_NEAR, _MIDDLE, _FAR = 4, 12, 32  # small requests at a time, by the distance
_UPLOADS = 4  # blobs sent at a time
# Where a blob is no larger, asking first costs more than opening an upload that may not be needed.
_ASKED_FIRST = 1 << 20
_MOST_PLATFORMS = 16  # of the image at the tag that are looked at
_LOOKS = 3  # at a blob or tag that was acknowledged and is not seen


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or index to be written."""

    digest: Digest
    media_type: str
    data: bytes

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Document:
        return cls(digest_of(data), media_type, data)


def push_content(
    images: Sequence[ImageContent], reference: Reference, registry: Registry, reporter: Reporter
) -> Pushed:
    """Write ``images``, one a platform, under ``reference``'s tag: one manifest, or an index of several.

    As ``push_written``.
    """
    return push_written(_blobs(images), _documents(images), reference, registry, reporter)


def push_written(
    blobs: Sequence[Blob], documents: Sequence[Document], reference: Reference, registry: Registry, reporter: Reporter
) -> Pushed:
    """Write ``blobs``, and ``documents`` byte for byte, those that others name first; the tag names the last one.

    ``registry`` is the reference's own; after a failure it is closed. Where the tag has that very digest, a
    look at each blob is all. Raises ``AuthError`` or ``PushError``; the tag is then what it was.
    """
    began = time.monotonic()
    try:
        with reporter.task(f"pushing {reference}", sum(b.descriptor.size for b in blobs), "B") as task:
            push = _Push(blobs, documents, reference, registry, task.advance, task.note)
            is_there = push.run()
    except Stopped:
        raise PushError(f"{reference} could not be pushed: the work was called off", hint="push it again") from None
    except RegistryError as error:
        if type(error) is not RegistryError:
            raise
        raise PushError(
            f"{reference} could not be pushed: {error.message}", hint=error.hint, details=error.details
        ) from error
    top = push.documents[-1]
    if is_there:
        reporter.line(f"{reference}: already there, skipped")
    return Pushed(
        reference=str(reference),
        digest=top.digest,
        size=len(top.data),
        seconds=time.monotonic() - began,
        sent=push.sent,
        uploaded=push.uploaded,
        mounted=push.mounted,
        skipped=len(push.blobs) - push.uploaded - push.mounted,
    )


class _Push:
    def __init__(
        self,
        blobs: Sequence[Blob],
        documents: Sequence[Document],
        reference: Reference,
        registry: Registry,
        advance: Callable[[int], None],
        note: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._repository = repository_of(reference)
        self._tag = reference.tag or "latest"
        self._advance = advance
        self._note = note
        self.blobs = tuple(blobs)
        self.documents = tuple(documents)  # the last is the tag's
        self._lock = threading.Lock()
        self._lost: frozenset[Digest] = frozenset()  # blobs that cannot be read, whatever a HEAD says
        self._checked: list[Future[None]] = []
        self._uploads: list[Future[None]] = []
        self._arrived: list[Descriptor] = []  # those that were not there before
        self.sent = 0
        self.mounted = 0

    @property
    def uploaded(self) -> int:
        return len(self._arrived) - self.mounted

    def run(self) -> bool:
        """Whether nothing was to be done."""
        sources = {source for blob in self.blobs if (source := self._source(blob)) is not None}
        self._registry.signer.expect(
            frozenset({Scope(self._repository, ("pull", "push"))}),
            frozenset(Scope(source, ("pull",)) for source in sources),
        )
        top = self.documents[-1]
        held = self._registry.manifest(self._repository, self._tag)
        checks = ThreadPoolExecutor(_checks_at_once(self._registry.round_trip), thread_name_prefix="registry-check")
        uploads = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="registry-upload")
        try:
            if held is not None and held.digest == top.digest and self._is_whole(checks):
                return True
            self._bring(checks, uploads, self._named_by(held, checks))
            self._registry.put_manifest(self._repository, self._tag, top.data, top.media_type)
            at_tag = checks.submit(self._look_at_tag, top, held)
            _all([at_tag, *(checks.submit(self._look, blob, by_reading=True) for blob in self._arrived)])
        except Stopped:
            # Something failed, and so the rest was called off: that is the reason.
            self._registry.close()
            _all([*self._checked, *self._uploads], each=True)
            raise
        except BaseException:
            # Also for an interrupt.
            self._registry.close()
            raise
        finally:
            checks.shutdown(wait=True, cancel_futures=True)
            uploads.shutdown(wait=True, cancel_futures=True)
        return False

    def _is_whole(self, checks: ThreadPoolExecutor) -> bool:
        """Whether all that the tag's manifest names can be read: storage may have lost some of it."""
        children = [checks.submit(self._registry.manifest, self._repository, d.digest) for d in self.documents[:-1]]
        # HEAD may be answered by a cache that has not heard of it, and takes no less time.
        ends = [checks.submit(self._registry.gives_end, self._repository, blob.descriptor) for blob in self.blobs]
        _all([*children, *ends])
        found = zip(self.blobs, ends, strict=True)
        self._lost = frozenset(blob.descriptor.digest for blob, end in found if not end.result())
        return not self._lost and all(child.result() is not None for child in children)

    def _bring(self, checks: ThreadPoolExecutor, uploads: ThreadPoolExecutor, named: frozenset[Digest]) -> None:
        """Have every blob and manifest in the repository, and have seen each of them there.

        While what was there before is looked at, the rest goes its way up to the manifests.
        """
        queue = sorted(self.blobs, key=lambda blob: -blob.descriptor.size)
        unknown = [b for b in queue if b.descriptor.digest not in named]
        first = [checks.submit(self._check, blob, False, uploads) for blob in unknown]
        others = [checks.submit(self._check, b, True, uploads) for b in queue if b.descriptor.digest in named]
        self._checked = [*first, *others]
        _all(first)
        _all(self._uploads)
        seen = self._see([blob for blob in self._arrived if blob.digest not in named], uploads)
        _all(others)
        _all(self._uploads)
        if any(blob.digest in named for blob in self._arrived):
            # Something was gone that the last manifest names, and the registry may have refused ours for it.
            wait(seen)
            seen = self._see(self._arrived, uploads)
        # Each to its end: a blob that is lost says more than a manifest that is refused for it.
        _all(seen, each=True)

    def _see(self, arrived: Sequence[Descriptor], pool: ThreadPoolExecutor) -> list[Future[None]]:
        """Look at the blobs that came, and write the manifests by their digests."""
        looks = [pool.submit(self._look, blob) for blob in arrived]
        return [*looks, pool.submit(self._write_all)]

    def _write_all(self) -> None:
        for document in self.documents:
            self._write(document)

    def _check(self, blob: Blob, is_named: bool, uploads: ThreadPoolExecutor) -> None:
        """Find ``blob`` in the repository, or in another one of the registry, or have it sent."""
        upload = Upload(self._registry, self._repository, blob, advance=self._advance)
        found = blob.descriptor
        source = self._source(blob)
        if found.digest in self._lost:
            is_there, is_mounted = False, False
        elif is_named:
            # What the last manifest names is there; where it is not, that is mended.
            is_there, is_mounted = self._registry.holds(self._repository, found), False
        elif source is not None:
            is_mounted = upload.mount(source)
            is_there = is_mounted or (found.size > _ASKED_FIRST and self._registry.holds(self._repository, found))
        elif found.size > _ASKED_FIRST:
            is_there, is_mounted = self._registry.holds(self._repository, found), False
        else:
            is_there, is_mounted = upload.mount(self._repository), False
        if is_there:
            self._advance(found.size)
        with self._lock:
            if is_mounted or not is_there:
                self._arrived.append(found)
            self.mounted += is_mounted
            if not is_there and found.size > _ASKED_FIRST:
                self._uploads.append(uploads.submit(self._send, upload))
        if not is_there and found.size <= _ASKED_FIRST:
            # Round trips are all it takes, and here more of them are made at a time.
            self._send(upload)

    def _send(self, upload: Upload) -> None:
        self._note(short(upload.blob.descriptor.digest))
        try:
            upload.send()
        except BaseException:
            # Nobody is to wait for the others.
            self._registry.close()
            raise
        finally:
            with self._lock:
                self.sent += upload.sent

    def _look(self, blob: Descriptor, *, by_reading: bool = False) -> None:
        """See that a blob which was acknowledged is there: its size, or that its last byte can be read."""
        look = self._registry.gives_end if by_reading else self._registry.holds
        for number in range(_LOOKS):
            if look(self._repository, blob):
                return
            self._registry.retries.pause(self._registry.patience.first_pause * 2**number)
        raise PushError(
            f"{self._registry.name} acknowledged the blob {blob.digest} in {self._repository}, and does not have it",
            hint="push again; where it is lost again, the registry's storage is full or damaged",
        )

    def _write(self, document: Document) -> None:
        """Write a manifest by its digest, and read it back."""
        self._registry.put_manifest(self._repository, document.digest, document.data, document.media_type)
        for number in range(_LOOKS):
            # Its digest is verified as it is read.
            if self._registry.manifest(self._repository, document.digest) is not None:
                return
            self._registry.retries.pause(self._registry.patience.first_pause * 2**number)
        raise PushError(
            f"{self._registry.name} acknowledged the manifest {document.digest}, and does not have it",
            hint="push again; where it is lost again, the registry's storage is full or damaged",
        )

    def _look_at_tag(self, top: Document, before: HeldManifest | None) -> None:
        for number in range(_LOOKS):
            now = self._registry.manifest_digest(self._repository, self._tag)
            # Another digest than both: somebody else has pushed meanwhile, and theirs is whole, too.
            if now is not None and (before is None or now != before.digest or now == top.digest):
                return
            self._registry.retries.pause(self._registry.patience.first_pause * 2**number)
        raise PushError(
            f"{self._registry.name} acknowledged the tag {self._tag} of {self._repository}, and did not move it",
            hint="push again; some registries let no tag be moved",
            details=f"its manifest is there as {top.digest}",
        )

    def _source(self, blob: Blob) -> str | None:
        """The repository on this registry to mount ``blob`` from."""
        for place in blob.held_by:
            host, _, repository = place.partition("/")
            if canonical_host(host) != self._registry.name or repository in ("", self._repository):
                continue
            if repository not in self._registry.closed_sources:
                return repository
        return None

    def _named_by(self, held: HeldManifest | None, checks: ThreadPoolExecutor) -> frozenset[Digest]:
        """The blobs that what is at the tag names."""
        if held is None:
            return frozenset()
        entries = _listed(held, "manifests")
        if not entries:
            return frozenset(_blobs_in(held))
        children = [str(entry.get("digest")) for entry in entries if is_digest(str(entry.get("digest")))]
        futures = [
            checks.submit(self._registry.manifest, self._repository, child) for child in children[:_MOST_PLATFORMS]
        ]
        _all(futures)
        return frozenset(d for future in futures if (found := future.result()) is not None for d in _blobs_in(found))


def _checks_at_once(round_trip: float) -> int:
    """How many small requests: nearby, more would only be in each other's way; far away, each waits."""
    return _NEAR if round_trip < 0.005 else _MIDDLE if round_trip < 0.02 else _FAR


def _all(futures: Sequence[Future[Any]], *, each: bool = False) -> None:
    """Wait until all are done, or (but for ``each``) one failed; the first's error is raised."""
    done, _ = wait(futures, return_when=ALL_COMPLETED if each else FIRST_EXCEPTION)
    errors = [error for future in futures if future in done and (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, Stopped):
            raise error
    if errors:
        raise errors[0]


def _blobs(images: Sequence[ImageContent]) -> tuple[Blob, ...]:
    """Each blob of ``images`` once."""
    found: dict[Digest, Blob] = {}
    for image in images:
        for blob in (image.config_blob, *image.layers):
            found.setdefault(blob.descriptor.digest, blob)
    return tuple(found.values())


def _documents(images: Sequence[ImageContent]) -> tuple[Document, ...]:
    manifests = tuple(Document.of(image.manifest.to_bytes(), MANIFEST) for image in images)
    if len(images) == 1:
        return manifests
    entries = [(image.manifest.descriptor, image.config.platform) for image in images]
    return (*manifests, Document.of(index_bytes(entries), INDEX))


def _blobs_in(held: HeldManifest) -> Iterator[Digest]:
    """The digests that a manifest names; none where it is not an image's."""
    for entry in _listed(held, "layers"):
        if is_digest(str(entry.get("digest"))):
            yield Digest(str(entry["digest"]))


def _listed(held: HeldManifest, key: str) -> list[Mapping[str, Any]]:
    try:
        value = held.document.get(key)
    except RegistryError:
        return []
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
