"""How growth is measured and told; nothing here is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.case import OURS, PEER, Case, Curve, Failed, Growing, Rounds, Row, Side
from benchmarks.compared import compared
from benchmarks.growth import fitted, grown
from benchmarks.measure import CaseResult, run_case
from benchmarks.report import curves, document
from benchmarks.resident import Resident, held
from imagekit.report.results import Results, read_results

GROWING = Growing(by="packages", points=(5, 20, 80), curves=(Curve(title="time", measure="build"),))


def case(ours: Callable[[int], float], peer: Callable[[int], float]) -> Case:
    return Case(
        name="growth-x",
        title="x",
        rows=[
            Row(name="growth/x-80", title="x", ours=("build",), theirs=("build",), at=80),
            Row(name="growth/x-5", title="x", ours=("build",), peer=None, at=5),
        ],
        sides=[
            Side(name=OURS, measure=lambda number: {"build": ours(number)}),
            Side(name=PEER, measure=lambda number: {"build": peer(number)}),
        ],
        rounds=Rounds(quick=0, full=2),
        growing=GROWING,
    )


def measured(ours: Callable[[int], float], peer: Callable[[int], float], rounds: int = 2) -> CaseResult:
    return run_case(case(ours, peer), rounds, lambda _: None)


def read(result: CaseResult) -> Results:
    here: dict[str, Any] = {"started": "2026-11-21T00:00:00+00:00", "machine": {}, "versions": {}}
    return read_results(json.dumps(document([result], **here)), "now.json")


def test_a_round_goes_through_all_points() -> None:
    seen: list[int] = []

    def ours(number: int) -> float:
        seen.append(GROWING.at(number))
        return GROWING.at(number) * 2.0 + 1.0

    result = measured(ours, lambda number: GROWING.at(number) * 4.0)
    assert seen == [5, 20, 80, 5, 20, 80]
    assert [sample["packages"] for sample in result.samples[OURS]] == seen
    mine, theirs = result.growth
    assert (mine.side, mine.points) == (OURS, ((5, 11.0), (20, 41.0), (80, 161.0)))
    assert mine.line is not None
    assert mine.line.slope == pytest.approx(2)
    assert mine.line.intercept == pytest.approx(1)
    assert theirs.line is not None
    assert theirs.line.slope == pytest.approx(4)


def test_a_row_is_of_its_point() -> None:
    at_80, at_5 = measured(lambda number: number + 1.0, lambda number: (number + 1.0) * 2, rounds=2).rows
    assert at_80.figures is not None
    assert (at_80.figures.ratio, at_80.figures.ours.median, at_80.figures.ours.count) == (0.5, (3 + 6) / 2, 2)
    assert at_5.figures is not None
    assert at_5.figures.ratio == (1 + 4) / 2


def test_a_side_that_fails_has_no_line_and_where_ours_does_none_has() -> None:
    def fail(_: int) -> float:
        raise Failed("no")

    result = measured(lambda _: 1.0, fail)
    assert [each.side for each in result.growth] == [OURS]
    assert [row.verdict for row in result.rows] == ["failed", "noted"]
    result = measured(fail, lambda _: 1.0)
    assert (result.growth, [row.verdict for row in result.rows]) == ((), ["failed", "failed"])


def test_what_grows_is_written_read_told_and_compared() -> None:
    before = measured(lambda number: GROWING.at(number) * 2.0, lambda _: 3.0)
    now = measured(lambda number: GROWING.at(number) * 1.0, lambda _: 3.0)
    (found,) = read(now).cases
    assert [(each.side, each.by, each.points[-1]) for each in found.growth] == [
        (OURS, "packages", (80, 80.0)),
        (PEER, "packages", (80, 3.0)),
    ]
    assert found.growth[0].slope == pytest.approx(1)
    assert curves([now]).splitlines()[0].startswith(f"growth-x: time, {OURS}: 1.00 s for each one more, ")
    told = compared([read(before)], read(now)).splitlines()
    assert told[-2].split("  ")[:1] == [f"growth-x: time, {OURS}"]
    assert "2.00 s → 1.00 s for each one more" in told[-2]


def test_no_line_goes_through_one_point() -> None:
    assert fitted([(5, 1.0), (5, 2.0)]) is None
    (found,) = grown(GROWING, {OURS: [{"packages": 5, "build": 1.0}], "none": [{"packages": 5}]})
    assert found.line is None


amounts = st.floats(-1e6, 1e6)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=9, unique=True), amounts, amounts)
def test_a_line_is_found_again(at: list[int], slope: float, intercept: float) -> None:
    found = fitted([(x, intercept + slope * x) for x in at])
    assert found is not None
    most = max(abs(slope) * max(at), abs(intercept), 1.0)
    for x in at:
        assert found.intercept + found.slope * x == pytest.approx(intercept + slope * x, abs=most * 1e-6)


def test_memory_is_of_all_processes_below() -> None:
    program = "b = bytearray(60_000_000); b[:] = b'x' * len(b); print(flush=True); input()"
    words = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        with Resident([process.pid]) as resident:
            assert process.stdout is not None
            process.stdout.readline()
        assert resident.together == resident.engine >= 60_000_000
        assert resident.own == 0
        process.communicate("\n")
    assert held([process.pid]) == 0
