"""A case that grows, from its lock to its lines: the first two and three packages of the set, on engines of its own."""

from __future__ import annotations

import pytest

from benchmarks.case import OURS, PEER
from benchmarks.growth_cases import ALONE, growth_cases
from benchmarks.measure import run_case
from benchmarks.surroundings import Surroundings


@pytest.mark.soak
def test_packages_are_more_at_each_point() -> None:
    at = Surroundings()  # a socket's path may not be as long as a test's own directory
    try:
        case = next(growth_cases(at, points=(2, 3)))
        result = run_case(case, 1, lambda _: None)
    finally:
        at.close()
    assert [row.error for row in result.rows] == [""] * 3
    assert set(result.samples) == {OURS, PEER, ALONE}
    for side in (OURS, PEER):
        assert [sample["packages"] for sample in result.samples[side]] == [2, 3]
        assert all(sample["memory"] > sample["engine memory"] > 0 for sample in result.samples[side])
        assert all(sample["disk"] > 0 for sample in result.samples[side])
    layers = next(each for each in result.growth if each.unit == "n" and each.side == OURS)
    assert layers.line is not None
    # One package more is one layer more.
    assert layers.line.slope == pytest.approx(1)
