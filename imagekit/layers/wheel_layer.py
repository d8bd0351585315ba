"""One wheel → one layer: a tar archive with everything that installing it would write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import WheelRefused
from imagekit.layers import archive
from imagekit.layers.batches import Batches
from imagekit.layers.bytecode import Compiler, pyc_path
from imagekit.layers.directories import Directories
from imagekit.layers.values import WrittenLayer
from imagekit.layers.wheel import DAMAGED, LARGEST_HELD, Member, Wheel
from imagekit.plan.prefix import Prefix

_SMALL = 1 << 20


def write_wheel_layer(
    wheel_path: Path, prefix: Prefix, cache_tag: str, compiler: Compiler | None, out: BinaryIO
) -> WrittenLayer:
    """Write the layer of the wheel at ``wheel_path``; ``compiler`` ``None`` leaves bytecode out."""
    with opened(wheel_path, prefix) as wheel, Batches(compiler, wheel_path.parent) as batches:
        return _write(wheel, prefix, cache_tag, batches, archive.DigestingWriter(out))


@contextmanager
def opened(path: Path, prefix: Prefix) -> Iterator[Wheel]:
    """The wheel at ``path``; ``WheelRefused`` for what is found to be damaged while it is read."""
    try:
        with Wheel(path, prefix) as wheel:
            yield wheel
    except DAMAGED as error:
        raise WheelRefused(f"{path.name} is damaged ({error})") from error


def _write(
    wheel: Wheel, prefix: Prefix, cache_tag: str, batches: Batches, out: archive.DigestingWriter
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
    # Bytecode that a wheel brings is of its builder's files, and stale here: it would be compiled anew at each start.
    replaceable = set(expected)
    brought = {member.path: member for member in members if member.path in replaceable}
    for member in members:
        if member.path in brought:
            continue
        if id(member) in compilable:
            source = wheel.read(member)
            batches.add(member.path, source)
            out.write(archive.file(member.path, source, mode=0o755 if member.executable else 0o644))
        else:
            for piece in content(wheel, member):
                out.write(piece)
                batches.take_ready()
    compiled = []
    for source_path, pyc in batches.answers():
        path = pyc_path(source_path, cache_tag)
        if pyc is not None:
            out.write(archive.file(path, pyc))
            compiled.append(path)
        elif path in brought:
            for piece in content(wheel, brought[path]):
                out.write(piece)
    for path, data in scripts:
        out.write(archive.file(path, data, mode=0o755))
    for path, data in wheel.additions(scripts, brought.keys() & set(compiled)):
        out.write(archive.file(path, data))
    end = out.size
    out.write(archive.END)
    return WrittenLayer(
        diff_id=out.digest,
        size=out.size,
        body=(start, end),
        directories=tuple(directories),
        paths=tuple(sorted({*shipped, *own, *compiled})),
    )


def content(wheel: Wheel, member: Member) -> Iterator[bytes]:
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
