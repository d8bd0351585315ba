"""OCI digests: ``sha256:`` and 64 lower-case hex digits (image-spec, descriptor.md)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NewType, Protocol

Digest = NewType("Digest", str)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes | None: ...


def is_digest(text: str) -> bool:
    """Whether ``text`` is a sha256 digest in the one spelling that OCI allows."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(data: bytes) -> Digest:
    """The digest of ``data``."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def canonical_json(value: Any) -> bytes:
    """``value`` as the same bytes every time: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of_stream(stream: Readable) -> Digest:
    """The digest of all that is left to read of ``stream``, in pieces of 1 MiB."""
    sha256 = hashlib.sha256()
    while piece := stream.read(1 << 20):
        sha256.update(piece)
    return Digest("sha256:" + sha256.hexdigest())


def digest_of_json(value: Any) -> Digest:
    """The digest of ``value``'s canonical JSON; the key of everything that is cached."""
    return digest_of(canonical_json(value))


def short(digest: str) -> str:
    """The first twelve hex digits, as engines print them."""
    return digest.removeprefix("sha256:")[:12]
