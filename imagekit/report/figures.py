"""What of rows is drawn: beside their targets, beside their peers; and their table. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from imagekit.report.charts import Bar, Spec, bars
from imagekit.report.results import Case, Row
from imagekit.report.shown import NARROW, WIDE, Figure, Key, Table
from imagekit.report.words import amount, bound, headed, measured, relation_to_peer, verdict, without_figures

_COLOURS = {"aim": "good", "must": "ours", "missed": "missed", "noted": "peer", "failed": "missed"}
COLOURED = (
    Key(words="the aim is met", colour="good"),
    Key(words="the target is met", colour="ours"),
    Key(words="missed", colour="missed"),
)
_TWICE = 2.0  # beyond it a bar only says that it is far beyond
_ALL_PEERS = "-peers-"


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
            f"{each.peer or each.side} {without_figures(each)}"
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


def row_table(rows: Sequence[Row], runs: Sequence[str] = ()) -> Table:
    """Rows as the command prints them; ``runs`` are the run that each is of, where there are several."""
    cells: list[tuple[str, ...]] = []
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
        cells.append((row.name, row.title, row.side, ours, peer, theirs, found, *bounds, verdict(row), rounds))
    head: tuple[str, ...] = (
        "row",
        "what",
        "who",
        "ours",
        "peer",
        "peer's",
        "ratio",
        "must",
        "aim",
        "verdict",
        "rounds",
    )
    if runs:
        head = (*head, "the run of")
        cells = [(*each, run) for each, run in zip(cells, runs, strict=True)]
    return Table(head=head, rows=tuple(cells), right=frozenset({3, 5, 6, 7, 8, 10}))


def _share(ratio: float, limit: float) -> float:
    """Of a limit of nothing at all, nothing is nothing, and anything is far beyond it."""
    return ratio / limit if limit else 0.0 if ratio <= 0 else 2 * _TWICE


def _beside_least(rows: Sequence[Row]) -> Iterator[str]:
    """How ours is to the peer that takes least."""
    found = [(each.theirs.median, n) for n, each in enumerate(rows) if each.theirs is not None]
    if found:
        yield f"{relation_to_peer(rows[min(found)[1]])}, which takes the least of its peers"


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
