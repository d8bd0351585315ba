"""The pairs that a spec is given by hand: environment, labels, files; checked before anything uses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from imagekit.errors import InvalidConfig, InvalidProject
from imagekit.spec.extra_pieces import VARIABLE as EXTRA_PACKAGES
from imagekit.spec.image import FileMapping

_CONTROL = re.compile(r"[\x00\n\r]")
# What imagekit itself writes: the virtual environment and the accounts.
_OWN = ("/opt/venv", "/etc/passwd", "/etc/group")


def check_env(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """``env`` in name order; ``InvalidConfig`` for a name or value that an image cannot hold, and
    ``InvalidRequirement`` for extra packages that no run of it could have."""
    found = _pairs(env, "environment variable", re.compile(r"[^\s=\x00-\x1f\x7f]+"))
    if text := env.get(EXTRA_PACKAGES):
        from imagekit.spec.extra_packages import read_extras

        read_extras(text)
    return found


def check_labels(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """``labels`` in name order; ``InvalidConfig`` for a name or value that an image cannot hold."""
    return _pairs(labels, "label", re.compile(r"[^\s=\x00-\x1f\x7f]+"))


def check_files(files: Mapping[str, str], context: Path, workdir: str = "/app") -> tuple[FileMapping, ...]:
    """``files`` (source in the context → absolute target), directories file by file, in target order.

    ``InvalidProject`` for a target that is, or lies in, what the image needs to be itself: ``workdir``,
    the virtual environment, the accounts, another target.
    """
    root = context.resolve()
    found: dict[str, FileMapping] = {}
    for source, target in files.items():
        path = path_in(root, source, "files")
        to = check_absolute(str(target), f"files: the target of {source!r}")
        if str(target).endswith("/") and not path.is_dir():
            to = f"{to}/{path.name}".replace("//", "/")
        if to == "/":
            raise InvalidProject(f"files: the target of {source!r} is '/'", hint="name a file below it")
        for file in sorted(p for p in path.rglob("*") if not p.is_dir()) if path.is_dir() else [path]:
            real = path_in(root, str(file), "files")
            below = to if file == path else f"{to}/{file.relative_to(path).as_posix()}"
            if below in found:
                raise InvalidProject(f"files: {below!r} is the target of two files", hint="take one of them out")
            found[below] = FileMapping(source=real, target=below)
    refuse_targets(found, workdir)
    return tuple(found[target] for target in sorted(found))


def refuse_targets(targets: Iterable[str], workdir: str) -> None:
    """``InvalidProject`` where a file at one of ``targets`` would take the place of something else."""
    known = set(targets)
    for target in sorted(known):
        if own := next((path for path in _OWN if within(target, path)), None):
            raise InvalidProject(f"files: {target!r} is imagekit's own ({own})", hint="choose another target")
        if within(workdir, target) or any(within(path, target) for path in _OWN):
            raise is_directory(target)
        if above := next((path for path in known if path != target and within(target, path)), None):
            raise InvalidProject(
                f"files: {target!r} lies below {above!r}, which is a file", hint="choose another target for one of them"
            )


def within(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or lies below it."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def is_directory(target: str) -> InvalidProject:
    """The error for a target that is a directory of the image."""
    return InvalidProject(
        f"files: {target!r} is a directory of the image", hint=f"name the file: {target.rstrip('/')}/NAME"
    )


def check_absolute(path: str, what: str) -> str:
    """An absolute path of the image in its shortest spelling; ``InvalidProject`` for any other."""
    if not path.startswith("/") or ".." in path.split("/") or _CONTROL.search(path) or "\\" in path:
        raise InvalidProject(f"{what} is {path!r}, no plain absolute path", hint="write /DIRECTORY/NAME, without '..'")
    return "/" + str(PurePosixPath(path)).strip("/")


def path_in(root: Path, path: str, what: str) -> Path:
    """``path`` relative to ``root``, with its links followed; ``InvalidProject`` where it is not there or outside."""
    try:
        real = (root / path).resolve()
        exists = real.exists()
    except (OSError, ValueError, RuntimeError):
        raise InvalidProject(f"{what}: {path!r} is not a path", hint="name a file of the project") from None
    if not real.is_relative_to(root.resolve()):
        raise InvalidProject(
            f"{what}: {path!r} is outside the project directory", hint=f"copy it into {root.name or 'the project'}/"
        )
    if not exists:
        raise InvalidProject(f"{what}: {path!r} is not there", hint=f"looked for {root / path}")
    if not (real.is_file() or real.is_dir()):
        raise InvalidProject(f"{what}: {path!r} is neither a file nor a directory", hint="name a plain file")
    return real


def _pairs(pairs: Mapping[str, str], what: str, name_pattern: re.Pattern[str]) -> tuple[tuple[str, str], ...]:
    for name, value in pairs.items():
        if not isinstance(name, str) or not name_pattern.fullmatch(name):
            raise InvalidConfig(
                f"{name!r} is no name for {'an' if what[0] == 'e' else 'a'} {what}",
                hint="a name is not empty, and has no space, '=' or control character",
            )
        if not isinstance(value, str):
            raise InvalidConfig(f"the {what} {name} is not a string", hint=f'write "{name}": "{value}"')
        if _CONTROL.search(value) or not _is_utf8(value):
            raise InvalidConfig(
                f"the {what} {name} has a line break, a NUL or no valid text in it", hint="pass it as a file instead"
            )
    return tuple(sorted(pairs.items()))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
