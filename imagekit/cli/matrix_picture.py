"""Pictures of a matrix: what can be had, what became of it, and what that came to."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from imagekit.cli.output import put, put_table, seconds, size, styled

if TYPE_CHECKING:
    from imagekit.matrix.results import BakeResult, CellResult, MatrixPlan, MatrixResult


def show_plan(planned: MatrixPlan) -> None:
    """One row a cell, then pinned bases that have moved."""
    put_table(
        [
            [
                each.cell.label,
                each.state,
                each.reason or f"{len(each.packages)} package{'s' * (len(each.packages) != 1)}",
            ]
            for each in planned.cells
        ]
    )
    _show_drifts(planned)


def show_result(result: MatrixResult) -> None:
    """One row a cell with time, what is new of it, and tags; then all of them in a line."""
    put_table([_row(each) for each in result.cells])
    for each in result.cells:
        if each.error is not None:
            put()
            put(f"{styled(each.plan.cell.label, '1;31', sys.stdout)}: {each.error[0]}")
            for line in (each.error[2] or "").strip().splitlines()[-12:]:
                put(f"  {line}")
            if each.error[1]:
                put(f"  hint: {each.error[1]}")
    _show_drifts(result.plan)
    states = Counter(each.state for each in result.cells)
    once, in_all = result.sizes
    put()
    words = ", ".join(f"{number} {state}" for state, number in states.items()) or "nothing to do"
    shared = f"; layers of {size(once)}, which {size(in_all)} of images share" if in_all else ""
    put(f"{words} in {seconds(result.seconds)}{shared}")


def show_bake(result: BakeResult, *, quiet: bool) -> None:
    """Where the file is, its targets, and what could not be written."""
    if quiet:
        put(result.file)
        return
    known = dict(result.targets)
    failed = {label: error[0] for label, error in result.failed}
    rows = []
    for each in result.plan.cells:
        label = each.cell.label
        rows.append([label, known.get(label, "-"), failed.get(label) or each.reason or ", ".join(each.tags)])
    put_table(rows)
    put()
    put(f"{result.file} is written: docker buildx bake, in its directory")


def _row(each: CellResult) -> list[str]:
    cell = each.plan.cell.label
    if each.error is not None:
        return [cell, each.state, "", "", each.error[0]]
    if each.result is None:
        return [cell, each.state, "", "", each.plan.reason or "no tag names it"]
    new = sum(layer["size"] for layer in each.layers if not layer["cached"])
    all_ = sum(layer["size"] for layer in each.layers)
    made = f"{size(new)} new of {size(all_)}" if new else size(all_)
    return [cell, each.state, seconds(each.result["seconds"]), made, ", ".join(each.plan.tags)]


def _show_drifts(planned: MatrixPlan) -> None:
    for drift in planned.drifted:
        put(styled(drift.line, "33", sys.stdout))
