"""The project's source as it goes into an image: which files, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InputError, InvalidProject
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.spec.ignore import IgnoreRules, State

# Version control, caches and environments of tools: never source, by their names alone.
_SKIPPED_DIRECTORIES = frozenset(
    """.git .hg .svn __pycache__ node_modules .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints
    .tox .nox .eggs .direnv .terraform .cache .imagekit""".split()
)
_SKIPPED_NAMES = frozenset({".DS_Store", ".env", ".git"})
# What people write a .dockerignore for.
SKIPPED = (".git", ".venv", "__pycache__", "node_modules", ".env")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One entry of a source tree."""

    path: str  # posix, relative to the context
    kind: str  # "file", "dir" or "symlink"
    executable: bool = False  # by its owner; files only
    size: int = 0  # bytes; files only
    link_target: str | None = None  # as it is written; symlinks only


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """The entries below ``root`` in path order, directories before what is in them."""

    root: Path
    files: tuple[SourceFile, ...]
    rules: str | None = None  # the name of the file that says which; None: imagekit's own rules

    def digest(self, contents: Mapping[str, str] | None = None) -> Digest:
        """The digest of paths, kinds, executable bits, link targets and contents.

        Times, owners, the umask and where the tree lies do not enter it. Files are read, unless
        ``contents`` has the sha256 (hex) of each by its path.
        """

        def content(file: SourceFile) -> str | None:
            return self._content(file) if contents is None or file.kind != "file" else contents[file.path]

        return digest_of_json([[f.path, f.kind, f.executable, content(f)] for f in self.files])

    def contents(self) -> dict[str, str]:
        """The sha256 (hex) of each file's content by its path; all are read."""
        return {file.path: self._read(file) for file in self.files if file.kind == "file"}

    def _content(self, file: SourceFile) -> str | None:
        return self._read(file) if file.kind == "file" else file.link_target

    def _read(self, file: SourceFile) -> str:
        hashed = hashlib.sha256()
        try:
            with open(self.root / file.path, "rb", buffering=0) as stream:
                while chunk := stream.read(_CHUNK):
                    hashed.update(chunk)
        except OSError as problem:
            raise unreadable(self.root / file.path, problem) from None
        return hashed.hexdigest()


def unreadable(path: Path, problem: OSError) -> InvalidProject:
    """The error for a file of the project that cannot be read when it is to go into the image."""
    return InvalidProject(
        f"{path} cannot be read: {problem.strerror}",
        hint=f"see: ls -l {path}; leave it out by .dockerignore, or build again if it was just being changed",
    )


def scan(context: Path, dockerignore: Path | None = None, *, by_default: bool = True) -> SourceTree:
    """The files of ``context`` that go into an image.

    With a ``.dockerignore`` (``dockerignore``, or the context's own) exactly those that BuildKit
    would send; without one all but version control, virtual environments, caches and ``.env``, or,
    where there are no rules ``by_default``, all.
    What cannot be sent (sockets, fifos, devices, unreadable files) is named in one ``InvalidProject``.
    """
    rules_file = dockerignore or context / ".dockerignore"
    has_rules = dockerignore is not None or rules_file.is_file()
    if has_rules:
        walk = _walk_by_rules(context, _read_rules(rules_file))
    else:
        walk = _walk_by_default(context, "") if by_default else _walk_by_rules(context, IgnoreRules())
    files: list[SourceFile] = []
    problems: list[InputError] = []
    for found in walk:
        if isinstance(found, SourceFile):
            files.append(found)
        else:
            problems.append(found)
    if problems:
        raise InputError.join(problems)
    rules = rules_file.name if has_rules else None
    return SourceTree(root=context, files=tuple(sorted(files, key=lambda f: f.path)), rules=rules)


def tree_digest(directory: Path) -> Digest | None:
    """The digest of all that is below ``directory``; ``None`` where something there is no source."""
    try:
        return scan(directory, Path(os.devnull)).digest()
    except InputError:
        return None


def _read_rules(path: Path) -> IgnoreRules:
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as problem:
        raise InvalidProject(f"{path.name} cannot be read: {problem.strerror}", hint=f"looked for {path}") from None
    return IgnoreRules.parse(text, path.name)


_Found = SourceFile | InvalidProject


def _walk_by_default(context: Path, below: str) -> Iterator[_Found]:
    for entry in _entries(context / below, below):
        if isinstance(entry, InvalidProject):
            yield entry
            continue
        if entry.name in _SKIPPED_NAMES or entry.name.endswith(".pyc"):
            continue
        is_directory = entry.is_dir(follow_symlinks=False)
        if is_directory and (
            entry.name in _SKIPPED_DIRECTORIES or os.path.isfile(os.path.join(entry.path, "pyvenv.cfg"))
        ):
            continue
        path = below + entry.name
        yield _source_file(entry, path)
        if is_directory:
            yield from _walk_by_default(context, path + "/")


def _walk_by_rules(context: Path, rules: IgnoreRules, below: str = "", above: State = ()) -> Iterator[_Found]:
    for entry in _entries(context / below, below):
        if isinstance(entry, InvalidProject):
            yield entry
            continue
        path = below + entry.name
        excluded, state = rules.step(path, above)
        if not entry.is_dir(follow_symlinks=False):
            if not excluded:
                yield _source_file(entry, path)
            continue
        if excluded and not rules.may_include_below(path):
            continue
        inside = list(_walk_by_rules(context, rules, path + "/", state))
        # A directory that is excluded comes along only for what a later pattern brought back.
        if not excluded or any(isinstance(found, SourceFile) for found in inside):
            yield _source_file(entry, path)
        yield from inside


def _entries(directory: Path, below: str) -> list[os.DirEntry[str] | InvalidProject]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as problem:
        name = below.rstrip("/") or str(directory)
        return [_refused(name, f"cannot be read: {problem.strerror}")]


_SPECIAL: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "is a fifo"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def _source_file(entry: os.DirEntry[str], path: str) -> _Found:
    try:
        path.encode()
        if entry.is_symlink():
            target = os.readlink(entry.path)
            target.encode()
            return SourceFile(path=path, kind="symlink", link_target=target)
        info = entry.stat(follow_symlinks=False)
    except UnicodeEncodeError:
        return _refused(ascii(path), "has a name or a link target that is not UTF-8")
    except OSError as problem:
        return _refused(path, f"cannot be read: {problem.strerror}")
    if stat.S_ISDIR(info.st_mode):
        return SourceFile(path=path, kind="dir")
    for is_special, words in _SPECIAL:
        if is_special(info.st_mode):
            return _refused(path, words)
    if not os.access(entry.path, os.R_OK):
        return _refused(path, "cannot be read: Permission denied")
    return SourceFile(path=path, kind="file", executable=bool(info.st_mode & stat.S_IXUSR), size=info.st_size)


def _refused(path: str, words: str) -> InvalidProject:
    return InvalidProject(f"{path} {words}", hint="remove it, or name it in .dockerignore")
