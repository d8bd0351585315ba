"""A layer's tar archive out of its blob: decompressed as it comes, and seen to be what its digests say."""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol, cast

from imagekit.engine.stream import PiecesReader
from imagekit.errors import BaseUnusable
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_READ = 1 << 18


@contextmanager
def layer_tar(blob: Blob, diff_id: Digest, reference: str) -> Iterator[IO[bytes]]:
    """The uncompressed archive of ``blob``, to be read once from its beginning to wherever it is of interest.

    At the end of the block the rest is read, and what came must be as long as the descriptor says and
    have its digest and ``diff_id``: ``BaseUnusable`` otherwise. Until then nothing of it is to be trusted.
    """
    name = f"layer {blob.descriptor.digest} of {reference}"
    arrived, unpacked = _Counted(), _Counted()
    pieces = arrived.through(blob.content.chunks())
    if blob.descriptor.digest == diff_id:
        unpacked = arrived  # a plain archive: seen once, it is both
    else:
        pieces = unpacked.through(decompressed(pieces))
    try:
        stream = PiecesReader(pieces)
        yield cast(IO[bytes], stream)
        stream.drain()
    except (zlib.error, EOFError) as error:
        raise BaseUnusable(f"{name} is damaged ({error})", hint=_HINT) from error
    if (arrived.size, arrived.digest) != (blob.descriptor.size, blob.descriptor.digest):
        raise BaseUnusable(f"{name} is not what its digest says", hint=_HINT)
    if unpacked.digest != diff_id:
        raise BaseUnusable(f"{name} unpacks to {unpacked.digest}, and the configuration says {diff_id}", hint=_HINT)


_HINT = "pull or make the base anew: what holds it has damaged it"


def decompressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """``pieces`` of a tar archive that is plain, or compressed by gzip or zstd.

    Which of them is told by the first bytes, as engines do it: media types are often wrong.
    """
    first = b""
    for piece in pieces:
        first += piece
        if len(first) >= len(_ZSTD):
            break
    whole = _chain(first, pieces)
    if first.startswith(_GZIP):
        return _gunzipped(whole)
    if first.startswith(_ZSTD):
        return _unzstd(whole)
    return whole


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _ZstdDecoder(Protocol):
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(31)
    for piece in pieces:
        while piece:
            if decoder.eof:  # another member (RFC 1952): pigz and estargz write many
                decoder = zlib.decompressobj(31)
            # In bounds: a piece of zeros may unpack to a thousand times its length.
            yield decoder.decompress(piece, _READ)
            piece = decoder.unconsumed_tail or decoder.unused_data
    if not decoder.eof:
        raise EOFError("it ends early")


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = _zstd_decoder()
    for piece in pieces:
        while piece:
            if decoder.eof:  # another frame (RFC 8878)
                decoder = _zstd_decoder()
            try:
                yield decoder.decompress(piece, _READ)
                while not (decoder.eof or decoder.needs_input):
                    yield decoder.decompress(b"", _READ)
            except Exception as error:  # the library has a class of its own
                raise EOFError(str(error)) from error
            piece = decoder.unused_data
    if not decoder.eof:
        raise EOFError("it ends early")


def _zstd_decoder() -> _ZstdDecoder:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    decoder: _ZstdDecoder = zstd.ZstdDecompressor()
    return decoder


class _Counted:
    """Length and sha256 of what passes."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def through(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            self._sha256.update(piece)
            yield piece

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + self._sha256.hexdigest())
