"""The page of the benchmarks, from what a run wrote. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagekit.report.figures import (
    COLOURED,
    Figure,
    Table,
    against_targets,
    growth,
    has_all_peers,
    headed,
    row_table,
    scenarios,
    starts,
)
from imagekit.report.image_figures import COLOURS, KINDS, layer_change, layer_map
from imagekit.report.page import Card, Page, Section
from imagekit.report.results import Case, Results, Row, latest_cases
from imagekit.report.words import amount, relation

# What is shown first where it was measured, by the rows' names without their set.
KEY_ROWS = (
    *("tail-push", "tail-push-containerd", "tail-classic", "tail-containerd", "drawn", "large", "no-op", "edit"),
    *("other-project", "cold", "first-push-classic", "first-push-containerd", "size", "build", "first-line"),
    *("medium-warm-pip", "medium-warm", "medium-cold", "empty-flow"),
)


def bench_page(runs: Sequence[Results]) -> Page:
    """The page of ``runs``; of a case that several have, what was measured last."""
    cases = latest_cases(runs)
    newest = max(runs, key=lambda run: run.started)
    rows = [row for case in cases for row in case.rows]
    return Page(
        title="imagekit beside its peers",
        lead=[_lead(newest), *([] if rows else ["There is no row in these results: nothing was measured."])],
        sections=list(_sections(cases, runs)),
    )


def key_rows(cases: Sequence[Case]) -> list[Row]:
    """The rows to show first, each of the first set that has it."""
    by_name: dict[str, Row] = {}
    for case in cases:
        for row in case.rows:
            if row.ratio is not None and row.theirs is not None:
                by_name.setdefault(row.name.partition("/")[2], row)
    return [by_name[name] for name in KEY_ROWS if name in by_name]


def beside(row: Row) -> str:
    """Both medians of a row in words."""
    assert row.ours_at is not None
    assert row.theirs is not None
    return f"{amount(row.ours_at, row.unit)} beside {amount(row.theirs.median, row.unit)} ({row.peer})"


def _sections(cases: Sequence[Case], runs: Sequence[Results]) -> Iterator[Section]:
    if first := key_rows(cases):
        cards = [Card(figure=relation(row), title=headed(row.title), words=beside(row)) for row in first]
        yield Section(title="At a glance", cards=cards)
    if (targets := against_targets(cases)) is not None:
        yield Section(title="Targets", figures=[targets], key=COLOURED)
    if beginnings := [figure for case in cases for figure in starts(case)]:
        yield Section(title="Cold start", figures=beginnings)
    many, few = [case for case in cases if has_all_peers(case)], [case for case in cases if not has_all_peers(case)]
    if figures := [figure for case in many for figure in scenarios(case)]:
        yield Section(
            title="Beside all peers",
            words="Medians, all on one engine and one base; the thin line is from quartile to quartile.",
            figures=figures,
        )
    # What is measured of several sets has the same titles in each.
    by_group: dict[str, list[Figure]] = {}
    for case in few:
        if not case.name.startswith("start-"):
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
        yield Section(title="Growth", figures=grown)
    for case in cases:
        if case.before is not None and case.after is not None:
            yield Section(
                title=f"Layers: {_group(case)}, {case.title}",
                figures=[layer_change(case.before, case.after), layer_map(case.after)],
                key=[(COLOURS[kind], words) for kind, words in KINDS.items()],
            )
    rows = [row for case in cases for row in case.rows]
    if rows:
        yield Section(title="All rows", tables=[("Every row that was measured", row_table(rows))])
    yield Section(
        title="How it was measured",
        words="Whole processes from outside, in turns, on engines of their own; benchmarks/README.md tells all of it.",
        tables=[(f"The run of {_date(run.started)}: {run.source}", _facts(run)) for run in runs],
    )


def _group(case: Case) -> str:
    """What the names of its rows begin with: the set that it is of, or what else it measures."""
    return next((row.name.partition("/")[0] for row in case.rows), case.name)


def _lead(run: Results) -> str:
    cpu, cores = run.machine.get("cpu", "a processor not told"), run.machine.get("cores", "?")
    engine = run.versions.get("engine", "an engine not told")
    return f"Measured {_date(run.started)} on {cores} cores ({cpu}) with {engine}."


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
