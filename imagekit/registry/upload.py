"""Bringing one blob into a repository: mounted where it can be, else sent whole or in chunks.

Source: OCI distribution-spec v1.1, "Pushing blobs" and "Mounting a blob from another repository".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote

from imagekit.errors import AuthError, PushError, RegistryError
from imagekit.oci.content import Blob
from imagekit.oci.digest import short
from imagekit.registry.address import count_in, joined
from imagekit.registry.auth import Scope
from imagekit.registry.client import Registry
from imagekit.registry.connection import Answer, Body
from imagekit.registry.retry import Passing

_CACHE = "what is kept here may be damaged: imagekit cache verify, and push again"

# What is larger goes in chunks: a broken connection costs no more than one, and proxies that take
# 100 MB at most let it through. What is not is one request, which every registry takes.
CHUNKED_ABOVE = 64 << 20
CHUNK = 32 << 20
_IN_MEMORY = 1 << 20  # bytes; what is no larger is sent in one piece
_OCTETS = {"Content-Type": "application/octet-stream"}


class Upload:
    """The upload of ``blob`` into ``repository``.

    ``advance`` is told the bytes as they leave, and less than nothing where they have to be sent again.
    ``sent`` counts what left, in bytes.
    """

    def __init__(
        self, registry: Registry, repository: str, blob: Blob, *, advance: Callable[[int], None] = lambda _: None
    ) -> None:
        self.blob = blob
        self.sent = 0
        self._registry = registry
        self._repository = repository
        self._advance = advance
        self._advanced = 0
        self._scope = Scope(repository, ("pull", "push"))
        self._name = f"the blob {short(blob.descriptor.digest)} to {registry.name}/{repository}"
        self._location: str | None = None
        self._chunk = CHUNK
        self._is_ending = False  # the upload at ``_location`` was asked to end
        self._offset = 0  # bytes that the registry has in the session at ``_location``

    def mount(self, source: str) -> bool:
        """Whether the registry took the blob from its repository ``source``; where not, an upload has begun.

        ``source`` may be the repository itself: then this asks whether the blob is there, and begins to
        send it where not, in one round trip.
        """
        query = f"?mount={quote(self.blob.descriptor.digest, safe='')}&from={quote(source, safe='')}"
        how = "beginning to send" if source == self._repository else "mounting"
        try:
            return self._registry.retries.run(f"{how} {self._name} (POST)", lambda: self._post(query))
        except AuthError:
            if source == self._repository:
                raise
            # What must not be read there is sent.
            self._registry.closed_sources.add(source)
            return False

    def send(self) -> None:
        """Send the blob. Raises ``PushError``, or ``RegistryError`` where the registry refuses it."""
        tries = self._registry.retries.begin(f"sending {self._name}")
        in_chunks = self.blob.descriptor.size > CHUNKED_ABOVE and self._registry.takes_chunks
        while True:
            before = self._offset
            try:
                if self._location is None:
                    self._begin()
                if in_chunks:
                    in_chunks = self._send_chunks()
                    if in_chunks:
                        return
                    self._start_over()
                else:
                    self._send_whole()
                    return
            except Passing as fault:
                if self._offset > before:
                    tries.progress()
                tries.again(fault)
                # The answer may have been lost, and not the blob.
                if self._registry.holds(self._repository, self.blob.descriptor):
                    return
                # Nor is an upload ended twice, whose first end may still be under way.
                if not in_chunks or self._is_ending or not self._resume():
                    self._start_over()

    def _begin(self) -> None:
        if self._post(""):
            raise RegistryError(
                f"sending {self._name}: the registry began no upload", hint="check that the address is a registry's"
            )

    def _post(self, query: str) -> bool:
        """Begin an upload; whether the blob was mounted instead."""
        step = f"beginning to send {self._name} (POST)"
        url = f"/v2/{self._repository}/blobs/uploads/{query}"
        headers = {"Content-Length": "0"}
        with self._registry.exchange(step, "POST", url, self._scope, headers=headers, body=lambda: b"") as answer:
            if query and answer.status == 201:
                return True
            if query and 400 <= answer.status < 500:
                return False  # not every registry knows of mounting
            self._registry.expect(step, answer, 202)
            self._moved(step, answer, must=True)
            least = count_in(answer.headers.get("oci-chunk-min-length"))
        self._chunk = max(CHUNK, least or 0)
        self._offset = 0
        return False

    def _send_whole(self) -> None:
        size = self.blob.descriptor.size
        self._put(size, lambda: self._body(0, size), "PUT")

    def _send_chunks(self) -> bool:
        """Whether the registry takes chunks, and so took all of them."""
        size = self.blob.descriptor.size
        while self._offset < size:
            step = f"sending {self._name} (PATCH)"
            start, count = self._offset, min(self._chunk, size - self._offset)
            headers = {
                **_OCTETS,
                "Content-Length": str(count),
                "Content-Range": f"{start}-{start + count - 1}",
            }
            with self._registry.exchange(
                step,
                "PATCH",
                self._location or "",
                self._scope,
                headers=headers,
                body=lambda start=start, count=count: self._body(start, count),  # type: ignore[misc]
                deadline=self._registry.patience.commit,
            ) as answer:
                if answer.status == 404:
                    self._location = None
                    raise Passing(f"the registry forgot the upload ({self._registry.words(answer)})")
                if 400 <= answer.status < 500:
                    # GitHub's takes 4 MiB at most, and others none: what they all take is one request.
                    self._registry.takes_chunks = False
                    return False
                self._registry.expect(step, answer, 202, 201, 204)
                self._moved(step, answer)
            # Not by the answer's Range, which some registries do not keep up: the digest decides.
            self._offset = start + count
        self._put(0, lambda: b"", "PUT after PATCH")
        return True

    def _put(self, count: int, body: Callable[[], Body], how: str) -> None:
        step = f"sending {self._name} ({how})"
        self._is_ending = True
        location = self._location or ""
        joined = "&" if "?" in location else "?"
        url = f"{location}{joined}digest={quote(self.blob.descriptor.digest, safe='')}"
        with self._registry.exchange(
            step,
            "PUT",
            url,
            self._scope,
            headers={**_OCTETS, "Content-Length": str(count)},
            body=body,
            deadline=self._registry.patience.commit,
        ) as answer:
            if answer.status == 404:
                self._location = None
                raise Passing(f"the registry forgot the upload ({self._registry.words(answer)})")
            self._registry.expect(step, answer, 201, 204)

    def _resume(self) -> bool:
        """Whether the session is still there; then ``_offset`` is where it goes on."""
        if self._location is None:
            return False
        step = f"asking how much of {self._name} arrived (GET)"
        try:
            with self._registry.exchange(step, "GET", self._location, self._scope) as answer:
                if answer.status not in (204, 202, 200):
                    return False
                first, _, last = answer.headers.get("range", "").removeprefix("bytes=").partition("-")
                end = count_in(last)
                if first != "0" or end is None:
                    return False
                # ``0-0`` is said of an empty upload, too.
                arrived = end + 1 if end else 0
                if arrived > self.blob.descriptor.size:
                    return False
                self._moved(step, answer)
        except Passing:
            return False
        self._retract(self._advanced - arrived)
        self._offset = arrived
        return True

    def _start_over(self) -> None:
        self._retract(self._advanced)
        self._is_ending = False
        self._location = None
        self._offset = 0

    def _retract(self, amount: int) -> None:
        if amount > 0:
            self._advanced -= amount
            self._advance(-amount)

    def _moved(self, step: str, answer: Answer, *, must: bool = False) -> None:
        location = answer.headers.get("location")
        if location:
            self._location = joined(answer.url, location)
        elif must:
            raise RegistryError(
                f"{step}: the registry named no place for it", hint="check that the address is a registry's"
            )

    def _body(self, start: int, count: int) -> Body:
        """``count`` bytes from ``start`` on; what is small as one piece, which can be sent again at once."""
        self._retract(self._advanced - start)
        pieces = self._pieces(start, count)
        return b"".join(pieces) if count <= _IN_MEMORY else pieces

    def _pieces(self, start: int, count: int) -> Iterator[bytes]:
        left = count
        source: Iterator[bytes] | None = None
        while left:
            try:
                source = self.blob.content.chunks(start) if source is None else source
                piece = next(source, b"")[:left]
            except OSError as error:
                raise PushError(f"{self._name}: its content cannot be read: {error.strerror}", hint=_CACHE) from error
            if not piece:
                raise PushError(
                    f"{self._name}: its content ends {left} bytes too early",
                    hint=_CACHE,
                )
            left -= len(piece)
            self.sent += len(piece)
            self._advanced += len(piece)
            self._advance(len(piece))
            self._registry.retries.pause(0)
            yield piece
