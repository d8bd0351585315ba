"""One wheel → one layer: a tar archive with everything that installing it would write."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import WheelRefused
from imagekit.layers import archive
from imagekit.layers.bytecode import Compiler, pyc_path
from imagekit.layers.directories import Directories
from imagekit.layers.values import WrittenLayer
from imagekit.layers.wheel import DAMAGED, LARGEST_HELD, Member, Wheel
from imagekit.plan.prefix import Prefix

# A batch is large enough that the way to the compiler costs little, and small enough to spread over cores.
_BATCH_FILES = 48
_BATCH_BYTES = 1 << 19
_SMALL = 1 << 20
_IN_MEMORY = 16 << 20  # bytes of bytecode, for each wheel under way


def write_wheel_layer(
    wheel_path: Path, prefix: Prefix, cache_tag: str, compiler: Compiler | None, out: BinaryIO
) -> WrittenLayer:
    """Write the layer of the wheel at ``wheel_path``; ``compiler`` ``None`` leaves bytecode out."""
    try:
        with Wheel(wheel_path, prefix) as wheel, _Batches(compiler, wheel_path.parent) as batches:
            return _write(wheel, prefix, cache_tag, batches, archive.DigestingWriter(out))
    except DAMAGED as error:
        raise WheelRefused(
            f"{wheel_path.name} is damaged ({error})",
            hint="fetch it anew: remove it from imagekit's cache, wheels/, and build again",
        ) from error


def _write(
    wheel: Wheel, prefix: Prefix, cache_tag: str, batches: _Batches, out: archive.DigestingWriter
) -> WrittenLayer:
    scripts = wheel.console_scripts()
    own = {path for path, _ in scripts}
    # An entry point's script replaces a file of that name, as installers do it.
    members = [member for member in wheel.members if member.path not in own]
    sources = _sources(members, prefix) if batches.compiles else []
    shipped = {member.path for member in members}

    # Directories first, those of bytecode included, so that each layer has the same parents.
    expected = [pyc_path(member.path, cache_tag) for member in sources]
    record_directory = f"{prefix.site_path.lstrip('/')}/{wheel.dist_info}/RECORD"
    directories = archive.parents([*shipped, *own, *expected, record_directory])
    found = Directories(prefix.directories)
    for path in directories:
        out.write(found.member(path))
    start = out.size

    compilable = set(map(id, sources))
    for member in members:
        if id(member) in compilable:
            source = wheel.read(member)
            batches.add(member.path, source)
            out.write(archive.file(member.path, source, mode=0o755 if member.executable else 0o644))
        else:
            for piece in _content(wheel, member):
                out.write(piece)
                batches.take_ready()
    compiled = []
    for source_path, pyc in batches.answers():
        path = pyc_path(source_path, cache_tag)
        if pyc is not None and path not in shipped:
            out.write(archive.file(path, pyc))
            compiled.append(path)
    for path, data in scripts:
        out.write(archive.file(path, data, mode=0o755))
    for path, data in wheel.additions(scripts):
        out.write(archive.file(path, data))
    end = out.size
    out.write(archive.END)
    return WrittenLayer(
        diff_id=out.digest,
        size=out.size,
        body=(start, end),
        directories=tuple(directories),
        paths=tuple(sorted([*shipped, *own, *compiled])),
    )


def _content(wheel: Wheel, member: Member) -> Iterator[bytes]:
    """The member as the archive has it."""
    mode = 0o755 if member.executable else 0o644
    if member.info.file_size <= _SMALL or wheel.is_rewritten(member):
        yield archive.file(member.path, wheel.read(member), mode=mode)
        return
    yield archive.header(member.path, size=member.info.file_size, mode=mode)
    yield from wheel.stream(member)
    yield archive.padding(member.info.file_size)


def _sources(members: list[Member], prefix: Prefix) -> list[Member]:
    site = prefix.site_path.lstrip("/") + "/"
    # A compiler needs many times a source's size; nobody imports one of these.
    return [
        m for m in members if m.path.endswith(".py") and m.path.startswith(site) and m.info.file_size <= LARGEST_HELD
    ]


class _Batches:
    """Sources on their way to the compiler, and its answers in the same order.

    What came before it can be written is held in memory up to a bound, and beyond that in a file
    without a name, in ``directory`` where that can be written: bytecode may be hundreds of megabytes.
    """

    def __init__(self, compiler: Compiler | None, directory: Path) -> None:
        self._compiler = compiler
        self._directory = str(directory) if os.access(directory, os.W_OK) else None
        self._batch: list[tuple[str, bytes]] = []
        self._held = 0
        self._pending: deque[tuple[list[str], Future[list[bytes | None]]]] = deque()
        self._ready: list[tuple[str, int | None]] = []
        self._spool: tempfile.SpooledTemporaryFile[bytes] | None = None

    def __enter__(self) -> _Batches:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._spool is not None:
            self._spool.close()

    @property
    def compiles(self) -> bool:
        return self._compiler is not None

    def add(self, path: str, source: bytes) -> None:
        self._batch.append((f"/{path}", source))
        self._held += len(source)
        if len(self._batch) >= _BATCH_FILES or self._held >= _BATCH_BYTES:
            self._submit()
        self.take_ready()

    def take_ready(self) -> None:
        """Put aside what the compiler has answered."""
        while self._pending and self._pending[0][1].done():
            paths, answer = self._pending.popleft()
            if self._spool is None:
                self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=self._directory)  # noqa: SIM115
            for path, pyc in zip(paths, answer.result(), strict=True):
                self._ready.append((path, None if pyc is None else len(pyc)))
                self._spool.write(pyc or b"")

    def answers(self) -> Iterator[tuple[str, bytes | None]]:
        """``(path, bytecode or None)`` of every source that was added."""
        self._submit()
        if self._spool is not None:
            self._spool.seek(0)
            for path, size in self._ready:
                yield path, None if size is None else self._spool.read(size)
        while self._pending:
            paths, answer = self._pending.popleft()
            yield from zip(paths, answer.result(), strict=True)

    def _submit(self) -> None:
        if self._batch and self._compiler is not None:
            paths = [path.lstrip("/") for path, _ in self._batch]
            self._pending.append((paths, self._compiler.submit(self._batch)))
        self._batch, self._held = [], 0
