"""The page on advice tells every number that is not measured on the spot."""

from __future__ import annotations

from pathlib import Path

from imagekit.advising.choose import TITLES
from imagekit.advising.estimate import RATES

PAGE = (Path(__file__).parents[2] / "docs" / "advise.md").read_text("utf-8")


def test_every_rate_is_told_with_its_source() -> None:
    for rate in RATES:
        assert f"| {rate.what} | {rate.value:.3g} | {rate.source} |\n" in PAGE


def test_every_strategy_is_told() -> None:
    plain = PAGE.replace("`", "")
    for title in TITLES.values():
        assert f"| {title} |" in plain
