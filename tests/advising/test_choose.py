"""The advice for projects of many kinds, by what is known of them alone: no engine is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.advising.choose import DEFAULT, EXTRAS, SELF, SHARED, advise, break_even
from imagekit.advising.estimate import costs
from imagekit.advising.history import History
from imagekit.advising.measure import Measured
from imagekit.advising.values import Facts, Starts, Strategy

STILL = History(days=90.0, is_repository=True)
WEEKLY = replace(STILL, dependencies=13)
DAILY = replace(STILL, source=80)
NO_GIT = History(unknown="the project is in no git repository that git can read")
SMALL = {"packages": 2, "download": 300_000, "layers": 2_000_000}
HEAVY = {"packages": 60, "download": 300_000_000, "layers": 1_300_000_000}


def facts(a_month: float = 30, **known: object) -> Facts:
    made: dict[str, object] = {
        "base": "imagekit/python:3.11",
        "packages": 0,
        "history": STILL,
        "starts": Starts(per_day=a_month / 30, origin="given"),
        "lock": "uv.lock",
        **known,
    }
    return Facts(**made)  # type: ignore[arg-type]


CASES = {
    # what is wanted, and which strategy that comes to
    "nothing beyond the default image": (facts(), DEFAULT),
    "nothing beyond it, started all the time": (facts(100_000), DEFAULT),
    "nothing but a file in the image": (facts(only_in_images=("files: /etc/orders.yml",)), SELF),
    "small ones that never change, a few starts": (facts(2, **SMALL), EXTRAS),
    "small ones that never change, many starts": (facts(3000, **SMALL), SELF),
    "small ones that change weekly, a few starts": (facts(4, **SMALL, history=WEEKLY), EXTRAS),
    "small ones that change weekly, many starts": (facts(3000, **SMALL, history=WEEKLY), SELF),
    "heavy ones, one start": (facts(1, **HEAVY), EXTRAS),
    "heavy ones, many starts": (facts(3000, **HEAVY), SELF),
    "heavy ones elsewhere, one start a month": (facts(1, **HEAVY, elsewhere=True), SELF),
    "small ones elsewhere, one start a month": (facts(1, **SMALL, elsewhere=True), EXTRAS),
    "small ones elsewhere, many starts": (facts(3000, **SMALL, elsewhere=True), SELF),
    "heavy ones that change weekly, elsewhere": (facts(30, **HEAVY, history=WEEKLY, elsewhere=True), SELF),
    "built from source": (facts(1, **SMALL, source_builds=("pyodbc",)), SELF),
    "built from source, the source edited daily, few starts": (
        facts(10, **SMALL, source_builds=("pyodbc",), history=DAILY),
        SHARED,
    ),
    "built from source, the source edited daily, many starts": (
        facts(3000, **SMALL, source_builds=("pyodbc",), history=DAILY),
        SELF,
    ),
    "heavy ones elsewhere, the source edited daily, few starts": (
        facts(30, **HEAVY, history=DAILY, elsewhere=True),
        SHARED,
    ),
    "the default image's own would be replaced": (facts(1, **SMALL, replaced=("rich",)), SELF),
    "no git, few starts": (facts(1, **SMALL, history=NO_GIT), EXTRAS),
    "no git, elsewhere: nowhere to fetch the source from": (facts(1, **SMALL, history=NO_GIT, elsewhere=True), SELF),
    "nothing beyond the default image, no git, elsewhere": (facts(history=NO_GIT, elsewhere=True), SELF),
}


@pytest.mark.parametrize("name", CASES)
def test_the_strategy_that_fits(name: str) -> None:
    known, wanted = CASES[name]
    found = advise(known, costs(known))
    assert found.recommended == wanted, found.to_json()
    assert found.strategy(wanted).is_possible


def test_every_strategy_is_some_cases() -> None:
    assert {wanted for _, wanted in CASES.values()} == {DEFAULT, EXTRAS, SHARED, SELF}


def test_what_is_not_possible_says_why() -> None:
    known = facts(**SMALL, source_builds=("a", "b", "c", "d"))
    found = advise(known, costs(known))
    assert found.strategy(DEFAULT).why_not == "it lacks 2 packages"
    assert (
        found.strategy(EXTRAS).why_not == "a, b, c and 1 more must be built from source, at every start or not at all"
    )
    assert [each.high for each in found.break_evens] == [SELF]


def test_the_break_even_is_where_the_advice_turns() -> None:
    known = facts(2, **SMALL)
    (baking, _) = advise(known, costs(known)).break_evens
    assert baking.starts is not None

    def at(a_month: float) -> str:
        moved = replace(known, starts=Starts(per_day=a_month / 30, origin="given"))
        return advise(moved, costs(moved)).recommended

    assert (at(baking.starts - 1), at(baking.starts)) == (EXTRAS, baking.high)


@given(
    standing=st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)),
    start=st.tuples(st.floats(0.001, 1e4), st.floats(0.001, 1e4)),
)
def test_a_break_even_is_the_first_start_that_pays(standing: tuple[float, float], start: tuple[float, float]) -> None:
    low, high = (
        Strategy(name=name, title=name, standing=a, start=b)
        for name, a, b in zip(("low", "high"), standing, start, strict=True)
    )
    found = break_even(low, high).starts

    def saved(starts: int) -> float:
        return low.standing + starts * low.start - high.standing - starts * high.start

    if found is None:
        assert saved(1_000_000) <= 0
    elif found:
        assert saved(found - 1) <= 1e-6 * (sum(standing) + found * sum(start))
        assert saved(found) >= -1e-6 * (sum(standing) + found * sum(start))


def test_what_is_assumed_or_not_known_is_said() -> None:
    known = facts(**SMALL, history=NO_GIT, lock=None, starts=Starts(per_day=1.0, origin="assumed"))
    notes = advise(known, costs(known), ["said by the measurement"]).notes
    for words in ("1 a day is assumed", "in no git repository", "has no lock", "--measure", "said by the measurement"):
        assert any(words in note for note in notes), words
    assert not any("no lock" in note for note in advise(facts(**SMALL), costs(known)).notes)


def test_what_was_measured_takes_the_place_of_estimates() -> None:
    known = facts(**SMALL, elsewhere=True)
    assert {figure["origin"] for figure in costs(known).to_json().values()} == {"estimated"}
    measured = Measured(
        rounds=7, default=0.3, baked=0.5, extras=0.4, install=20.0, installer="pip", fetch=0.01, build=9.0
    )
    found = costs(known, measured)
    assert (found.start.seconds, found.install.seconds, found.build.seconds) == (0.5, 20.0, 9.0)
    assert found.kept_extras.seconds == 0  # quicker by chance
    assert found.start.origin == found.fetch.origin == "measured"
    assert found.edit.origin == "estimated"
    assert "--measure" not in " ".join(advise(known, found).notes)


def test_as_json() -> None:
    known = facts(**HEAVY)
    document = advise(known, costs(known)).to_json()
    assert [each["name"] for each in document["strategies"]] == [DEFAULT, EXTRAS, SHARED, SELF]
    assert document["strategies"][0]["seconds"] is None
    assert document["facts"]["download_bytes"] == 300_000_000
    assert document["facts"]["starts"]["per_day"] == 1.0
