"""From a cell to the job of a process. Pure."""

from __future__ import annotations

from typing import Any

from imagekit.matrix.cells import program, requirements
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.destination import Destination
from imagekit.matrix.values import CONDA, Cell
from imagekit.matrix.work import Job


def job_of(table: MatrixTable, cell: Cell, base: str, where: Destination, **more: Any) -> Job:
    """What is to be done for ``cell`` on ``base``; ``more`` are further fields."""
    return Job(
        label=cell.label,
        base=base,
        python=cell.python,
        requirements=requirements(table, cell),
        source_builds=next(each for each in table.category if each.name == cell.category).source_builds or (),
        labels=(("imagekit.matrix.cell", cell.label),),
        platforms=tuple(map(str, where.platforms)),
        output=str(where.output),
        program=program(table, cell),
        **(_conda(table, cell) if cell.flavor == CONDA else {}),
        **more,
    )


def _conda(table: MatrixTable, cell: Cell) -> dict[str, Any]:
    """What comes of conda's channels: the cell's Python, and what the matrix wants beside it."""
    assert table.conda is not None
    return {
        "conda": (f"python={cell.python}.*", *(table.conda.packages or ())),
        "channels": table.conda.channels,
    }
