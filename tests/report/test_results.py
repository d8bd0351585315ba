"""Results are read as they were written, and what is none of them is refused with its faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from imagekit.errors import InputError
from imagekit.report.results import latest_cases, other_set, read_results
from imagekit.report.results_schema import FILE, results_schema, schema_file
from tests.report.documents import case, everything, failed, results, row, starts

ROOT = Path(__file__).parents[2]
KEPT = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(results_schema())
    assert not list(Draft7Validator(results_schema()).iter_errors(everything()))


def test_the_schema_that_is_published_is_the_one_that_is_declared() -> None:
    assert (ROOT / "docs" / "schema" / FILE).read_text() == schema_file(), "run scripts/configuration-docs"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_the_results_that_are_kept_fit_it_and_none_of_their_rows_is_lost(path: Path) -> None:
    document = json.loads(path.read_text())
    found = read_results(path.read_text(), path.name)
    assert [row.name for case in found.cases for row in case.rows] == [
        row["name"] for case in document["cases"] for row in case["rows"]
    ]


def test_what_is_read_is_what_was_written() -> None:
    found = read_results(json.dumps(everything()), "a.json")
    cold = found.cases[0].rows[0]
    assert (cold.ratio, cold.ours and cold.ours.median, cold.theirs and cold.theirs.low) == (0.75, 3.0, 3.6)
    assert found.cases[0].rows[4].ours is None
    assert [at for at, _ in found.cases[4].growth[0].points] == [5, 80, 300]
    assert (found.cases[4].growth[0].slope, found.cases[4].started) == (0.113, "2026-11-21T12:00:00+00:00")
    assert found.cases[2].samples["baked"]["build"] == (20.0, 20.0, 20.0)
    assert found.cases[1].after is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[]", "is not of type 'object'"),
        ('{"schema": 2}', "1 was expected"),
        (json.dumps(results(case("a", {**row(), "unit": "ms"}))), "'ms' is not one of"),
        (json.dumps(results(case("a", {**row(), "ours": None}))), "cases[0].rows[0].ours"),
        (json.dumps(results(case("a", {**failed("a/b", ""), "error": 3}))), "3 is not of type 'string'"),
        (json.dumps(results(case("a", {**row(), "ratio": float("nan")}))), "NaN is no number"),
    ],
)
def test_what_is_none_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_results(text, "a.json")
    assert "a.json" in caught.value.message
    assert told in f"{caught.value.message}\n{caught.value.details}"
    assert "\n" not in caught.value.message


def test_of_a_case_that_two_runs_have_the_later_one_is_taken() -> None:
    late = results(case("a", row("s/late")), starts(), started="2026-11-22T00:00:00+00:00")
    early = results(case("a", row("s/early")), case("b", row("s/b")), started="2026-11-21T00:00:00+00:00")
    runs = [read_results(json.dumps(each), "x") for each in (late, early)]
    assert [each.name for each in latest_cases(runs)] == ["a", "b", "start-medium"]
    assert latest_cases(runs)[0].rows[0].name == "s/late"


def test_a_run_in_which_a_case_failed_takes_nothing_from_those_before_it() -> None:
    days = ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22")
    half = case("half", failed("s/half-a", "no"), row("s/half-b"))
    oldest, old, late, newest = (
        read_results(json.dumps(results(*cases, started=f"{day}T00:00:00+00:00")), day)
        for day, cases in zip(
            days,
            (
                [case("a", row("s/oldest"))],
                [case("a", row("s/old")), case("half", row("s/half-a")), case("never", failed("s/old", "no"))],
                [case("a", failed("s/late", "no")), half],
                [case("a", failed("s/newest", "no")), case("never", failed("s/newest", "no"))],
            ),
            strict=True,
        )
    )
    for runs in ([oldest, old, late, newest], [newest, late, old, oldest]):
        found = {each.name: each for each in latest_cases(runs)}
        assert (found["a"].rows[0].name, found["a"].started[:10]) == ("s/old", "2026-11-20")
        # One row with figures is enough; and of what never had any, the newest says why.
        assert found["half"].started[:10] == "2026-11-21"
        assert found["never"].rows[0].name == "s/newest"


def test_the_set_of_a_row_is_told_where_it_is_not_the_main_one() -> None:
    names = ("data/cold", "api/cold", "ml/cold", "start/medium-warm", "growth/packages-5")
    rows = read_results(json.dumps(results(case("a", *map(row, names)))), "a.json").cases[0].rows
    assert [other_set(each) for each in rows] == [None, "api", "ml", None, None]
