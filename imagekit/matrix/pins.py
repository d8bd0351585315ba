"""Writing into a matrix's file which images its bases are: the digests that their tags name now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import rewrite
from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix.bases import newest_digest, unpinned
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.values import REGISTRY
from imagekit.spec.toml import parse_toml, toml_text, with_line_ends_of

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline


_BY_HAND = "write into it what the details are"


def newest_pins(table: MatrixTable, pipeline: Pipeline) -> dict[str, str]:
    """By each Python the digest that its base's tag names in the registry now. Raises what asking raises."""
    if table.base is None or table.base.source != REGISTRY:
        raise InputError("this matrix has no bases of a registry", hint='[base] with source = "registry" names them')
    return {python: newest_digest(unpinned(table, python), pipeline) for python in table.python}


def write_pins(path: Path, pins: Mapping[str, str]) -> bool:
    """Make ``[base.digest]`` of the file at ``path`` say ``pins``; whether it said otherwise. Comments stay."""
    text = toml_text(path, InvalidConfig)
    parsed = parse_toml(text, path.name, InvalidConfig)
    wanted = {**parsed, "base": {**parsed["base"], "digest": dict(pins)}}
    if parsed == wanted:
        return False
    written = _with_pins(text, pins)
    lines = "\n".join(["[base.digest]", *(f'"{python}" = "{digest}"' for python, digest in pins.items())])
    # Tables may be written in ways that are not changed without harm: base.source = …, base = {…}.
    if written is None or parse_toml(written, path.name, InvalidConfig) != wanted:
        why = "its [base] is written in a way that cannot be added to"
        raise InvalidConfig(f"{path} cannot be changed: {why}", hint=_BY_HAND, details=lines)
    rewrite(path, with_line_ends_of(text, written).encode(), InvalidConfig, hint=_BY_HAND, details=lines)
    return True


def _with_pins(text: str, pins: Mapping[str, str]) -> str | None:
    import tomlkit

    try:
        document: Any = tomlkit.parse(text)
        table = tomlkit.table()
        for python, digest in pins.items():
            table[python] = digest
        document["base"]["digest"] = table
        return tomlkit.dumps(document)
    except (ValueError, TypeError):
        return None
