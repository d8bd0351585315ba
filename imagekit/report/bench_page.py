"""The page of the benchmarks, from what a run wrote. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagekit.report.figures import COLOURED, against_targets, has_all_peers, row_table, scenarios
from imagekit.report.growth_figures import growth
from imagekit.report.image_figures import KINDS, layer_change, layer_map
from imagekit.report.results import SETS_OF_BUILDS, Case, Results, Row, latest_cases, other_set
from imagekit.report.shown import Card, Figure, Page, Section, Table
from imagekit.report.start_figures import is_of_starts, starts
from imagekit.report.words import amount, headed, listed, relation, when_and_where

# What is shown first where it was measured, by the rows' names without their set.
KEY_ROWS = (
    *("tail-push", "tail-push-containerd", "tail-classic", "tail-containerd", "drawn", "large", "no-op", "edit"),
    *("other-project", "cold", "first-push-classic", "first-push-containerd", "size", "build", "first-line"),
    *("medium-warm-pip", "medium-warm", "medium-cold", "empty-flow"),
)


def bench_page(runs: Sequence[Results]) -> Page:
    """The page of ``runs``; of a case that several have, what was measured last."""
    cases = latest_cases(runs)
    return Page(title="imagekit beside its peers", lead=list(_lead(cases, runs)), sections=list(_sections(cases, runs)))


def key_rows(cases: Sequence[Case]) -> list[Row]:
    """The rows to show first, each of the first of ``SETS_OF_BUILDS`` that has it, whichever was measured last."""
    rows = [row for case in cases for row in case.rows if row.ratio is not None and row.theirs is not None]
    by_name: dict[str, Row] = {}
    for row in sorted(rows, key=_rank):
        by_name.setdefault(row.name.partition("/")[2], row)
    return [by_name[name] for name in KEY_ROWS if name in by_name]


def _rank(row: Row) -> int:
    name = row.name.partition("/")[0]
    return SETS_OF_BUILDS.index(name) if name in SETS_OF_BUILDS else len(SETS_OF_BUILDS)


def beside(row: Row) -> str:
    """Both medians of a row in words."""
    assert row.ours_at is not None
    assert row.theirs is not None
    return f"{amount(row.ours_at, row.unit)} beside {amount(row.theirs.median, row.unit)} ({row.peer})"


def _sections(cases: Sequence[Case], runs: Sequence[Results]) -> Iterator[Section]:
    if first := key_rows(cases):
        yield Section(title="At a glance", cards=[_card(row) for row in first])
    if (targets := against_targets(cases)) is not None:
        yield Section(title="Targets", figures=[targets], key=COLOURED)
    if beginnings := [figure for case in cases for figure in starts(case)]:
        yield Section(title="Cold start", figures=beginnings)
    if figures := [figure for case in cases if has_all_peers(case) for figure in scenarios(case)]:
        yield Section(
            title="Beside all peers",
            words="Medians, all on one engine and one base; the thin line is from quartile to quartile.",
            figures=figures,
        )
    # What is measured of several sets has the same titles in each.
    by_group: dict[str, list[Figure]] = {}
    for case in cases:
        # Others have figures of their own.
        if not (has_all_peers(case) or is_of_starts(case) or case.growth):
            by_group.setdefault(_group(case), []).extend(scenarios(case))
    for group, figures in by_group.items():
        if figures:
            yield Section(
                title=f"Scenarios: {group}",
                words="Medians; the thin line is from quartile to quartile. Blue is who is measured, grey its peers.",
                figures=figures,
                is_grid=True,
            )
    if grown := [figure for case in cases for figure in growth(case)]:
        yield Section(
            title="Growth",
            words="Points are medians of what was measured, lines are fitted to them.",
            figures=grown,
        )
    for case in cases:
        if case.before is not None and case.after is not None:
            yield Section(
                title=f"Layers: {_group(case)}, {case.title}",
                figures=[layer_change(case.before, case.after), layer_map(case.after)],
                key=list(KINDS.values()),
            )
    rows = [(row, _date(case.started)) for case in cases for row in case.rows]
    if rows:
        of = [run for _, run in rows] if len({case.started for case in cases}) > 1 else []
        table = row_table([row for row, _ in rows], of)
        yield Section(title="All rows", tables=[("Every row that was measured", table)])
    yield Section(
        title="How it was measured",
        words="Whole processes from outside, in turns, on engines of their own; benchmarks/README.md tells all of it.",
        tables=[(f"The run of {_date(run.started)}: {run.source}", _facts(run)) for run in runs],
    )


def _group(case: Case) -> str:
    """What the names of its rows begin with: the set that it is of, or what else it measures."""
    return next((row.name.partition("/")[0] for row in case.rows), case.name)


def _card(row: Row) -> Card:
    of = f" (set {name})" if (name := other_set(row)) is not None else ""
    return Card(figure=relation(row), title=headed(row.title) + of, words=beside(row))


def _lead(cases: Sequence[Case], runs: Sequence[Results]) -> Iterator[str]:
    """When, where and with what all was measured that is shown."""
    shown = {case.name: case.started for case in cases}
    told = [run for run in runs if run.started in shown.values()] or runs
    engines = listed((str(run.versions.get("engine", "an engine not told")) for run in told), "or")
    of = " The table of all rows tells the run of each." if len(set(shown.values())) > 1 else ""
    yield f"Measured {when_and_where(told)} with {engines}.{of}"
    later = {case.name for run in runs for case in run.cases if run.started > shown[case.name]}
    if later:
        yield f"A later run has no figures of {listed(sorted(later))}; shown is what was measured before."
    if not any(case.rows for case in cases):
        yield "There is no row in these results: nothing was measured."


def _date(started: str) -> str:
    return started[:16].replace("T", " ") + " UTC"


def _facts(run: Results) -> Table:
    rows = [("base image", run.base), ("rounds", "make bench-full" if run.full else "make bench")]
    rows += [(name, _fact(value)) for part in (run.machine, run.versions) for name, value in part.items()]
    return Table(head=("of the run", "what"), rows=tuple((name.replace("_", " "), text) for name, text in rows))


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(_fact(each) for each in value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)
