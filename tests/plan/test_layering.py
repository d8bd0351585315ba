"""Which wheels share a layer: properties that hold for any set of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.errors import BaseUnusable
from imagekit.plan.layering import (
    DIRECT,
    HEAVY,
    LAYER_LIMIT,
    WELL_KNOWN_LARGE,
    _direct,
    _places,
    arrange,
    wheel_budget,
    zones,
)


@dataclass(frozen=True)
class Wheel:
    name: str
    size: int
    direct: bool
    version: int = 1


_SIZES = st.one_of(st.integers(0, HEAVY - 1), st.integers(HEAVY, 1 << 30))
_LARGE = sorted(WELL_KNOWN_LARGE)


@st.composite
def wheel_sets(draw: st.DrawFn, least: int = 0) -> list[Wheel]:
    """Up to 600 wheels, some of them well known."""
    count = draw(st.integers(least, 600))
    seed = draw(st.integers(0, 2**32))
    share = draw(st.sampled_from([0.0, 0.1, 1.0]))
    chance = random.Random(seed)
    names = {f"package-{chance.randrange(10**6)}" for _ in range(count)} | set(
        chance.sample(_LARGE, min(count, chance.randrange(len(_LARGE))))
    )
    return [
        Wheel(name, chance.choice([0, 900, 40_000, HEAVY - 1, HEAVY, 9 << 20, 200 << 20]), chance.random() < share)
        for name in sorted(names)
    ]


_BUDGET = st.integers(8, 117)


@settings(deadline=None)
@given(wheels=wheel_sets(), budget=_BUDGET, seed=st.integers())
def test_every_wheel_once_within_the_budget_in_any_order(wheels: list[Wheel], budget: int, seed: int) -> None:
    layers = arrange(wheels, budget)
    assert len(layers) <= budget
    assert all(layers)
    assert sorted(wheel.name for layer in layers for wheel in layer) == [wheel.name for wheel in wheels]
    shuffled = random.Random(seed).sample(wheels, len(wheels))
    assert arrange(shuffled, budget) == layers


@settings(deadline=None)
@given(wheels=wheel_sets(), budget=_BUDGET)
def test_the_large_lies_below_and_what_people_move_higher(wheels: list[Wheel], budget: int) -> None:
    layers = arrange(wheels, budget)
    each = [(sum(w.size for w in layer) / len(layer), any(w.direct for w in layer)) for layer in layers]
    weights = [size / DIRECT if direct else size for size, direct in each]
    assert weights == sorted(weights, reverse=True)


def test_a_direct_requirement_lies_above_a_transitive_one_of_its_size_and_below_a_much_smaller_one() -> None:
    same, small = Wheel("same", 40 << 20, False), Wheel("small", 1 << 20, False)
    layers = arrange([Wheel("asked", 40 << 20, True), same, small], 8)
    assert [layer[0].name for layer in layers] == ["same", "asked", "small"]


@settings(deadline=None)
@given(wheels=wheel_sets(least=1), budget=_BUDGET, data=st.data(), size=_SIZES)
def test_a_version_that_moves_changes_two_layers_at_most(
    wheels: list[Wheel], budget: int, data: st.DataObject, size: int
) -> None:
    moved = data.draw(st.sampled_from(wheels))
    after = [replace(w, size=size, version=2) if w is moved else w for w in wheels]
    old, new = set(arrange(wheels, budget)), set(arrange(after, budget))
    same_weight = (size >= HEAVY) == (moved.size >= HEAVY)
    assert len(new - old) <= (1 if same_weight else 2)
    assert len(old - new) <= (1 if same_weight else 2)


def _newest_group(few: list[Wheel], many: list[Wheel], budget: int) -> int:
    """How many wheels a group has that ``many`` opens and ``few`` has not; 0 where there is none."""
    if len(few) <= budget:
        return 0
    before, after = (
        {place for place in _places(wheels, budget, _direct(wheels)).values() if place.zone != "own"}
        for wheels in (few, many)
    )
    # Groups are numbered in order; one that happened to be empty before counts as opened, too.
    opened = after - before
    return sum(place in opened for place in _places(many, budget, _direct(many)).values())


@settings(deadline=None)
@given(wheels=wheel_sets(least=1), budget=_BUDGET, size=_SIZES, direct=st.booleans())
def test_a_package_added_or_removed_changes_few_layers(
    wheels: list[Wheel], budget: int, size: int, direct: bool
) -> None:
    """At most five: its own, those that take in what no longer has one alone, and where a group is opened, that one and
    as many as lose a wheel to it."""
    added = [*wheels, Wheel("one-more", size, direct)]
    few, many = set(arrange(wheels, budget)), set(arrange(added, budget))
    bound = 5 + _newest_group(wheels, added, budget)
    if len(added) <= budget:
        bound = 1
    assert len(many - few) <= bound
    assert len(few - many) <= bound


@settings(deadline=None)
@given(wheels=wheel_sets(), budget=_BUDGET)
def test_who_shares_a_layer_is_of_one_zone(wheels: list[Wheel], budget: int) -> None:
    zone_of = zones(wheels, budget)
    for layer in arrange(wheels, budget):
        (zone,) = {zone_of[wheel.name] for wheel in layer}
        assert len(layer) == 1 or zone != "own"
        assert zone == "own" or all((wheel.size >= HEAVY) == (zone == "heavy") for wheel in layer)


@settings(deadline=None)
@given(wheels=wheel_sets(), budget=_BUDGET)
def test_a_small_set_has_a_layer_for_each(wheels: list[Wheel], budget: int) -> None:
    some = wheels[:budget]
    assert all(len(layer) == 1 for layer in arrange(some, budget))


@given(base=st.integers(0, 130), others=st.integers(1, 4))
def test_an_image_never_has_too_many_layers(base: int, others: int) -> None:
    try:
        budget = wheel_budget(base, others)
    except BaseUnusable:
        assert base + others + 8 > LAYER_LIMIT
    else:
        assert 8 <= budget <= LAYER_LIMIT - base - others


def test_a_base_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(BaseUnusable, match="has 118 layers"):
        wheel_budget(118, 3)
