"""One wheel → one layer: a tar archive with everything that installing it would write."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import WheelRefused
from imagekit.layers import archive
from imagekit.layers.bytecode import Compiler, pyc_path
from imagekit.layers.directories import Directories
from imagekit.layers.wheel import DAMAGED, Member, Wheel
from imagekit.oci.digest import Digest
from imagekit.plan.prefix import Prefix

# A batch is large enough that the way to the compiler costs little, and small enough to spread over cores.
_BATCH_FILES = 48
_BATCH_BYTES = 1 << 19


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLayer:
    """What was written: the layer's digest and the part of it that a grouped layer reuses."""

    diff_id: Digest
    size: int  # bytes of the whole archive
    body: tuple[int, int]  # offsets of the members that are no directories
    directories: tuple[str, ...]
    paths: tuple[str, ...]  # of those members, sorted


def write_wheel_layer(
    wheel_path: Path, prefix: Prefix, cache_tag: str, compiler: Compiler | None, out: BinaryIO
) -> WrittenLayer:
    """Write the layer of the wheel at ``wheel_path``; ``compiler`` ``None`` leaves bytecode out."""
    try:
        with Wheel(wheel_path, prefix) as wheel:
            return _write(wheel, prefix, cache_tag, compiler, archive.DigestingWriter(out))
    except DAMAGED as error:
        raise WheelRefused(
            f"{wheel_path.name} is damaged ({error})",
            hint="fetch it anew: remove it from imagekit's cache, wheels/, and build again",
        ) from error


def _write(
    wheel: Wheel, prefix: Prefix, cache_tag: str, compiler: Compiler | None, out: archive.DigestingWriter
) -> WrittenLayer:
    scripts = wheel.console_scripts()
    own = {path for path, _ in scripts}
    # An entry point's script replaces a file of that name, as installers do it.
    members = [member for member in wheel.members if member.path not in own]
    sources = _sources(members, prefix) if compiler is not None else []
    shipped = {member.path for member in members}

    # Directories first, those of bytecode included, so that each layer has the same parents.
    expected = [pyc_path(member.path, cache_tag) for member in sources]
    record_directory = f"{prefix.site_path.lstrip('/')}/{wheel.dist_info}/RECORD"
    directories = archive.parents([*shipped, *own, *expected, record_directory])
    found = Directories(prefix.directories)
    for path in directories:
        out.write(found.member(path))
    start = out.size

    batches = _Batches(compiler)
    compilable = set(map(id, sources))
    for member in members:
        if id(member) in compilable:
            source = wheel.read(member)
            batches.add(member.path, source)
            out.write(archive.file(member.path, source, mode=0o755 if member.executable else 0o644))
        else:
            _write_member(wheel, member, out)
    compiled = []
    for source_path, pyc in batches.answers():
        path = pyc_path(source_path, cache_tag)
        if pyc is not None and path not in shipped:
            out.write(archive.file(path, pyc))
            compiled.append(path)
    for path, data in scripts:
        out.write(archive.file(path, data, mode=0o755))
    for path, data in wheel.additions(scripts, compiled):
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


def _write_member(wheel: Wheel, member: Member, out: archive.DigestingWriter) -> None:
    mode = 0o755 if member.executable else 0o644
    if member.rewrite or member.info.file_size <= 1 << 20:
        out.write(archive.file(member.path, wheel.read(member), mode=mode))
        return
    out.write(archive.header(member.path, size=member.info.file_size, mode=mode))
    for piece in wheel.stream(member):
        out.write(piece)
    out.write(archive.padding(member.info.file_size))


def _sources(members: list[Member], prefix: Prefix) -> list[Member]:
    site = prefix.site_path.lstrip("/") + "/"
    return [m for m in members if m.path.endswith(".py") and m.path.startswith(site)]


class _Batches:
    """Sources on their way to the compiler, and its answers in the same order."""

    def __init__(self, compiler: Compiler | None) -> None:
        self._compiler = compiler
        self._batch: list[tuple[str, bytes]] = []
        self._held = 0
        self._pending: list[tuple[list[str], Future[list[bytes | None]]]] = []

    def add(self, path: str, source: bytes) -> None:
        self._batch.append((f"/{path}", source))
        self._held += len(source)
        if len(self._batch) >= _BATCH_FILES or self._held >= _BATCH_BYTES:
            self._submit()

    def answers(self) -> Iterator[tuple[str, bytes | None]]:
        """``(path, bytecode or None)`` of every source that was added."""
        self._submit()
        for paths, answer in self._pending:
            yield from zip(paths, answer.result(), strict=True)

    def _submit(self) -> None:
        if self._batch and self._compiler is not None:
            paths = [path.lstrip("/") for path, _ in self._batch]
            self._pending.append((paths, self._compiler.submit(self._batch)))
        self._batch, self._held = [], 0
