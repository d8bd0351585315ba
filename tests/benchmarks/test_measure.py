"""How cases are run and what comes of them; nothing here is timed."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.case import OURS, PEER, Case, Failed, Rounds, Row, Side
from benchmarks.measure import CaseResult, run_case, run_cases
from benchmarks.process import run
from benchmarks.report import document, failures, table
from imagekit.report.spread import Spread, quantile


def row(**more: object) -> Row:
    fields = {"name": "s/a", "title": "a", "ours": ("build",), "theirs": ("build",), "must": 0.5, "aim": 0.1, **more}
    return Row(**fields)  # type: ignore[arg-type]


def case(ours: Callable[[int], float], peer: Callable[[int], float], **more: object) -> Case:
    fields = {
        "name": "s-a",
        "title": "a case",
        "rows": [row()],
        "sides": [
            Side(name=OURS, measure=lambda n: {"build": ours(n)}),
            Side(name=PEER, measure=lambda n: {"build": peer(n)}),
        ],
        "rounds": Rounds(quick=3, full=5),
        **more,
    }
    return Case(**fields)  # type: ignore[arg-type]


def run_one(one: Case, rounds: int = 3) -> CaseResult:
    return run_case(one, rounds, lambda _: None)


def test_sides_take_turns_after_each_change() -> None:
    seen: list[str] = []

    def noted(word: str) -> Callable[[int], float]:
        return lambda number: seen.append(f"{word}{number}") or 1.0

    run_one(
        case(
            noted("ours"),
            noted("peer"),
            prepare=lambda: seen.append("prepare"),
            change=noted("change"),
            check=noted("check"),
            close=lambda: seen.append("close"),
            warm_up=1,
        ),
        rounds=2,
    )
    # What the first leaves to the second is each one's in turn.
    turns = {-1: ("peer", "ours"), 0: ("ours", "peer"), 1: ("peer", "ours")}
    told = [f"{word}{n}" for n, sides in turns.items() for word in ("change", *sides, "check")]
    assert seen == ["prepare", *told, "close"]


def test_the_ratio_is_of_medians_and_warm_up_does_not_count() -> None:
    result = run_one(case(lambda n: [1.0, 2.0, 9.0, 50.0][n], lambda n: [10.0, 20.0, 30.0, 50.0][n], warm_up=1))
    figures = result.rows[0].figures
    assert figures is not None
    assert figures.ratio == 2.0 / 20.0
    assert (figures.ours.median, figures.ours.mad, figures.ours.count) == (2.0, 1.0, 3)
    assert result.rows[0].verdict == "aim"


def test_a_quantile_is_of_the_ratios_by_round() -> None:
    def second(number: int) -> float:
        assert number % 2 == 0
        return [10.0, 0.0, 20.0][number]

    sides = [
        Side(name=OURS, measure=lambda n: {"build": [1.0, 3.0, 8.0][n]}),
        Side(name=PEER, measure=lambda n: {"build": second(n)}, every=2),
    ]
    result = run_one(case(lambda n: 0, lambda n: 0, sides=sides, rows=[row(quantile=1.0), row(quantile=0.5)]))
    highest, middle = (r.figures for r in result.rows)
    assert highest is not None
    assert highest.ratio == pytest.approx(8 / 20)
    assert middle is not None
    assert middle.ratio == pytest.approx(3 / 15)  # the peer's median, where it was not measured


def test_a_row_without_a_peer_is_the_measure_itself() -> None:
    rows = [
        row(name="s/none", peer=None, theirs=(), must=0, aim=None, unit="n"),
        row(name="s/bytes", peer=None, theirs=(), ours=("bytes",), must=0, aim=None, unit="B"),
    ]
    sides = [Side(name=OURS, measure=lambda _: {"build": 0.0, "bytes": 4096.0})]
    result = run_one(case(lambda n: 0, lambda n: 0, sides=sides, rows=rows))
    assert [found.verdict for found in result.rows] == ["must", "missed"]
    shown = table([result]).splitlines()[2:]
    assert [line.split() for line in shown] == [
        ["s/none", "0", "0", "0", "3", "target", "met"],
        ["s/bytes", "0", "B", "4.10", "kB", "4.10", "kB", "3", "MISSED"],
    ]
    assert document([result])["cases"][0]["rows"][0]["theirs"] is None


def test_measures_are_summed() -> None:
    sides = [
        Side(name=OURS, measure=lambda _: {"build": 1.0}),
        Side(name=PEER, measure=lambda _: {"build": 3.0, "push": 1.0}),
    ]
    result = run_one(case(lambda n: 0, lambda n: 0, sides=sides, rows=[row(theirs=("build", "push"))]))
    assert result.rows[0].figures is not None
    assert result.rows[0].figures.ratio == 0.25
    assert result.rows[0].verdict == "must"


def fail(_: object = None) -> float:
    raise Failed("not what it should be")


@pytest.mark.parametrize(
    "broken",
    [
        case(lambda n: 1.0, lambda n: 2.0, check=fail),
        case(lambda n: 1.0, lambda n: 2.0, prepare=fail),
        case(lambda n: 1.0, lambda n: 2.0, change=fail),
        case(lambda n: 1.0, fail),
        case(fail, lambda n: 2.0),
    ],
    ids=["check", "prepare", "change", "peer", "ours"],
)
def test_what_fails_has_no_figures_and_stops_no_other(broken: Case) -> None:
    sound = case(lambda n: 1.0, lambda n: 4.0, rows=[row(name="s/sound")])
    results = list(run_cases([broken, sound], full=False, say=lambda _: None))
    assert [r.rows[0].verdict for r in results] == ["failed", "must"]
    assert results[0].rows[0].figures is None
    assert results[0].samples == {}
    assert failures(results) == "s-a: not what it should be"
    shown = document(results)["cases"]
    assert "ratio" not in shown[0]["rows"][0]
    assert shown[0]["rows"][0]["error"] == "not what it should be"
    assert "FAILED" in table(results)


def test_a_further_side_fails_alone() -> None:
    sides = [
        Side(name=OURS, measure=lambda _: {"build": 1.0}),
        Side(name=PEER, measure=lambda _: {"build": 4.0}),
        Side(name="third", measure=lambda n: {"build": 1.0 if n == 0 else fail()}),
    ]
    result = run_one(case(lambda n: 0, lambda n: 0, sides=sides, rows=[row(), row(side="third")]))
    assert [r.verdict for r in result.rows] == ["must", "failed"]
    assert "third" not in result.samples


def test_a_peer_that_fails_leaves_the_others_their_rows() -> None:
    sides = [
        Side(name=OURS, measure=lambda _: {"build": 1.0}),
        Side(name=PEER, measure=lambda _: {"build": fail()}),
        Side(name="third", measure=lambda _: {"build": 4.0}),
    ]
    closed: list[int] = []
    rows = [row(), row(name="s/third", peer="third")]
    result = run_one(case(lambda n: 0, lambda n: 0, sides=sides, rows=rows, close=lambda: closed.append(1)))
    assert [r.verdict for r in result.rows] == ["failed", "must"]
    assert closed == [1]


def test_a_case_is_closed_whatever_happened_and_a_close_that_fails_takes_no_figures() -> None:
    said: list[str] = []
    result = run_case(case(lambda n: 1.0, lambda n: 4.0, close=fail), 1, said.append)
    assert result.rows[0].verdict == "must"
    assert said[-1] == "  at its end: not what it should be"
    closed: list[int] = []
    run_one(case(fail, lambda n: 1.0, close=lambda: closed.append(1)))
    assert closed == [1]


def test_a_peer_that_takes_no_time_is_no_end_of_the_run() -> None:
    (result,) = run_cases([case(lambda n: 1.0, lambda n: 0.0)], full=False, say=lambda _: None)
    assert result.rows[0].verdict == "failed"


def test_rounds_decide_what_is_run() -> None:
    full_only = case(lambda n: 1.0, lambda n: 1.0, rounds=Rounds(quick=0, full=2))
    assert list(run_cases([full_only], full=False, say=lambda _: None)) == []
    (result,) = list(run_cases([full_only], full=True, say=lambda _: None))
    assert len(result.samples[OURS]) == 2


def test_the_document_is_json_and_names_its_schema() -> None:
    results = [run_one(case(lambda n: 1.0 + n, lambda n: 10.0))]
    found = json.loads(json.dumps(document(results, machine={"cores": 2})))
    assert found["schema"] == 1
    assert found["machine"] == {"cores": 2}
    (only,) = found["cases"]
    assert only["rows"][0]["ours"]["median"] == 2.0
    assert [s["build"] for s in only["samples"][PEER]] == [10.0, 10.0, 10.0]


def test_the_table_shows_bounds_ratio_and_spread() -> None:
    text = table([run_one(case(lambda n: [1.0, 2.0, 3.0][n], lambda n: 100.0))])
    line = text.splitlines()[2]
    assert line.split() == ["s/a", "0.50", "0.10", "1/50", *"2.00 s (1.50–2.50 s) 100 s 3/3 aim met".split()]


def test_a_process_is_timed_from_outside() -> None:
    done = run([sys.executable, "-c", "import time; time.sleep(.2); print(input())"], env=os.environ, stdin="word\n")
    assert done.seconds > 0.2
    assert done.stdout == "word\n"
    assert done.peak_bytes > 1_000_000


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(Failed, match="ended with 3:\nthe reason"):
        run([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], env=os.environ)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_quantiles_lie_within_and_grow(values: list[float]) -> None:
    found = [quantile(values, q / 10) for q in range(11)]
    assert found[0] == min(values)
    assert found[-1] == max(values)
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(found))
    assert Spread.of(values).low <= Spread.of(values).median <= Spread.of(values).high
