"""One conda package → one layer: a tar archive with everything that linking it into a prefix would write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from imagekit.conda.package_file import CondaFile
from imagekit.conda.paths import PackagePath, noarch_of, package_paths
from imagekit.conda.prefix_record import prefix_record
from imagekit.conda.prefix_text import with_prefix
from imagekit.conda.values import CondaPackage, PythonPlace
from imagekit.errors import CondaRefused
from imagekit.layers import archive
from imagekit.layers.batches import Batches
from imagekit.layers.bytecode import Compiler, pyc_path
from imagekit.layers.directories import Directories
from imagekit.layers.values import WrittenLayer
from imagekit.layers.wheel import LARGEST_HELD, script

# A file with a prefix in it is read whole.
_LARGEST_REPLACED = 1 << 30
_LINK, _PYC, _ENTRY_POINT = "softlink", "pyc_file", "unix_python_entry_point"


def write_package_layer(
    path: Path,
    package: CondaPackage,
    prefix: str,
    python: PythonPlace | None,
    special: Iterable[tuple[str, int, int, int]],
    compiler: Compiler | None,
    out: BinaryIO,
) -> WrittenLayer:
    """Write the layer of ``package``, whose verified file is at ``path``, in the directory ``prefix``.

    ``python`` is where a noarch package's modules go, which ``compiler`` compiles; ``special`` are the base's
    directories that are not 0755 root's. Raises ``CondaRefused``.
    """
    with CondaFile(path) as opened, Batches(compiler, path.parent) as batches:
        return _Writing(opened, package, prefix, python, batches, out).write(special)


@dataclass
class _Writing:
    opened: CondaFile
    package: CondaPackage
    prefix: str
    python: PythonPlace | None
    batches: Batches
    stream: BinaryIO
    rows: list[dict[str, Any]] = field(default_factory=list)  # of paths_data

    def write(self, special: Iterable[tuple[str, int, int, int]]) -> WrittenLayer:
        noarch = noarch_of(self.opened)
        if noarch is not None and self.python is None:
            raise CondaRefused(f"{self.opened.filename} is a package of Python's, and the environment has no Python")
        place = self.python if noarch is not None else None
        files = sorted(
            ((_target(each.path, place), each) for each in package_paths(self.opened)), key=lambda pair: pair[0]
        )
        scripts = self._entry_points(noarch.entry_points) if noarch is not None else {}
        files = [(target, each) for target, each in files if target not in scripts]
        sources = self._sources([target for target, _ in files], dict(files), place)
        own = [*(target for target, _ in files), *scripts]
        compiled = [self._pyc(target) for target in sources]
        record = f"conda-meta/{self.package.dist}.json"
        paths = [self._at(name) for name in (*own, *compiled, record)]
        if len(set(own)) != len(own):
            raise CondaRefused(f"{self.opened.filename} has two files for one place")
        writer = archive.DigestingWriter(self.stream)
        directories = archive.parents(paths)
        known = Directories(special)
        for directory in directories:
            writer.write(known.member(directory))
        start = writer.size
        for target, each in files:
            for piece in self._member(target, each, compile_it=target in sources):
                writer.write(piece)
            self.batches.take_ready()
        for target, data in sorted(scripts.items()):
            writer.write(archive.file(self._at(target), data, mode=0o755))
            self._row(target, _ENTRY_POINT, data)
        written = self._write_compiled(writer, {target for target, _ in files})
        data = prefix_record(self.package, self.opened.json("index.json") or {}, self.rows)
        writer.write(archive.file(self._at(record), data))
        end = writer.size
        writer.write(archive.END)
        return WrittenLayer(
            diff_id=writer.digest,
            size=writer.size,
            body=(start, end),
            directories=tuple(directories),
            paths=tuple(sorted(self._at(name) for name in (*own, *written, record))),
        )

    def _at(self, target: str) -> str:
        return f"{self.prefix.lstrip('/')}/{target}"

    def _pyc(self, target: str) -> str:
        assert self.python is not None
        return pyc_path(target, self.python.cache_tag)

    def _sources(self, targets: list[str], files: dict[str, PackagePath], place: PythonPlace | None) -> set[str]:
        """Modules of a noarch package: others bring their bytecode along."""
        if place is None or not self.batches.compiles:
            return set()
        return {
            target
            for target in targets
            if target.endswith(".py")
            and target.startswith(f"{place.site}/")
            and files[target].member.link is None
            and files[target].member.size <= LARGEST_HELD
        }

    def _member(self, target: str, each: PackagePath, *, compile_it: bool) -> Iterator[bytes]:
        member, path = each.member, self._at(target)
        if member.link is not None:
            yield archive.symlink(path, member.link)
            self.rows.append({"_path": target, "path_type": _LINK, "size_in_bytes": 0})
            return
        mode = 0o755 if member.executable else 0o644
        if each.placeholder or compile_it:
            data = self._replaced(each)
            if compile_it:
                self.batches.add(path, data)
            yield archive.header(path, size=len(data), mode=mode, mtime=member.mtime)
            yield data
            yield archive.padding(len(data))
            self._row(target, each.kind, data, each)
            return
        yield archive.header(path, size=member.size, mode=mode, mtime=member.mtime)
        sha256, size = hashlib.sha256(), 0
        for piece in self.opened.stream(each.path):
            sha256.update(piece)
            size += len(piece)
            yield piece
        if size != member.size:
            raise CondaRefused(f"{self.opened.filename} is damaged ({each.path} has {size} bytes, not {member.size})")
        yield archive.padding(size)
        row = {"_path": target, "path_type": each.kind, "sha256": sha256.hexdigest(), "size_in_bytes": size}
        self.rows.append({**row, "sha256_in_prefix": sha256.hexdigest(), **({"no_link": True} if each.no_link else {})})

    def _replaced(self, each: PackagePath) -> bytes:
        if each.member.size > _LARGEST_REPLACED:
            raise CondaRefused(f"{self.opened.filename}: {each.path} is too large to have a prefix written into it")
        data = b"".join(self.opened.stream(each.path))
        if not each.placeholder:
            return data
        where = f"{self.opened.filename}: {each.path}"
        return with_prefix(data, each.placeholder, self.prefix, each.mode, where=where)

    def _row(self, target: str, kind: str, data: bytes, each: PackagePath | None = None) -> None:
        row: dict[str, Any] = {"_path": target, "path_type": kind, "size_in_bytes": len(data)}
        row["sha256_in_prefix"] = hashlib.sha256(data).hexdigest()
        if each is not None and each.placeholder:
            row |= {"prefix_placeholder": self.prefix, "file_mode": each.mode}
        self.rows.append(row)

    def _entry_points(self, points: Iterable[str]) -> dict[str, bytes]:
        found = {}
        for point in points:
            name, _, value = (part.strip() for part in point.partition("="))
            try:
                found[f"bin/{name}"] = script(name, value, "console", f"{self.prefix}/bin/python")
            except ValueError as error:
                raise CondaRefused(f"{self.opened.filename}: {error}") from error
        return found

    def _write_compiled(self, writer: archive.DigestingWriter, shipped: set[str]) -> list[str]:
        names = []
        below = self.prefix.lstrip("/") + "/"
        for path, pyc in self.batches.answers():
            target = self._pyc(path.removeprefix(below))
            if pyc is None or target in shipped:
                continue
            writer.write(archive.file(self._at(target), pyc))
            self._row(target, _PYC, pyc)
            names.append(target)
        return names


def _target(path: str, place: PythonPlace | None) -> str:
    """Where a package's file goes in the prefix (CEP 20: noarch packages of Python's have two places of their own)."""
    if place is not None and path.startswith("site-packages/"):
        return f"{place.site}/{path.removeprefix('site-packages/')}"
    if place is not None and path.startswith("python-scripts/"):
        return f"bin/{path.removeprefix('python-scripts/')}"
    return path
