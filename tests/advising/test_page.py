"""The page on advice tells of every number that is not measured on the spot."""

from __future__ import annotations

import re
from pathlib import Path

from imagekit.advising.choose import TITLES
from imagekit.advising.estimate import RATES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "advise.md").read_text("utf-8")


def test_every_rate_is_told_with_rows_that_were_kept() -> None:
    kept = "".join(path.read_text("utf-8") for path in (ROOT / "benchmarks" / "results").glob("reference*.json"))
    rows = [re.findall(rf"(?m)^\| {re.escape(rate.what)} \| (.*)\|$", PAGE) for rate in RATES]
    assert [rate.what for rate, found in zip(RATES, rows, strict=True) if len(found) != 1] == []
    named = {name for (cell,) in rows for name in re.findall(r"`([^`]+)`", cell)}
    assert len(named) > 5
    assert {name for name in named if f'"{name}"' not in kept} == set()


def test_every_strategy_is_told() -> None:
    plain = PAGE.replace("`", "")
    for title in TITLES.values():
        assert f"| {title} |" in plain
