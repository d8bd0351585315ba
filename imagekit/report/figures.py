"""What of results is drawn: each figure with its words, its chart for a desk and for a phone, and its table. Pure."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagekit.report.charts import Bar, Line, Spec, bars, lines
from imagekit.report.results import Case, Growth, Row, break_even
from imagekit.report.words import amount, bound, measured, relation_to_peer

WIDE, NARROW = 720, 330
_COLOURS = {"aim": "good", "must": "ours", "missed": "missed", "noted": "peer", "failed": "missed"}
COLOURED = (("good", "the aim is met"), ("ours", "the target is met"), ("missed", "missed"))
_TWICE = 2.0  # beyond it a bar only says that it is far beyond
_FIRST_LINE, _BUILD = "first line", "build"
_STARTS = "start-"
_ALL_PEERS = "-peers-"
_AT_START = " at start"
_COLD, _WARM, _BAKED = "extras cold", "extras warm", "baked"
_FEWEST_STARTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table beside a chart; columns in ``right`` are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart and what goes with it. Without ``narrow`` the one chart serves phones, too."""

    title: str
    words: str  # what is to be seen, in a sentence or two
    wide: Spec
    table: Table
    narrow: Spec | None = None


def against_targets(cases: Iterable[Case]) -> Figure | None:
    """Every row that has a target: its ratio as a share of what it must not exceed. One that failed has not met it."""
    rows = [row for case in cases for row in case.rows if not (row.must is None and row.aim is None)]
    rows = [row for row in rows if row.verdict != "unavailable"]
    if not rows:
        return None
    items = []
    several = [
        title for title, count in Counter((row.name.partition("/")[0], row.title) for row in rows).items() if count > 1
    ]
    for row in rows:
        limit = row.aim if row.must is None else row.must
        assert limit is not None
        items.append(
            Bar(
                label=_named(row, several),
                text=f"{measured(row)} of {bound(limit, row)}" if row.ratio is not None else "failed",
                value=_share(row.ratio, limit) if row.ratio is not None else 0.0,
                colour=_COLOURS[row.verdict],
                marks=(row.aim / limit,) if row.must and row.aim is not None else (),
            )
        )
    met = sum(row.verdict in ("aim", "must") for row in rows)
    return Figure(
        title="Held to the targets",
        words=(
            f"{met} of {len(rows)} targets are met. A bar that ends before the thick mark keeps its target; "
            "the thin mark is the aim beyond it. At the right: the ratio to the peer, and the one that must be kept."
        ),
        wide=bars(items, WIDE, at=1.0, most=_TWICE),
        narrow=bars(items, NARROW, at=1.0, most=_TWICE),
        table=row_table(rows),
    )


def _share(ratio: float, limit: float) -> float:
    """Of a limit of nothing at all, nothing is nothing, and anything is far beyond it."""
    return ratio / limit if limit else 0.0 if ratio <= 0 else 2 * _TWICE


def beside_peers(rows: Sequence[Row], width: int) -> Spec:
    """Each row as a share of its peer's: a bar that ends before the mark is less than the peer takes."""
    items = []
    for row in rows:
        assert row.ratio is not None
        assert row.ours_at is not None
        assert row.theirs is not None
        text = f"{amount(row.ours_at, row.unit)} of {amount(row.theirs.median, row.unit)}"
        colour = "ours" if row.ratio <= 1 else "missed"
        items.append(Bar(label=row.title, text=text, value=row.ratio, colour=colour))
    return bars(items, width, at=1.0, most=_TWICE)


def has_all_peers(case: Case) -> bool:
    """Whether a case is one of many peers, whose charts want room."""
    return _ALL_PEERS in case.name


def scenarios(case: Case) -> Iterator[Figure]:
    """Each measure of a case: ours beside all its peers."""
    set_name = case.name.partition(_ALL_PEERS)[0]
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in case.rows:
        if row.ours is not None and row.ours_at is not None:
            # Several peers of one measure are several rows; what has no peer may be as much as something else.
            alone = row.title if row.peer is None else None
            groups.setdefault((alone, row.side, row.unit, row.ours_at, row.ours), []).append(row)
    for rows in groups.values():
        row = rows[0]
        assert row.ours is not None
        assert row.ours_at is not None
        mine = Bar(
            label=row.side,
            text=amount(row.ours_at, row.unit),
            value=row.ours_at,
            colour="ours",
            low=row.ours.low,
            high=row.ours.high,
        )
        items = [mine, *(bar for each in rows if (bar := _peer(each)) is not None)]
        is_wide = has_all_peers(case)
        told = [words for each in rows if (words := relation_to_peer(each))]
        told = list(_beside_least(rows)) if is_wide else told
        told += [
            f"{each.peer} {_without_figures(each)}"
            for each in case.rows
            if each.ours is None and each.title == row.title
        ]
        yield Figure(
            title=f"{headed(row.title)}: the set {set_name}" if is_wide else headed(row.title),
            words="; ".join(told) or f"{amount(row.ours_at, row.unit)}: no peer is measured",
            wide=bars(items, WIDE if is_wide else NARROW),
            narrow=bars(items, NARROW) if is_wide else None,
            table=row_table(rows),
        )


def _beside_least(rows: Sequence[Row]) -> Iterator[str]:
    """How ours is to the peer that takes least."""
    found = [(each.theirs.median, n) for n, each in enumerate(rows) if each.theirs is not None]
    if found:
        yield f"{relation_to_peer(rows[min(found)[1]])}, which takes the least of its peers"


def starts(case: Case) -> Iterator[Figure]:
    """What a flow waits for before its first line, by the way its packages come; and from when on which pays."""
    if not case.name.startswith(_STARTS):
        return
    found = {side: each[_FIRST_LINE] for side, each in case.samples.items() if each.get(_FIRST_LINE)}
    if not found:
        return
    medians = {side: statistics.median(values) for side, values in found.items()}
    order = sorted(found, key=lambda side: medians[side])
    items, rows = [], []
    for side in order:
        low, high = _quartiles(found[side])
        colour = "peer" if side.endswith(_AT_START) else "ours"
        text = amount(medians[side], "s")
        items.append(Bar(label=side, text=text, value=medians[side], colour=colour, low=low, high=high))
        rows.append((side, text, amount(low, "s"), amount(high, "s"), str(len(found[side]))))
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
        yield _break_even_figure(case, ways)


def strategies(case: Case) -> dict[str, tuple[float, float]]:
    """Each way to bring packages: seconds before the first start beyond one, and for each start."""
    medians = {
        side: statistics.median(each[_FIRST_LINE]) for side, each in case.samples.items() if each.get(_FIRST_LINE)
    }
    found = {side: (0.0, each) for side, each in medians.items() if side.endswith(_AT_START)}
    if _COLD in medians and _WARM in medians:
        found["extras"] = (medians[_COLD] - medians[_WARM], medians[_WARM])
    builds = case.samples.get(_BAKED, {}).get(_BUILD)
    if _BAKED in medians and builds:
        found[_BAKED] = (statistics.median(builds), medians[_BAKED])
    return found


def growth(case: Case) -> Iterator[Figure]:
    """Each measure that grows, a line for each side, with the line fitted."""
    groups: dict[tuple[str, str, str], list[Growth]] = {}
    for each in case.growth:
        groups.setdefault((each.title, each.by, each.unit), []).append(each)
    for (title, by, unit), found in groups.items():
        scale, name = {"s": (1.0, "seconds"), "B": (1e6, "MB"), "n": (1.0, "")}[unit]
        items = []
        for n, each in enumerate(found):
            colour = "ours" if n == 0 else f"line{n % 4}"
            points = tuple((at, value / scale) for at, value in each.points)
            items.append(Line(label=each.side, points=points, colour=colour))
            if each.slope is not None and each.intercept is not None:
                ends = [each.points[0][0], each.points[-1][0]]
                fit = tuple((at, (each.intercept + each.slope * at) / scale) for at in ends)
                label = f"{each.side}, fitted: {amount(each.slope, each.unit)} for each"
                items.append(Line(label=label, points=fit, colour=colour, dash=(5, 4), is_fitted=True))
        slopes = [
            f"{each.side}: {amount(each.slope, each.unit)} for each one more"
            for each in found
            if each.slope is not None
        ]
        rows = tuple((each.side, f"{at:g}", amount(value, each.unit)) for each in found for at, value in each.points)
        yield Figure(
            title=headed(title),
            words="; ".join(slopes) or f"By the number of {by}.",
            wide=lines(items, WIDE, x_title=by, y_title=name),
            narrow=lines(items, NARROW, x_title=by, y_title=name),
            table=Table(head=("who", by, "measured"), rows=rows, right=frozenset({1, 2})),
        )


def row_table(rows: Sequence[Row]) -> Table:
    """Rows as the command prints them."""
    cells = []
    for row in rows:
        bounds = (bound(row.must, row), bound(row.aim, row))
        peer = row.peer or ""
        if row.ours is None or row.ours_at is None:
            ours = theirs = found = ""
            rounds: str = row.verdict
        else:
            theirs = amount(row.theirs.median, row.unit) if row.theirs is not None else ""
            rounds = f"{row.ours.count}/{row.theirs.count}" if row.theirs is not None else str(row.ours.count)
            ours, found = amount(row.ours_at, row.unit), measured(row)
        cells.append((row.name, row.title, row.side, ours, peer, theirs, found, *bounds, _verdict(row), rounds))
    head = ("row", "what", "who", "measured", "peer", "measured", "ratio", "must", "aim", "verdict", "rounds")
    return Table(head=head, rows=tuple(cells), right=frozenset({3, 5, 6, 7, 8, 10}))


def headed(text: str) -> str:
    """``text`` as a heading: its first word with a capital, where it is a word."""
    return text[:1].upper() + text[1:] if re.match(r"(?!imagekit)[a-z][a-z,-]*( |$)", text) else text


def _verdict(row: Row) -> str:
    words = {"aim": "aim met", "must": "target met", "missed": "missed", "noted": ""}
    return words[row.verdict] if row.verdict in words else _without_figures(row)


def _without_figures(row: Row) -> str:
    word = "is not to be had there" if row.verdict == "unavailable" else "failed"
    return f"{word}: {row.error.strip().splitlines()[-1]}" if row.error.strip() else word


def _named(row: Row, several: Sequence[tuple[str, str]]) -> str:
    named = row.name.partition("/")[0], row.title
    return ": ".join(named) + (f", by {row.peer}" if named in several else "")


def _peer(row: Row) -> Bar | None:
    if row.theirs is None or row.peer is None:
        return None
    return Bar(
        label=row.peer if row.peer != row.side else "to compare with",
        text=amount(row.theirs.median, row.unit),
        value=row.theirs.median,
        colour="peer",
        low=row.theirs.low,
        high=row.theirs.high,
    )


def _break_even_figure(case: Case, ways: dict[str, tuple[float, float]]) -> Figure:
    order = sorted(ways, key=lambda name: ways[name][1])
    pays = {(high, low): break_even(*ways[low], *ways[high]) for n, high in enumerate(order) for low in order[n + 1 :]}
    far = max([_FEWEST_STARTS, *(2 * starts for starts in pays.values() if starts is not None and starts <= 100)])
    colours = ("ours", "line1", "line2", "line3")
    items = [
        Line(
            label=name,
            points=tuple((n, ways[name][0] + n * ways[name][1]) for n in (1, far)),
            is_fitted=True,
            colour=colours[i % 4],
            dash=((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))[i % 4],
        )
        for i, name in enumerate(order)
    ]
    told = [
        f"{high} instead of {low} pays from {n} starts on" for (high, low), n in pays.items() if n is not None and n > 1
    ]
    always = [f"{high} instead of {low}" for (high, low), n in pays.items() if n == 1]
    told += [f"from the first start on {', '.join(always)}"] if always else []
    rows = tuple((name, *(amount(value, "s") for value in (*ways[name], *_waited(ways[name])))) for name in order)
    missing = "" if _BAKED in ways else " What building an image takes was not measured with them, so it is not drawn."
    titles = {"x_title": "starts", "y_title": "seconds waited for in all"}
    return Figure(
        title="From how many starts on which way pays",
        words=f"{headed('; '.join(told))}.{missing}",
        wide=lines(items, WIDE, **titles, x_most=far),
        narrow=lines(items, NARROW, **titles, x_most=far),
        table=Table(
            head=("way", "once", "each start", "1 start", "10 starts", "100 starts"),
            rows=rows,
            right=frozenset(range(1, 6)),
        ),
    )


def _waited(way: tuple[float, float]) -> tuple[float, ...]:
    return tuple(way[0] + n * way[1] for n in (1, 10, 100))


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) == 1:
        return values[0], values[0]
    found = statistics.quantiles(values, n=4, method="inclusive")
    return found[0], found[2]
