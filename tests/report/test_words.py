"""Results in words."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.report.results import read_results
from imagekit.report.spread import Spread, quantile
from imagekit.report.words import amount, listed, spread, verdict, when_and_where
from tests.report.documents import case, failed, results, row


def test_a_spread_has_its_unit_once_where_it_is_the_same() -> None:
    seconds = Spread.of([1.0, 2.0, 3.0])
    assert seconds == Spread(median=2.0, low=1.5, high=2.5, mad=1.0, count=3)
    assert spread(seconds, "s") == "2.00 s (1.50–2.50 s)"
    assert spread(seconds, "s", at=2.9) == "2.90 s (1.50–2.50 s)"
    assert spread(Spread.of([4.0]), "n") == "4"
    assert spread(Spread.of([4, 6, 8]), "n") == "6 (5–7)"
    assert spread(Spread(median=1e9, low=9e8, high=1.1e9, mad=1e8, count=3), "B") == "1.00 GB (900 MB–1.10 GB)"


def test_what_is_less_than_nothing_has_a_unit_too() -> None:
    assert [amount(-5e6, "B"), amount(-0.25, "s"), amount(-2, "n")] == ["-5.00 MB", "-0.250 s", "-2"]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_quantiles_lie_within_and_grow(values: list[float]) -> None:
    found = [quantile(values, q / 10) for q in range(11)]
    assert (found[0], found[-1]) == (min(values), max(values))
    assert all(before <= after + 1e-9 for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("words", "told"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "a", "c"], "a, b and c")]
)
def test_words_are_listed_once(words: list[str], told: str) -> None:
    assert listed(words) == told


def test_all_days_and_machines_are_told() -> None:
    machines = ({"cpu": "A", "cores": 2}, {"cpu": "B", "cores": 4}, {"cpu": "A", "cores": 2}, {})
    days = ("22T09", "21T09", "22T08", "23T09")
    runs = [
        read_results(json.dumps({**results(started=f"2026-11-{day}:00:00+00:00"), "machine": machine}), "x")
        for day, machine in zip(days, machines, strict=True)
    ]
    assert when_and_where(runs[:1]) == "2026-11-22 on 2 cores (A)"
    assert when_and_where(runs) == (
        "2026-11-21, 2026-11-22 and 2026-11-23 on 4 cores (B), 2 cores (A) or ? cores (a processor not told)"
    )


def test_verdicts() -> None:
    unavailable = {**failed("s/c", "no registry"), "verdict": "unavailable"}
    rows = (row("s/a"), row("s/n", verdict="noted"), failed("s/b", "first\nlast"), unavailable)
    found = read_results(json.dumps(results(case("a", *rows))), "x").cases[0].rows
    assert [verdict(each) for each in found] == ["target met", "", "failed: last", "unavailable: no registry"]
