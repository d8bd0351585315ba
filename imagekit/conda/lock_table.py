"""A conda lock as a table of TOML: ``[tool.imagekit.conda]`` of a ``pylock.toml``, and what the cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from imagekit.conda.values import CondaLock, CondaPackage
from imagekit.errors import InvalidProject
from imagekit.oci.digest import Digest, digest_of_json, is_digest
from imagekit.spec.conda import CondaWanted

KEY = "conda"
# Part of every digest of inputs: raised when the same ones are to be solved in another way.
FORMAT = 1
_REQUIRED = ("name", "version", "build", "subdir", "channel", "url", "filename", "sha256")


def inputs_digest(wanted: CondaWanted, subdir: str, virtual: tuple[tuple[str, str, str], ...]) -> Digest:
    """The digest of all that decides what ``wanted`` is solved to; where it was written is no part of it."""
    return digest_of_json(
        {
            "format": FORMAT,
            "packages": sorted({line.text for line in wanted.packages}),
            "channels": list(wanted.channels),
            "priority": wanted.priority,
            "subdir": subdir,
            "virtual": sorted(virtual),
        }
    )


def table_of(lock: CondaLock) -> dict[str, Any]:
    """``lock`` as TOML has it: what is empty is left out."""
    return {"inputs": lock.inputs, "subdir": lock.subdir, "packages": [_package(p) for p in lock.packages]}


def _package(package: CondaPackage) -> dict[str, Any]:
    values = {each.name: getattr(package, each.name) for each in fields(package)}
    return {
        name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value or name in _REQUIRED
    }


def lock_of(table: object, origin: str) -> CondaLock:
    """The lock in ``table``, read from ``origin``; ``InvalidProject`` for what is none."""
    try:
        assert isinstance(table, Mapping)
        if not is_digest(str(table["inputs"])):
            raise ValueError("inputs is no digest")
        packages = [_read(each) for each in table["packages"]]
        return CondaLock(
            packages=tuple(sorted(packages, key=lambda p: p.name)),
            inputs=Digest(str(table["inputs"])),
            subdir=str(table["subdir"]),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as problem:
        what = f"has no {problem}" if isinstance(problem, KeyError) else str(problem) or "is no table"
        raise InvalidProject(
            f"{origin}: [tool.imagekit.conda] cannot be read: {what}", hint="make the lock anew: imagekit lock"
        ) from None


def _read(table: Mapping[str, Any]) -> CondaPackage:
    known = {each.name.replace("_", "-"): each.name for each in fields(CondaPackage)}
    values: dict[str, Any] = {known[name]: value for name, value in table.items() if name in known}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    package = CondaPackage(**values)
    texts = (getattr(package, name) for name in _REQUIRED)
    if not all(isinstance(text, str) for text in texts) or not _is_sha256(package.sha256):
        raise ValueError(f"{package.name} has no sha256")
    if "/" in package.filename or package.filename in ("", ".", ".."):
        raise ValueError(f"{package.filename!r} is no file name")
    return package


def _is_sha256(text: str) -> bool:
    return is_digest(f"sha256:{text}")
