"""Layers of files that are no wheel: the environment, the source, files asked for by name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import InvalidProject
from imagekit.layers import archive
from imagekit.layers.wheel_layer import WrittenLayer
from imagekit.plan.prefix import Prefix
from imagekit.plan.user import account_files
from imagekit.plan.values import User
from imagekit.spec.base import BaseImage
from imagekit.spec.image import FileMapping
from imagekit.spec.source_tree import SourceTree

_PIECE = 1 << 20


def write_environment(base: BaseImage, prefix: Prefix, user: User, workdir: str, out: BinaryIO) -> WrittenLayer:
    """A virtual environment without packages (PEP 405), the user's account, home and working directory."""
    python = base.python
    root = prefix.root.lstrip("/")
    minor = f"python{python.minor}"
    home, _, _ = python.executable.rpartition("/")
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {python.version}\n"
    files = {f"{root}/pyvenv.cfg": config.encode(), **account_files(base, user)}
    links = {
        f"{root}/bin/python": python.executable,
        f"{root}/bin/python3": "python",
        f"{root}/bin/{minor}": "python",
        f"{root}/lib64": "lib",
    }
    owned = {workdir.lstrip("/")} | (set() if user.exists else {user.home.lstrip("/")})
    directories = {f"{root}/{prefix.scripts}", f"{root}/{prefix.site}", *owned}
    directories |= set(archive.parents([*files, *links, *directories]))
    writer = archive.DigestingWriter(out)
    for path in sorted(directories):
        writer.write(_owned(path, user) if path in owned else _directory(path, base))
    start = writer.size
    for path, data in sorted(files.items()):
        writer.write(archive.file(path, data))
    for path, target in sorted(links.items()):
        writer.write(archive.symlink(path, target))
    return _ended(writer, start, sorted(directories), [*files, *links])


def write_contents(files: Iterable[tuple[str, bytes, int]], out: BinaryIO) -> WrittenLayer:
    """Files given by ``(path, content, mode)``, owned by root."""
    files = sorted(files)
    writer = archive.DigestingWriter(out)
    directories = archive.parents(path for path, _, _ in files)
    for path in directories:
        writer.write(archive.directory(path))
    start = writer.size
    for path, data, mode in files:
        writer.write(archive.file(path, data, mode=mode))
    return _ended(writer, start, directories, [path for path, _, _ in files])


def write_files(files: Iterable[FileMapping], base: BaseImage, out: BinaryIO) -> WrittenLayer:
    """Files asked for by name, owned by root, in directories that are left as ``base`` has them."""
    writer = archive.DigestingWriter(out)
    ordered = sorted((real_path(mapping.target, base).lstrip("/"), mapping.source) for mapping in files)
    directories = archive.parents(path for path, _ in ordered)
    for path in directories:
        writer.write(_directory(path, base))
    start = writer.size
    for path, source in ordered:
        _copy(source, path, 0, 0, os.access(source, os.X_OK), writer)
    return _ended(writer, start, directories, [path for path, _ in ordered])


def write_source(tree: SourceTree, workdir: str, user: User, base: BaseImage, out: BinaryIO) -> WrittenLayer:
    """The project's source at ``workdir``, owned by ``user`` so that a flow may write beside it."""
    root = workdir.strip("/")
    writer = archive.DigestingWriter(out)
    directories = [*archive.parents([root]), root]
    for path in directories:
        writer.write(_owned(path, user) if path == root else _directory(path, base))
    start = writer.size
    for file in tree.files:
        path = f"{root}/{file.path}"
        if file.kind == "dir":
            writer.write(archive.directory(path, uid=user.uid, gid=user.gid))
        elif file.kind == "symlink":
            writer.write(archive.symlink(path, file.link_target or "", uid=user.uid, gid=user.gid))
        else:
            _copy(tree.root / file.path, path, user.uid, user.gid, file.executable, writer)
    return _ended(writer, start, directories, [f"{root}/{file.path}" for file in tree.files])


def real_path(path: str, base: BaseImage) -> str:
    """``path`` with the base's links to directories followed, so that no layer puts a directory in a link's place."""
    links = dict(base.links)
    done = ""
    for part in path.strip("/").split("/")[:-1]:
        done = links.get(f"{done}/{part}", f"{done}/{part}")
    return f"{done}/{path.rpartition('/')[2]}"


def _directory(path: str, base: BaseImage) -> bytes:
    for known, mode, uid, gid in base.directories:
        if known.lstrip("/") == path:
            return archive.directory(path, mode=mode, uid=uid, gid=gid)
    return archive.directory(path)


def _owned(path: str, user: User) -> bytes:
    return archive.directory(path, uid=user.uid, gid=user.gid)


def _copy(source: Path, path: str, uid: int, gid: int, executable: bool, writer: archive.DigestingWriter) -> None:
    with open(source, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        mode = 0o755 if executable else 0o644
        writer.write(archive.header(path, size=size, mode=mode, uid=uid, gid=gid))
        left = size
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise InvalidProject(f"{source} became shorter while it was read", hint="build again")
            writer.write(piece)
            left -= len(piece)
    writer.write(archive.padding(size))


def _ended(
    writer: archive.DigestingWriter, start: int, directories: Iterable[str], paths: Iterable[str]
) -> WrittenLayer:
    end = writer.size
    writer.write(archive.END)
    return WrittenLayer(
        diff_id=writer.digest,
        size=writer.size,
        body=(start, end),
        directories=tuple(directories),
        paths=tuple(sorted(paths)),
    )
