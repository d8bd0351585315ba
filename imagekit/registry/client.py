"""One registry: its manifests and blobs (OCI distribution-spec v1.1, pull and push)."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from imagekit.errors import AuthError, RegistryError
from imagekit.network.passing import PASSING, retry_after
from imagekit.oci.digest import Digest, digest_of, is_digest, short
from imagekit.oci.manifest import INDEX, MANIFEST, Descriptor
from imagekit.registry.access import Access
from imagekit.registry.address import Origin, address, joined
from imagekit.registry.auth import Scope, Signer
from imagekit.registry.connection import Answer, Body, Connections
from imagekit.registry.hosts import address_of, canonical_host, may_be_plain, split_port
from imagekit.registry.retry import Passing, Patience, Retries
from imagekit.registry.words import shown, words_of

_DAMAGED = "the registry's storage, or a proxy on the way, is damaged: ask who keeps it"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = frozenset({INDEX, DOCKER_INDEX})
_ACCEPTED = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_MOST_MANIFEST = 8 << 20  # bytes; the specification asks registries for 4 MiB
_MOST_WORDS = 1 << 16  # bytes of an error's body
_MOST_HOPS = 6  # redirects followed
_AGENT = "imagekit"
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*rel="?next"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldManifest:
    """A manifest or index as a registry holds it."""

    digest: Digest  # of ``data``
    media_type: str
    data: bytes

    @property
    def document(self) -> Mapping[str, Any]:
        """The JSON object; ``RegistryError`` where it is none."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise RegistryError(
                f"the manifest {short(self.digest)} in the registry is no JSON object", hint="push the image again"
            )
        return value

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES or (self.media_type not in (MANIFEST, DOCKER_MANIFEST) and self._has_children)

    @property
    def _has_children(self) -> bool:
        return isinstance(self.document.get("manifests"), list)


class Registry:
    """The registry called ``name`` (``HOST[:PORT]``; ``None`` is Docker Hub). Safe to use from several threads.

    Nothing is sent before it is asked something. Every wait has a deadline and what may pass is tried again
    (``patience``). Raises ``RegistryError`` naming the step, ``AuthError`` where credentials are wanted or refused.
    """

    def __init__(self, name: str | None, access: Access | None = None, *, patience: Patience | None = None) -> None:
        self.name = canonical_host(name)
        self.access = access or Access()
        self.patience = patience or Patience()
        self.retries = Retries(self.patience)
        self.takes_chunks = True  # until it refuses one
        self.closed_sources: set[str] = set()  # repositories that must not be mounted from
        self._may_be_plain = may_be_plain(self.name, self.access.insecure)
        self._connections = Connections(self.access, self.patience)
        self.signer = Signer(self.name, self.access, self._ask, may_be_plain=self._may_be_plain)
        self._origin: Origin | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections; what other threads have under way ends with ``Stopped`` or a failure."""
        self.retries.stop()
        self._connections.close()

    @property
    def round_trip(self) -> float:
        """Seconds that the quickest answer took; infinite before the first."""
        return self._connections.fastest

    def manifest(self, repository: str, reference: str) -> HeldManifest | None:
        """The manifest or index under a tag or digest; ``None`` where there is none. One request."""
        step = f"reading the manifest {self.name}/{repository}{_separator(reference)}{reference}"

        def attempt() -> HeldManifest | None:
            headers = {"Accept": _ACCEPTED}
            path = f"/v2/{repository}/manifests/{reference}"
            with self.exchange(step, "GET", path, Scope(repository, ("pull",)), headers=headers) as answer:
                if answer.status == 404:
                    return None
                self.expect(step, answer, 200)
                data = answer.read(_MOST_MANIFEST)
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            digest = digest_of(data)
            if is_digest(reference) and digest != reference:
                raise RegistryError(f"{step}: the registry gave another one ({short(digest)})", hint="push it anew")
            return HeldManifest(digest=digest, media_type=kind, data=data)

        return self.retries.run(step, attempt)

    def manifest_digest(self, repository: str, reference: str) -> Digest | None:
        """The digest of the manifest under a tag, by HEAD; ``None`` where there is none."""
        step = f"asking for the manifest {self.name}/{repository}{_separator(reference)}{reference}"

        def attempt() -> tuple[int, str]:
            headers = {"Accept": _ACCEPTED}
            path = f"/v2/{repository}/manifests/{reference}"
            with self.exchange(step, "HEAD", path, Scope(repository, ("pull",)), headers=headers) as answer:
                if answer.status != 404:
                    self.expect(step, answer, 200)
                return answer.status, answer.headers.get("docker-content-digest", "")

        status, digest = self.retries.run(step, attempt)
        if status == 404:
            return None
        if is_digest(digest):
            return Digest(digest)
        # The header may be left out.
        held = self.manifest(repository, reference)
        return None if held is None else held.digest

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> Mapping[str, str]:
        """Write a manifest or index under a tag or its digest; the headers of the answer, in lower case."""
        step = f"writing the manifest {self.name}/{repository}{_separator(reference)}{reference}"

        def attempt() -> Mapping[str, str]:
            path = f"/v2/{repository}/manifests/{reference}"
            with self.exchange(
                step,
                "PUT",
                path,
                Scope(repository, ("pull", "push")),
                headers={"Content-Type": media_type},
                body=lambda: data,
                deadline=self.patience.commit,
            ) as answer:
                self.expect(step, answer, 201, 200, 202)
                return dict(answer.headers)

        return self.retries.run(step, attempt)

    def document(self, step: str, url: str, scope: Scope, *, most: int) -> tuple[Mapping[str, Any], str | None] | None:
        """The JSON object at ``url``, and where it goes on (RFC 8288, ``rel="next"``); ``None`` where there is none."""

        def attempt() -> tuple[bytes, str, str] | None:
            with self.exchange(step, "GET", url, scope, headers={"Accept": INDEX}) as answer:
                if 400 <= answer.status < 500:
                    return None
                self.expect(step, answer, 200)
                return answer.read(most), answer.headers.get("link", ""), answer.url

        found = self.retries.run(step, attempt)
        if found is None:
            return None
        try:
            value = json.loads(found[0])
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return None
        link = _NEXT.search(found[1])
        return value, joined(found[2], link[1]) if link else None

    def holds(self, repository: str, blob: Descriptor) -> bool:
        """Whether the repository has ``blob``, of that size, by HEAD."""
        step = f"asking for the blob {short(blob.digest)} in {self.name}/{repository}"

        def attempt() -> bool:
            path = f"/v2/{repository}/blobs/{blob.digest}"
            with self.exchange(step, "HEAD", path, Scope(repository, ("pull",))) as answer:
                if answer.status == 404:
                    return False
                self.expect(step, answer, 200)
                size = answer.headers.get("content-length", str(blob.size))
                return size == str(blob.size)

        return self.retries.run(step, attempt)

    def gives_end(self, repository: str, blob: Descriptor) -> bool:
        """Whether the last byte of ``blob`` can be read: stronger than ``holds``, which a cache may answer."""
        if not blob.size:
            return self.holds(repository, blob)
        step = f"reading the end of the blob {short(blob.digest)} in {self.name}/{repository}"

        def attempt() -> bool:
            path = f"/v2/{repository}/blobs/{blob.digest}"
            headers = {"Range": f"bytes={blob.size - 1}-{blob.size - 1}"}
            with self.exchange(step, "GET", path, Scope(repository, ("pull",)), headers=headers) as answer:
                if answer.status in (404, 416):
                    return False
                self.expect(step, answer, 206, 200)
                try:
                    # Ranges may be ignored (RFC 9110, 14.2), and then a byte is enough, too.
                    return next(answer.pieces(), b"") != b""
                except Passing:
                    # docker-registry opens what its cache knows of, and finds it gone after the headers.
                    return False

        return self.retries.run(step, attempt)

    def read_blob(self, repository: str, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """The bytes of ``blob`` from ``start`` on; a connection that breaks is taken up where it broke.

        Read from 0 they are verified: the last piece is given only when the digest is right. From a later
        offset only their number is; who takes a part, checks the whole.
        """
        step = f"reading the blob {short(blob.digest)} of {self.name}/{repository}"
        tries = self.retries.begin(step)
        hashed = hashlib.sha256()
        position = start
        held_back = b""
        while position < blob.size:
            try:
                for piece in self._blob_pieces(step, repository, blob, position):
                    if held_back:
                        yield held_back
                    position += len(piece)
                    if position > blob.size:
                        raise RegistryError(f"{step}: it has more than {blob.size} bytes", hint=_DAMAGED)
                    hashed.update(piece)
                    held_back = piece
                    tries.progress()
            except Passing as fault:
                tries.again(fault)
        if start == 0 and f"sha256:{hashed.hexdigest()}" != blob.digest:
            raise RegistryError(
                f"{step}: its content is not what its digest says",
                hint=_DAMAGED,
            )
        if held_back:
            yield held_back

    def _blob_pieces(self, step: str, repository: str, blob: Descriptor, position: int) -> Iterator[bytes]:
        path = f"/v2/{repository}/blobs/{blob.digest}"
        headers = {"Range": f"bytes={position}-"} if position else {}
        with self.exchange(step, "GET", path, Scope(repository, ("pull",)), headers=headers) as answer:
            if answer.status == 404:
                raise RegistryError(f"{step}: the registry does not have it", hint="pull or push the image anew")
            self.expect(step, answer, 200, 206)
            # A range may be ignored (RFC 9110, 14.2).
            skip = position if answer.status == 200 else 0
            received = skip and -skip
            for piece in answer.pieces():
                received += len(piece)
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                yield piece[skip:] if skip else piece
                skip = 0
        if position + received < blob.size:
            raise Passing(f"the connection ended after {position + received} of {blob.size} bytes")

    @contextmanager
    def exchange(
        self,
        step: str,
        method: str,
        url: str,
        scope: Scope,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Body] | None = None,
        deadline: float | None = None,
    ) -> Iterator[Answer]:
        """One request to ``url`` (a path, or absolute) and its answer, signed where it goes to the registry itself.

        A 401 is answered with a new signature once; redirects of readers are followed. Raises ``Passing`` for what
        may be tried again, ``AuthError`` for 401 and 403. ``body`` may be called again.
        """
        self.retries.wait_turn()
        own = self._reach()
        origin, target = address(url, own)
        sent = dict(headers or {}) | {"User-Agent": _AGENT}
        has_renewed = False
        for _ in range(_MOST_HOPS):
            header = self.signer.header(scope) if origin == own else None
            signed = {**sent, "Authorization": header} if header else sent
            content = body() if body is not None else None
            with self._connections.exchange(
                method, origin, target, signed, content, deadline or self.patience.answer
            ) as answer:
                answer.url = f"{origin.scheme}://{origin}{target}"
                moved = answer.headers.get("location") if 300 < answer.status < 309 else None
                refused = answer.status == 401 and origin == own and not has_renewed
                if not refused and not (moved and method in ("GET", "HEAD")):
                    self._check(step, answer, is_own=origin == own)
                    yield answer
                    return
                challenge = answer.headers.get("www-authenticate", "")
            if refused:
                has_renewed = True
                self.signer.renew(scope, header, challenge)
            elif moved:
                origin, target = address(joined(answer.url, moved), own)
        raise RegistryError(f"{step}: it is redirected without an end", hint="check the registry's address")

    def expect(self, step: str, answer: Answer, *statuses: int) -> None:
        """``RegistryError`` with the registry's words where the answer has another status."""
        if answer.status not in statuses:
            raise RegistryError(
                f"{step}: {self.words(answer)}", hint="check that the address is a registry's, and what it says"
            )

    def words(self, answer: Answer) -> str:
        """What an answer says in its body (distribution-spec, error codes), without secrets, on one line."""
        said = f"HTTP {answer.status} {answer.reason}".strip()
        try:
            words = words_of(answer.read(_MOST_WORDS))
        except (Passing, RegistryError):
            words = ""
        return shown(self.signer.scrubbed(f"{said}: {words}" if words else said))

    def _check(self, step: str, answer: Answer, *, is_own: bool) -> None:
        status = answer.status
        if status in PASSING:
            raise Passing(self.words(answer), pause=retry_after(answer.headers.get("retry-after")))
        if not is_own and 400 <= status < 500 and status != 404:
            # A link to storage that is past its time; the registry gives a new one.
            raise Passing(f"HTTP {status} from the registry's storage")
        if status == 401:
            raise self.signer.refusal(f"refused the credentials ({step}: {self.words(answer)})")
        if status == 403:
            raise AuthError(
                f"{self.name} does not allow it ({step}: {self.words(answer)})",
                hint=f"docker login {self.name} with an account that may",
            )

    def _reach(self) -> Origin:
        """Scheme, host and port; where plain HTTP is allowed, TLS is tried first."""
        with self._lock:
            if self._origin is None:
                host, port = split_port(address_of(self.name))
                self._origin = Origin("https", host, port or 443)
                if self._may_be_plain and not self._speaks_tls(self._origin):
                    self._origin = Origin("http", host, port or 80)
            return self._origin

    def _speaks_tls(self, origin: Origin) -> bool:
        try:
            self._connections.open(origin)
        except TimeoutError:
            self._origin = None
            raise Passing("no answer within the deadline", is_first_contact=True) from None
        except (OSError, http.client.HTTPException):
            return False
        return True

    def _ask(
        self, step: str, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        """A token service's answer."""

        def attempt() -> tuple[int, bytes]:
            origin, target = address(url, self._reach())
            signed = {**headers, "User-Agent": _AGENT}
            with self._connections.exchange(method, origin, target, signed, body, self.patience.answer) as answer:
                if answer.status in PASSING:
                    raise Passing(f"HTTP {answer.status}", pause=retry_after(answer.headers.get("retry-after")))
                return answer.status, answer.read(_MOST_WORDS * 16)

        return self.retries.run(step, attempt)


def _separator(reference: str) -> str:
    return "@" if is_digest(reference) else ":"
