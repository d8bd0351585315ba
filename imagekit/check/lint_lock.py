"""What lint says of a lock: hashes, its Python, and, where the index is asked, versions that were yanked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from imagekit.check.lint import Finding, finding
from imagekit.errors import ResolveError
from imagekit.lock.access import IndexAccess
from imagekit.lock.locked_base import locked_base
from imagekit.lock.pylock import LockFile
from imagekit.lock.target import Target
from imagekit.lock.uv import REQUIREMENTS, compile_pylock
from imagekit.oci.digest import is_digest
from imagekit.oci.platform import Platform
from imagekit.spec.image import ImageSpec


def notes_base(file: LockFile | None) -> bool:
    """Whether the lock knows which base it was made on."""
    return file is not None and file.own is not None and locked_base(file.own) is not None


def lint_lock(file: LockFile, spec: ImageSpec) -> Iterator[Finding]:
    """What is said of a ``pylock.toml``."""
    name = file.origin.name
    lines = file.origin.read_text("utf-8", errors="replace").splitlines()
    for package in file.pylock.packages:
        files: list[Any] = [*(package.wheels or ()), *filter(None, (package.sdist, package.archive))]
        for each in files:
            if not is_digest(f"sha256:{(each.hashes or {}).get('sha256', '')}"):
                yield finding(
                    "lock-unhashed",
                    f"a file of {package.name} has no sha256, so nothing holds it to what was locked",
                    "make the lock anew: imagekit lock",
                    file=name,
                    line=_line_of(lines, package.name),
                )
                break
    python = str((file.own or {}).get("python") or "")
    if python and spec.requires_python and not SpecifierSet(spec.requires_python).contains(python, prereleases=True):
        yield finding(
            "requires-python",
            f"the lock is for Python {python}, and requires-python is {spec.requires_python}",
            "make the lock anew: imagekit lock",
            file=name,
            line=_line_of(lines, python, key="python"),
        )


def _line_of(lines: list[str], value: str, *, key: str = "name") -> int | None:
    wanted = f'{key} = "{value}"'
    return next((number for number, line in enumerate(lines, 1) if line.strip() == wanted), None)


def lint_yanked(file: LockFile, spec: ImageSpec, access: IndexAccess) -> Iterator[Finding]:
    """The versions of the lock that the index says were yanked (PEP 592). Nothing is downloaded but what it says."""
    # What is built from source would have to be built for its metadata.
    pins = [f"{p.name}=={p.version}" for p in file.pylock.packages if p.version is not None and p.wheels]
    if not pins:
        return
    python = str((file.own or {}).get("python") or f"{spec.python or '3.11'}.0")
    target = Target(python=python, platform=Platform.host(), libc="glibc", libc_version="2.36", markers=())
    said: list[str] = []
    text = "".join(f"{pin}\n" for pin in pins)
    lines = file.origin.read_text("utf-8", errors="replace").splitlines()
    try:
        compile_pylock({REQUIREMENTS: text.encode()}, target, access=access, no_deps=True, say=said.append)
    except ResolveError as error:
        hint = error.hint or "look whether the index is to be had: imagekit doctor"
        yield finding("yanked", f"the index could not be asked: {error.message}", hint, file=file.origin.name)
    for words in said:
        which, _, why = words.partition(" was yanked")
        name = which.partition("==")[0]
        yield finding(
            "yanked",
            f"{which} was yanked{why.partition(';')[0]}",
            "take another version: imagekit lock --upgrade",
            file=file.origin.name,
            line=_line_of(lines, name),
        )


def read_lock(path: Path | None) -> LockFile | None:
    """The project's ``pylock.toml``; ``None`` where it has none, or another program's. Raises ``InvalidProject``."""
    from imagekit.errors import InvalidProject
    from imagekit.lock.pylock import parse

    if path is None or path.suffix != ".toml" or "pylock" not in path.name:
        return None
    try:
        return parse(path.read_bytes().decode("utf-8-sig"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProject(f"{path.name}: cannot be read: {error}", hint="make it anew: imagekit lock") from None
