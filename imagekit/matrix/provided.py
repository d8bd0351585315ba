"""The matrices that come with imagekit (``base-images/*.toml`` that declare one), by their names."""

from __future__ import annotations

from pathlib import Path

from imagekit.errors import InputError
from imagekit.nearest import nearest_hint
from imagekit.stages.declared import declarations_directory


def provided() -> dict[str, Path]:
    """Their files by name: ``prefect``, ``python``. The bare bases of Debian's packages are no matrices."""
    files = sorted(declarations_directory().glob("*.toml"))
    return {path.stem: path for path in files if not path.stem.startswith("debian-")}


def matrix_file(name_or_path: str) -> Path:
    """The file of a provided matrix, or the one at a path. Raises ``InputError`` where there is neither."""
    known = provided()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.exists():
        raise InputError(f"{name_or_path} is no file", hint="name the matrix's TOML file")
    if path.suffix == ".toml" or len(path.parts) > 1:
        raise InputError(f"{name_or_path} is not there", hint=f"provided: {', '.join(known)}")
    raise InputError(f"no matrix is called {name_or_path}", hint=nearest_hint(name_or_path, known))
