"""Cache directories with entries of a given size and age."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from imagekit.layers import archive
from imagekit.layers.cache import Entry, LayerCache, read_entry
from imagekit.layers.values import WrittenLayer
from imagekit.oci.digest import Digest

HOUR, DAY = 3600.0, 86400.0


def key(number: int) -> Digest:
    return Digest("sha256:" + hashlib.sha256(b"%d" % number).hexdigest())


def put(root: Path, number: int, *, size: int = 10_000, age: float = 0.0, title: str = "") -> Entry:
    """A layer of ``size`` bytes that was used ``age`` seconds ago."""

    content = {f"d/{number}": os.urandom(size)}
    entry = LayerCache(root / "layers").put(key(number), lambda out: written(content, out), title=title)
    for path in entry.path.parent.glob(f"{entry.path.stem}.*"):
        aged(path, age)
    return entry


def written(files: Mapping[str, bytes], out: BinaryIO) -> WrittenLayer:
    """A layer of these files, in one directory each at most."""
    writer = archive.DigestingWriter(out)
    directories = tuple(archive.parents(files))
    for path in directories:
        writer.write(archive.directory(path))
    start = writer.size
    for path, data in files.items():
        writer.write(archive.file(path, data))
    end = writer.size
    writer.write(archive.END)
    return WrittenLayer(
        diff_id=writer.digest,
        size=writer.size,
        body=(start, end),
        directories=directories,
        paths=tuple(sorted(files)),
    )


def aged(path: Path, age: float) -> Path:
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def wheel(root: Path, content: bytes = b"wheel", *, age: float = 0.0) -> Path:
    path = root / "wheels" / hashlib.sha256(content).hexdigest() / "a-1-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return aged(path, age)


def kept(root: Path, *numbers: int) -> list[int]:
    """Those of the layers that are still there; looking does not count as use."""
    names = {number: key(number).removeprefix("sha256:") for number in numbers}
    return [n for n, name in names.items() if read_entry(root / "layers" / name[:2] / f"{name}.tar") is not None]


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
