"""A run is compared with what was measured before, wherever that is kept, and what it writes is what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Rounds, Row, Side
from benchmarks.compared import compared, earlier
from benchmarks.measure import run_cases
from benchmarks.report import document
from imagekit.report.results import Results, read_results
from tests.report.documents import case, failed, image, results, row


def read(document: dict[str, Any]) -> Results:
    return read_results(json.dumps(document), "now.json")


def test_a_line_for_each_row_that_was_measured_before(tmp_path: Path) -> None:
    old = results(case("a", row("s/a", ours=9.0), row("s/b", ours=1.0)), started="2026-11-20T00:00:00+00:00")
    late = results(case("a", row("s/a", ours=4.0), failed("s/c", "no")), started="2026-11-21T00:00:00+00:00")
    for name, text in {"1.json": json.dumps(late), "2.json": json.dumps(old), "3.json": "{}", "4.json": "\xff"}.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    found = earlier(sorted(tmp_path.glob("*.json")))
    assert [run.source for run in found] == ["1.json", "2.json"]
    alone = row("s/n", ours=7, theirs=None, unit="n")
    now = read(results(case("a", row("s/b", ours=2.0), row("s/a", ours=2.0), row("s/c"), alone)))
    assert compared(found, now).splitlines() == [
        "s/b  0.25 → 0.50  1.00 s → 2.00 s",
        "s/a  1.00 → 0.50  4.00 s → 2.00 s",
    ]
    assert compared([], now) == ""


def test_what_a_run_writes_fits_the_schema() -> None:
    sides = [Side(name=name, measure=lambda _: {"build": 2.0}) for name in ("imagekit", "uv Dockerfile")]
    broken = Row(name="s/x", title="x", ours=("none",), theirs=("none",))
    measured = Row(name="s/a", title="a", ours=("build",), theirs=("build",), must=1.5)
    images = {"before": image(), "after": image(moved="1.1")}
    whole = Case(
        name="s-a",
        title="a",
        rows=[measured, broken],
        sides=sides,
        rounds=Rounds(quick=2, full=2),
        images=lambda: images,
    )
    done = list(run_cases([whole], full=False, say=lambda _: None))
    found = read(document(done, started="2026-11-21T00:00:00+00:00", machine={}, versions={}, base="b"))
    assert [(each.name, each.verdict, each.ratio) for each in found.cases[0].rows] == [
        ("s/a", "must", 1.0),
        ("s/x", "failed", None),
    ]
    assert found.cases[0].after is not None
