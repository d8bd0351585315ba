"""The cases as a list: how often each is measured, and how long that takes by what was measured before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.case import Case


def listing(cases: Sequence[Case], known: Mapping[str, float]) -> str:
    """A line for each: rounds of ``make bench`` and of ``make bench-full``, minutes of each, what it is."""
    head = ("", "bench", "min", "full", "min", "")
    lines = [head, *(_line(case, known) for case in cases if case.rounds.quick or case.rounds.full)]
    for full in (False, True):
        missing = sum(1 for case in cases if case.rounds.of(full) and case.name not in known)
        total = sum(case.rounds.of(full) * known.get(case.name, 0.0) for case in cases) / 60
        more = f" and {missing} cases that were not measured yet" if missing else ""
        lines.append((f"make {'bench-full' if full else 'bench'}: {total:.0f} minutes{more}", "", "", "", "", ""))
    widths = [max(len(line[column]) for line in lines if line[1] or column) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in (0, 5) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def seconds_of_rounds(documents: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds of one round of each case, with its share of what was prepared and checked; the last known."""
    found: dict[str, float] = {}
    for document in sorted(documents, key=lambda document: str(document["started"])):
        for case in document["cases"]:
            counts = [len(samples) for samples in case["samples"].values()]
            if any(counts) and "seconds" in case:
                points: int = max((len(each["points"]) for each in case.get("growth", ())), default=1)
                rounds = max(counts) / points
                found[case["name"]] = case["seconds"] / max(1.0, rounds)
    return found


def _line(case: Case, known: Mapping[str, float]) -> tuple[str, ...]:
    cells = [case.name]
    for full in (False, True):
        rounds = case.rounds.of(full)
        minutes = f"{rounds * known[case.name] / 60:.1f}" if case.name in known else "?"
        cells += [str(rounds), minutes] if rounds else ["-", ""]
    return (*cells, case.title)
