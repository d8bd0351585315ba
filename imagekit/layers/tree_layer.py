"""Layers of files that are no wheel: the environment, the source, files asked for by name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import BaseUnusable, InvalidProject
from imagekit.layers import archive
from imagekit.layers.directories import Directories
from imagekit.layers.values import WrittenLayer
from imagekit.plan.prefix import Prefix
from imagekit.plan.user import account_files
from imagekit.plan.values import User
from imagekit.spec.base import BaseImage, real_directory, real_path
from imagekit.spec.image import FileMapping
from imagekit.spec.source_tree import SourceTree, unreadable

_PIECE = 1 << 20


def write_environment(base: BaseImage, prefix: Prefix, user: User, workdir: str, out: BinaryIO) -> WrittenLayer:
    """The user's account, home and working directory; and a virtual environment without packages (PEP 405), if ours."""
    files = account_files(base, user)
    links: dict[str, str] = {}
    inside: list[str] = []
    if prefix.is_ours:
        made, links, inside = _virtual_environment(base, prefix)
        files.update(made)
    work = real_directory(workdir, base).lstrip("/")
    owned = ({work} if work else set()) | (set() if user.exists else {real_directory(user.home, base).lstrip("/")})
    directories = {*inside, *owned}
    directories |= set(archive.parents([*files, *links, *directories]))
    known = Directories(base.directories)
    writer = archive.DigestingWriter(out)
    for path in sorted(directories):
        writer.write(_owned(path, user) if path in owned else known.member(path))
    start = writer.size
    for path, data in sorted(files.items()):
        writer.write(archive.file(path, data))
    for path, target in sorted(links.items()):
        writer.write(archive.symlink(path, target))
    return _ended(writer, start, sorted(directories), [*files, *links])


def _virtual_environment(base: BaseImage, prefix: Prefix) -> tuple[dict[str, bytes], dict[str, str], list[str]]:
    """Files, links and empty directories of a virtual environment on ``base``."""
    python = base.python
    # Links stay what they are: a directory in a link's place would hide what lies behind it.
    if (real := real_directory(prefix.root, base)) != prefix.root:
        raise BaseUnusable(
            f"in {base.reference} {prefix.root} is {real}, by a link", hint="choose a base with a directory /opt"
        )
    root = prefix.root.lstrip("/")
    minor = f"python{python.minor}"
    home, _, _ = python.executable.rpartition("/")
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {python.version}\n"
    links = {
        f"{root}/bin/python": python.executable,
        f"{root}/bin/python3": "python",
        f"{root}/bin/{minor}": "python",
        f"{root}/lib64": "lib",
    }
    return {f"{root}/pyvenv.cfg": config.encode()}, links, [f"{root}/{prefix.scripts}", f"{root}/{prefix.site}"]


def write_whiteouts(paths: Iterable[str], base: BaseImage, out: BinaryIO) -> WrittenLayer:
    """Whiteouts of ``paths`` of the base (image-spec, layer.md): an empty file ``.wh.NAME`` hides ``NAME`` below."""
    hidden = sorted(paths)
    known = Directories(base.directories)
    writer = archive.DigestingWriter(out)
    directories = archive.parents(hidden)
    for path in directories:
        writer.write(known.member(path))
    start = writer.size
    whiteouts = ["/.wh.".join(("/" + path).rsplit("/", 1)).lstrip("/") for path in hidden]
    for path in whiteouts:
        writer.write(archive.file(path, b""))
    return _ended(writer, start, directories, whiteouts)


def write_contents(files: Iterable[tuple[str, bytes, int]], prefix: Prefix, out: BinaryIO) -> WrittenLayer:
    """Files given by ``(path, content, mode)``, owned by root, in directories of ``prefix``."""
    files = sorted(files)
    known = Directories(prefix.directories)
    writer = archive.DigestingWriter(out)
    directories = archive.parents(path for path, _, _ in files)
    for path in directories:
        writer.write(known.member(path))
    start = writer.size
    for path, data, mode in files:
        writer.write(archive.file(path, data, mode=mode))
    return _ended(writer, start, directories, [path for path, _, _ in files])


def write_files(
    files: Iterable[FileMapping], digests: Mapping[str, str], base: BaseImage, out: BinaryIO
) -> WrittenLayer:
    """Files asked for by name, owned by root, in directories that are left as ``base`` has them.

    ``digests`` has what each target's file is to be (``x:`` or ``-:`` and sha256); ``InvalidProject`` where it is not.
    """
    writer = archive.DigestingWriter(out)
    ordered = sorted(
        ((real_path(mapping.target, base).lstrip("/"), mapping) for mapping in files), key=lambda pair: pair[0]
    )
    directories = archive.parents(path for path, _ in ordered)
    known = Directories(base.directories)
    for path in directories:
        writer.write(known.member(path))
    start = writer.size
    for path, mapping in ordered:
        digest = digests[mapping.target]
        content = _copy(mapping.source, path, 0, 0, digest.startswith("x:"), writer)
        if digest[2:] != content:
            raise _changed(mapping.source)
    return _ended(writer, start, directories, [path for path, _ in ordered])


def write_source(
    tree: SourceTree, digest: str, workdir: str, user: User, base: BaseImage, out: BinaryIO
) -> WrittenLayer:
    """The project's source at ``workdir``, owned by ``user`` so that a flow may write beside it.

    ``digest`` is the tree's when it was first read; ``InvalidProject`` where it has changed since.
    """
    root = real_directory(workdir, base).strip("/")
    below = f"{root}/" if root else ""
    writer = archive.DigestingWriter(out)
    directories = [*archive.parents([root]), root] if root else []
    known = Directories(base.directories)
    for path in directories:
        writer.write(_owned(path, user) if path == root else known.member(path))
    start = writer.size
    contents: dict[str, str] = {}
    for file in tree.files:
        path = f"{below}{file.path}"
        if file.kind == "dir":
            writer.write(archive.directory(path, uid=user.uid, gid=user.gid))
        elif file.kind == "symlink":
            writer.write(archive.symlink(path, file.link_target or "", uid=user.uid, gid=user.gid))
        else:
            source = tree.root / file.path
            contents[file.path] = _copy(source, path, user.uid, user.gid, file.executable, writer)
    # The layer is kept under that digest for good: what was edited in between must not be.
    if tree.digest(contents) != digest:
        raise _changed(tree.root)
    return _ended(writer, start, directories, [f"{below}{file.path}" for file in tree.files])


def _owned(path: str, user: User) -> bytes:
    return archive.directory(path, uid=user.uid, gid=user.gid)


def _changed(path: Path) -> InvalidProject:
    return InvalidProject(f"{path} changed while it was read", hint="build again")


def _copy(source: Path, path: str, uid: int, gid: int, executable: bool, writer: archive.DigestingWriter) -> str:
    """Copy a file into the archive; the sha256 of its content, in hex."""
    content = hashlib.sha256()
    try:
        stream = open(source, "rb")  # noqa: SIM115 (a full disk, below, is another error)
    except OSError as problem:
        raise unreadable(source, problem) from None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        mode = 0o755 if executable else 0o644
        writer.write(archive.header(path, size=size, mode=mode, uid=uid, gid=gid))
        left = size
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise _changed(source)
            writer.write(piece)
            content.update(piece)
            left -= len(piece)
    writer.write(archive.padding(size))
    return content.hexdigest()


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
