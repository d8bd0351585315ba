"""What is shown of a matrix: a row for each cell, the words of what failed, what moved, and the sum."""

from __future__ import annotations

from typing import Any

import pytest

from imagekit.cli.matrix_picture import show_bake, show_plan, show_result
from imagekit.matrix.bases import Drift
from imagekit.matrix.results import BakeResult, CellPlan, CellResult, MatrixPlan, MatrixResult
from imagekit.matrix.values import Cell, Release

LAYERS = [{"digest": "sha256:a", "size": 2_000_000, "cached": False}, {"digest": "sha256:b", "size": 5, "cached": True}]


def cell(version: str, reason: str | None = None, *tags: str) -> CellPlan:
    found = Cell(python="3.11", flavor="standard", category="core", release=Release(version=version))
    return CellPlan(cell=found, tags=tags, packages=("a==1",), reason=reason, is_unsatisfiable=reason is not None)


def plan(*cells: CellPlan) -> MatrixPlan:
    drift = Drift(reference="r/python:3.11", pinned="sha256:" + "1" * 64, now="sha256:" + "2" * 64)
    return MatrixPlan(name="a/b", cells=cells, excluded=(), drifted=(drift,))


def built(*, up_to_date: bool = False) -> dict[str, Any]:
    return {"layers": LAYERS, "seconds": 3.0, "up_to_date": up_to_date}


def test_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    good, same, bad, none = (
        cell("1.0", None, "1.0"),
        cell("1.1", None, "1.1"),
        cell("1.2", None, "1.2"),
        cell("2.0", "no"),
    )
    result = MatrixResult(
        plan=plan(good, same, bad, none),
        cells=(
            CellResult(plan=good, result=built()),
            CellResult(plan=same, result=built(up_to_date=True)),
            CellResult(plan=bad, error=("it failed", "mend it", "line one\nline two")),
            CellResult(plan=none),
        ),
        seconds=7.0,
    )
    show_result(result)
    shown = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert rows[0] == "1.0-python3.11-core built 3.0 s 2.0 MB new of 2.0 MB 1.0"
    assert rows[1].startswith("1.1-python3.11-core unchanged 3.0 s")
    assert rows[2] == "1.2-python3.11-core failed it failed"
    assert rows[3] == "2.0-python3.11-core unsatisfiable no"
    assert "line two" in shown
    assert "hint: mend it" in shown
    assert "r/python:3.11 has moved: pinned is" in shown
    # Of two images of the same layers, each layer counts once, and once for each.
    assert rows[-1] == (
        "1 built, 1 unchanged, 1 failed, 1 unsatisfiable in 7.0 s; layers of 2.0 MB, which 4.0 MB of images share"
    )
    assert result.failed == (result.cells[2],)
    assert result.to_json()["layer_bytes"] == 2_000_005


def test_a_plan_and_a_bake_file(capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan(cell("1.0", None, "1.0"), cell("2.0", "no such thing"))
    show_plan(planned)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["1.0-python3.11-core", "ready", "1", "package"]
    assert shown[1].endswith("no such thing")
    baked = BakeResult(
        plan=planned, file="x/docker-bake.hcl", targets=(("1.0-python3.11-core", "1_0-python3_11-core"),)
    )
    show_bake(baked, quiet=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["1.0-python3.11-core", "1_0-python3_11-core", "1.0"]
    assert shown[-1].startswith("x/docker-bake.hcl is written")
    show_bake(baked, quiet=True)
    assert capsys.readouterr().out == "x/docker-bake.hcl\n"
