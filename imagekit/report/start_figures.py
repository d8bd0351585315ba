"""What of cold starts is drawn: until the first line, and from how many starts on which way pays. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from imagekit.report.charts import Bar, Line, bars, lines, style
from imagekit.report.results import Case
from imagekit.report.shown import NARROW, WIDE, Figure, Key, Table
from imagekit.report.spread import Spread
from imagekit.report.words import amount, headed

_STARTS = "start-"
_FIRST_LINE, _BUILD = "first line", "build"
_AT_START = " at start"
_COLD, _WARM, _BAKED = "extras cold", "extras warm", "baked"
_FEWEST_STARTS = 10


def is_of_starts(case: Case) -> bool:
    """Whether a case is of ways to start, which have figures of their own."""
    return case.name.startswith(_STARTS)


def starts(case: Case) -> Iterator[Figure]:
    """What a flow waits for before its first line, by the way its packages come; and from when on which pays."""
    found = _first_lines(case)
    if not is_of_starts(case) or not found:
        return
    order = sorted(found, key=lambda side: found[side].median)
    items, rows = [], []
    for side in order:
        each = found[side]
        colour = "peer" if side.endswith(_AT_START) else "ours"
        text = amount(each.median, "s")
        items.append(Bar(label=side, text=text, value=each.median, colour=colour, low=each.low, high=each.high))
        rows.append((side, text, amount(each.low, "s"), amount(each.high, "s"), str(each.count)))
    yield Figure(
        title=f"Until the {case.title}",
        words="Median time from the command to the flow's first line; the thin line is from quartile to quartile.",
        wide=bars(items, WIDE),
        narrow=bars(items, NARROW),
        table=Table(
            head=("way to start", "median", "lower quartile", "upper quartile", "rounds"),
            rows=tuple(rows),
            right=frozenset({1, 2, 3, 4}),
        ),
    )
    ways = strategies(case)
    if len(ways) > 1:
        yield _break_even_figure(ways)


def strategies(case: Case) -> dict[str, tuple[float, float]]:
    """Each way to bring packages: seconds before the first start beyond one, and for each start."""
    waited = {side: each.median for side, each in _first_lines(case).items()}
    found = {side: (0.0, each) for side, each in waited.items() if side.endswith(_AT_START)}
    if _COLD in waited and _WARM in waited:
        found["extras"] = (waited[_COLD] - waited[_WARM], waited[_WARM])
    builds = case.samples.get(_BAKED, {}).get(_BUILD)
    if _BAKED in waited and builds:
        found[_BAKED] = (Spread.of(builds).median, waited[_BAKED])
    return found


def break_even(first_low: float, each_low: float, first_high: float, each_high: float) -> int | None:
    """From how many starts on the way that costs ``first_high`` at first costs no more than the other; ``None``: never.

    All four in seconds.
    """
    more, saved = first_high - first_low, each_low - each_high
    if saved > 0:
        return max(math.ceil(more / saved - 1e-9), 1)
    return 1 if more <= 0 and saved == 0 else None


def _first_lines(case: Case) -> dict[str, Spread]:
    """By side: seconds until the flow's first line."""
    return {side: Spread.of(each[_FIRST_LINE]) for side, each in case.samples.items() if each.get(_FIRST_LINE)}


def _break_even_figure(ways: dict[str, tuple[float, float]]) -> Figure:
    order = sorted(ways, key=lambda name: ways[name][1])
    pays = {(high, low): break_even(*ways[low], *ways[high]) for n, high in enumerate(order) for low in order[n + 1 :]}
    far = max([_FEWEST_STARTS, *(2 * starts for starts in pays.values() if starts is not None and starts <= 100)])
    items = [
        Line(
            label=name,
            style=style(n),
            through=tuple((count, ways[name][0] + count * ways[name][1]) for count in (1, far)),
        )
        for n, name in enumerate(order)
    ]
    told = [
        f"{high} instead of {low} pays from {n} starts on" for (high, low), n in pays.items() if n is not None and n > 1
    ]
    always = [f"{high} instead of {low}" for (high, low), n in pays.items() if n == 1]
    told += [f"from the first start on {', '.join(always)}"] if always else []
    rows = tuple((name, *(amount(value, "s") for value in (*ways[name], *_in_all(ways[name])))) for name in order)
    missing = "" if _BAKED in ways else " What building an image takes was not measured with them, so it is not drawn."
    titles = {"x_title": "starts", "y_title": "seconds waited for in all"}
    return Figure(
        title="From how many starts on which way pays",
        words=f"{headed('; '.join(told))}.{missing}",
        wide=lines(items, WIDE, **titles, x_most=far),
        narrow=lines(items, NARROW, **titles, x_most=far),
        key=[Key(words=each.label, colour=each.style.colour, dash=each.style.dash) for each in items],
        table=Table(
            head=("way", "once", "each start", "1 start", "10 starts", "100 starts"),
            rows=rows,
            right=frozenset(range(1, 6)),
        ),
    )


def _in_all(way: tuple[float, float]) -> tuple[float, ...]:
    return tuple(way[0] + n * way[1] for n in (1, 10, 100))
