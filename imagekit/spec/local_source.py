"""Directories, wheels and source distributions on this machine that a requirement names by a path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from imagekit.errors import InputError, InvalidRequirement
from imagekit.oci.digest import digest_of_json, digest_of_stream
from imagekit.spec.image import LocalSource
from imagekit.spec.source_tree import scan
from imagekit.spec.toml import read_toml

if TYPE_CHECKING:
    from configparser import RawConfigParser

# What uv unpacks (``uv build --help``: "source distributions", .tar.gz and .zip; .tgz is the former).
SDISTS = (".tar.gz", ".tgz", ".zip")
# What a project's name, version and requirements are read from.
_DECLARING = ("pyproject.toml", "setup.cfg", "setup.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a path that is not absolute begins, and the directory that no path may leave.

    ``root`` is ``None`` for what a person names as an argument: that may lie anywhere.
    """

    base: Path
    root: Path | None


def local_source(path: str, places: Places, origin: str) -> LocalSource:
    """What lies at ``path``; ``InvalidRequirement`` where it is outside, not there, or nothing to install."""
    real = path_within(path, places, origin)
    if real.is_dir():
        return _directory(real, path, origin)
    if not path.lower().endswith((".whl", *SDISTS)):
        raise InvalidRequirement(
            f"{origin}: {path!r} is neither a directory, a wheel nor a source distribution",
            hint="name a directory with a pyproject.toml, a .whl, a .tar.gz or a .zip",
        )
    try:
        with real.open("rb") as stream:
            digest = digest_of_stream(stream)
    except OSError as problem:
        raise InvalidRequirement(
            f"{origin}: {path!r} cannot be read: {problem.strerror}", hint=f"see: ls -l {real}"
        ) from None
    return LocalSource(path=real, content=digest, metadata=digest)


def path_within(path: str, places: Places, origin: str) -> Path:
    """``path`` with its links followed; ``InvalidRequirement`` where it is not there, or leaves ``places.root``."""
    try:
        real = (places.base / Path(path).expanduser()).resolve()
        is_there = real.exists()
    except (OSError, ValueError, RuntimeError):
        raise InvalidRequirement(f"{origin}: {path!r} is not a path", hint="name a file or directory") from None
    if places.root is not None and not real.is_relative_to(places.root.resolve()):
        raise InvalidRequirement(
            f"{origin}: {path!r} is outside the project directory",
            hint="copy it into the project, or name it as an argument: imagekit build --package PATH",
        )
    if not is_there:
        raise InvalidRequirement(f"{origin}: {path!r} is not there", hint=f"looked for {real}")
    return real


def path_of_url(url: str, origin: str) -> str:
    """The path of a ``file:`` URL, which may also be a relative one (``file:./wheels/x.whl``)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidRequirement(f"{origin}: {url!r} is not a URL", hint="write file:///PATH") from None
    if parts.netloc not in ("", "localhost") or parts.query:
        raise InvalidRequirement(f"{origin}: {url!r} names another machine's file", hint="write file:///PATH")
    path = unquote(parts.path)
    if not path or "\0" in path:
        raise InvalidRequirement(f"{origin}: {url!r} names no file", hint="write file:///PATH")
    return path


def declared_name(path: Path) -> str | None:
    """The normalized name that the file or directory ``path`` says it has; ``None`` where only a build can say it."""
    if path.is_dir():
        names = (name for name in _names(path) if isinstance(name, str))
        found = next(names, None)
        return None if found is None else canonicalize_name(found)
    try:
        if path.name.endswith(".whl"):
            return parse_wheel_filename(path.name)[0]
        return parse_sdist_filename(path.name)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def read_setup_cfg(directory: Path) -> RawConfigParser:
    """The ``setup.cfg`` of ``directory``; one that is not there or cannot be read says nothing."""
    import configparser

    parser = configparser.RawConfigParser()
    with suppress(OSError, ValueError, configparser.Error):
        parser.read_string((directory / "setup.cfg").read_text("utf-8"))
    return parser


def _directory(real: Path, path: str, origin: str) -> LocalSource:
    declaring = [real / name for name in _DECLARING if (real / name).is_file()]
    if not {"pyproject.toml", "setup.py"} & {file.name for file in declaring}:
        raise InvalidRequirement(
            f"{origin}: {path!r} is no Python project: it has neither pyproject.toml nor setup.py",
            hint="name the directory that has one",
        )
    try:
        metadata = digest_of_json({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in declaring})
        content = scan(real).digest()
    except InputError as problem:
        raise InvalidRequirement(f"{origin}: {path!r}: {problem.message}", hint=problem.hint) from None
    except OSError as problem:
        raise InvalidRequirement(
            f"{origin}: {path!r} cannot be read: {problem.strerror}", hint=f"see: ls -l {real}"
        ) from None
    return LocalSource(path=real, content=content, metadata=metadata)


def _names(directory: Path) -> Iterator[Any]:
    """Where tools write a project's name, the standard place first; what cannot be read says nothing."""
    try:
        tables = read_toml(directory / "pyproject.toml", InvalidRequirement)
    except InputError:
        tables = {}
    tool = tables.get("tool")
    for table in (tables.get("project"), tool.get("poetry") if isinstance(tool, dict) else None):
        if isinstance(table, dict):
            yield table.get("name")
    # Old projects alone get here.
    import ast

    yield read_setup_cfg(directory).get("metadata", "name", fallback=None)
    try:
        tree = ast.parse((directory / "setup.py").read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == "setup":
            for keyword in call.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    yield keyword.value.value
