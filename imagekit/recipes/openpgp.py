"""OpenPGP public keys (RFC 4880), as far as it takes to tell one by its fingerprint and to keep no other."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_BLOCK = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(?P<headers>(?:[A-Za-z]+: [^\n]*\n)*)[ \t]*\r?\n?"
    rb"(?P<body>[A-Za-z0-9+/=\s]*?)-----END PGP PUBLIC KEY BLOCK-----"
)
_PUBLIC_KEY = 6
_SECRET = (5, 7)
_VERSION = 4


class NotAKey(ValueError):
    """Bytes that are no public key."""


def is_armored(text: str) -> bool:
    """Whether ``text`` has an armored key in it, whatever else it says; else it is the place of one."""
    return ARMOR in text


def fingerprints(data: bytes) -> list[str]:
    """The fingerprints of the primary keys in ``data``, armored or not: 40 hexadecimal digits each, in capitals.

    Raises ``NotAKey``.
    """
    return [fingerprint for fingerprint, _ in _keys(data)]


def only(data: bytes, fingerprint: str) -> bytes | None:
    """The key of that fingerprint alone, not armored, with what belongs to it; ``None`` where it is not there.

    Raises ``NotAKey``.
    """
    return next((packets for found, packets in _keys(data) if found == fingerprint), None)


def _keys(data: bytes) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for tag, body, whole in _packets(_dearmored(data)):
        if tag in _SECRET:
            raise NotAKey("it holds a secret key")
        if tag == _PUBLIC_KEY:
            found.append((_fingerprint(body), whole))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + whole)
    if not found:
        raise NotAKey("no public key is in it")
    return found


def _fingerprint(body: bytes) -> str:
    if body[:1] != bytes([_VERSION]):
        # Version 3 is forgeable; the later ones have longer fingerprints.
        return f"of version {body[0] if body else 0}"
    # SHA-1 is what a fingerprint of version 4 is (RFC 4880, 12.2).
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()


def _dearmored(data: bytes) -> bytes:
    if data[:1] and data[0] & 0x80:
        return data
    blocks = list(_BLOCK.finditer(data))
    if not blocks:
        raise NotAKey("neither an armored nor a binary key")
    return b"".join(_decoded(block["body"]) for block in blocks)


def _decoded(body: bytes) -> bytes:
    lines = [line.strip() for line in body.splitlines()]
    # A line that begins with '=' is a checksum.
    text = b"".join(line for line in lines if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NotAKey("its armor is damaged") from None


def _packets(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, body and the whole of each packet (RFC 4880, 4.2)."""
    at = 0
    while at < len(data):
        start, head = at, data[at]
        at += 1
        if not head & 0x80:
            raise NotAKey("it is damaged")
        if head & 0x40:
            tag, (length, at) = head & 0x3F, _new_length(data, at)
        else:
            kind = head & 3
            if kind == 3:
                raise NotAKey("a packet of it has no length")
            tag, size = (head >> 2) & 0x0F, 1 << kind
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise NotAKey("it is cut short")
        yield tag, data[at : at + length], data[start : at + length]
        at += length


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at] if at < len(data) else 255
    if first < 192:
        return first, at + 1
    if first < 224:
        return ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2], "big") + 192, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise NotAKey("a packet of it has no length")
