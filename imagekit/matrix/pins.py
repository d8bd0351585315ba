"""Writing into a matrix's file which images its bases are: the digests that their tags name now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix.bases import newest_digest, unpinned
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.values import REGISTRY

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline


def newest_pins(table: MatrixTable, pipeline: Pipeline) -> dict[str, str]:
    """By each Python the digest that its base's tag names in the registry now. Raises what asking raises."""
    if table.base is None or table.base.source != REGISTRY:
        raise InputError("this matrix has no bases of a registry", hint='[base] with source = "registry" names them')
    return {python: newest_digest(unpinned(table, python), pipeline) for python in table.python}


def write_pins(path: Path, pins: Mapping[str, str]) -> bool:
    """Make ``[base.digest]`` of the file at ``path`` say ``pins``; whether it said otherwise. Comments stay."""
    import tomlkit

    try:
        document: Any = tomlkit.parse(path.read_text(encoding="utf-8"))
        base = document["base"]
        if dict(base.get("digest") or {}) == dict(pins):
            return False
        table = tomlkit.table()
        for python, digest in pins.items():
            table[python] = digest
        base["digest"] = table
        write_whole(path.resolve(), tomlkit.dumps(document).encode(), mode=0o644)
    except OSError as error:
        words = "\n".join(f'"{python}" = "{digest}"' for python, digest in pins.items())
        raise InvalidConfig(
            f"{path} cannot be changed: {error.strerror}", hint="write into it: [base.digest]", details=words
        ) from None
    return True
