"""Where the modules of a source lie, besides its own directory."""

from __future__ import annotations

from pathlib import Path

_SRC = "src"


def import_paths(project: Path) -> tuple[str, ...]:
    """``("src",)`` for a project that keeps its packages there, which an installation would put on the path."""
    directory = project / _SRC
    try:
        if not directory.is_dir() or (directory / "__init__.py").exists():
            return ()
        holds = any((each / "__init__.py").is_file() or each.suffix == ".py" for each in directory.iterdir())
    except OSError:
        return ()
    return (_SRC,) if holds else ()
