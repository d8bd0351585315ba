"""gzip (RFC 1952) with the same bytes for the same input, whoever compresses it and by how many threads.

The input is cut into pieces of one length, each of which becomes a member of the gzip file: no
clock, no name, no window across pieces. Readers take the members one after the other (section 2.2).
``docs/architecture.md`` has the measurements by which library, level and length were chosen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import cache

# With another of these numbers, other bytes: ``codec`` must change with what is done here.
LEVEL = 5
MEMBER = 4 << 20  # bytes of input
_FORMAT = 1
# Members that are under way for one file: bounds its memory to some 30 MB.
_AHEAD = 3


@cache
def codec() -> str:
    """What compresses, by name and version. The same codec makes the same bytes of the same input."""
    import deflate

    return f"libdeflate (deflate {deflate.__version__}) level {LEVEL}, members of {MEMBER}, format {_FORMAT}"


def compressed(chunks: Iterable[bytes], pool: Executor | None = None) -> Iterator[bytes]:
    """``chunks`` as a gzip file, member by member; compressed by the threads of ``pool`` where there is one."""
    pieces = _pieces(chunks, MEMBER)
    if pool is None:
        yield from map(_member, pieces)
        return
    waiting: deque[Future[bytes]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(_member, piece))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _member(piece: bytes) -> bytes:
    # libdeflate lets go of the interpreter's lock; its header has no time, no name, and the OS "unknown".
    import deflate

    return bytes(deflate.gzip_compress(piece, LEVEL))


def _pieces(chunks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """``chunks`` as pieces of ``length`` bytes, the last one shorter; at least one, if an empty one."""
    held: list[bytes] = []
    size = 0
    some = False
    for chunk in chunks:
        while size + len(chunk) >= length:
            cut = length - size
            held.append(chunk[:cut])
            yield b"".join(held)
            some, held, size, chunk = True, [], 0, chunk[cut:]
        if chunk:
            held.append(chunk)
            size += len(chunk)
    if held or not some:
        yield b"".join(held)
