"""``python -m benchmarks``: measure imagekit beside its peers, print the table, keep all of it as JSON.

``make bench`` and ``make bench-full`` call it; ``ONLY=tail,cold`` chooses cases by parts of their names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.compared import compared, earlier
from benchmarks.deployment_cases import deployment_cases
from benchmarks.filesystem import in_own_mounts
from benchmarks.growth_cases import growth_cases
from benchmarks.layer_cases import layer_cases
from benchmarks.listing import listing, seconds_of_rounds
from benchmarks.machine import machine, now, versions
from benchmarks.matrix_case import matrix_cases
from benchmarks.measure import CaseResult, run_cases
from benchmarks.needs import check_needs
from benchmarks.ours import Imagekit
from benchmarks.peers.cases import peer_cases
from benchmarks.peers.environment import versions as peer_versions
from benchmarks.process import Failed
from benchmarks.report import curves, document, failures, table, unavailable
from benchmarks.run_cases import run_cases as cases_of_runs
from benchmarks.sets import SETS, PackageSet
from benchmarks.start_cases import start_cases
from benchmarks.surroundings import Surroundings
from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.report.results import SETS_OF_BUILDS, read_results

RESULTS = Path(__file__).with_name("results")


def all_cases(at: Surroundings, sets: Sequence[str]) -> Iterator[Case]:
    """Every case there is, in the order in which they are run; the first set is the main one."""
    for packages in map(PackageSet, sets):
        # By all peers a heavy set takes more than an hour.
        if not packages.is_heavy:
            yield from peer_cases(at, packages)
    yield from growth_cases(at)
    for number, name in enumerate(sets):
        yield from layer_cases(at, PackageSet(name), main=number == 0)
    yield from cases_of_runs(at)
    yield from start_cases(at)
    yield from deployment_cases(at)
    yield from matrix_cases(at)


def by_groups(at: Surroundings, cases: Sequence[Case]) -> Iterator[Case]:
    """``cases``, of which the first of each group begins with nothing of what others made."""
    begun = ""

    def prepare(case: Case) -> None:
        nonlocal begun
        if case.group != begun:
            at.begin_group()
            begun = case.group
        case.prepare()

    for case in cases:
        yield replace(case, prepare=partial(prepare, case))


def main() -> int:
    arguments = _arguments()
    in_own_mounts()
    # Ended by whichever signal, engines and registries of ours go too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    program = Imagekit(program=arguments.imagekit) if arguments.imagekit else None
    output = arguments.output or RESULTS / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}.json"
    before = earlier(sorted(RESULTS.glob("*.json")))
    with closing(Surroundings(arguments.base, arguments.directory, program)) as at:
        cases = _chosen(all_cases(at, arguments.set or SETS_OF_BUILDS), arguments)
        if arguments.list:
            kept = (json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json")))
            print(listing(cases, seconds_of_rounds(kept)))
            return 0
        # Before hours are spent, and before a document of failures stands beside those that were kept.
        check_needs(at.disk, [case.name for case in cases])
        results, found = _measured(at, cases, arguments, output)
    if not results:
        return 130
    _tell(results, compared(before, read_results(json.dumps(found), output.name)))
    # By now the disk has room, whatever the cases took of it.
    _keep(output, found)
    here = found["machine"]
    print(f"\n{here['cpu']}, {here['cores']} cores; {found['versions']['engine']}")
    print(f"{found['seconds']:.0f} s in all; kept in {os.path.relpath(output)}; make report draws it")
    if missing := unavailable(results):
        print(f"\nnot measured here:\n{missing}")
    if failed := failures(results):
        print(f"\nfailed, and so without figures:\n{failed}", file=sys.stderr)
    return 130 if len(results) < len(cases) else 1 if failed else 0


def _chosen(cases: Iterable[Case], arguments: argparse.Namespace) -> list[Case]:
    """Those that are asked for; without ``--list``, those that are measured at all."""
    wanted = [word for word in arguments.only.split(",") if word]
    named = [case for case in cases if not wanted or any(word in case.name for word in wanted)]
    if not named:
        names = ".venv/bin/python -m benchmarks --list names them all"
        raise Failed(f"no case has one of {arguments.only} in its name: {names}")
    if arguments.list or arguments.rounds is not None:
        return named
    measured = [case for case in named if case.rounds.of(arguments.full)]
    if not measured:
        how = "BENCH_ARGS='--rounds 1'" if arguments.full else "make bench-full"
        raise Failed(f"no round of {', '.join(case.name for case in named)}: {how} measures them")
    return measured


def _measured(
    at: Surroundings, cases: Sequence[Case], arguments: argparse.Namespace, output: Path
) -> tuple[list[CaseResult], dict[str, Any]]:
    """What came of the cases, fewer where it was ended early, and the document of it, which is kept in ``output``."""
    began = time.monotonic()
    here: dict[str, Any] = {
        "started": now(),
        "machine": machine(at.has_own_filesystem),
        "versions": {**versions(), **peer_versions()},
        "base": at.base,
        "full": arguments.full,
    }
    results: list[CaseResult] = []
    found: dict[str, Any] = {}
    try:
        # Kept after each case: of hours, what ends them early takes one case and no more.
        for result in run_cases(by_groups(at, cases), full=arguments.full, rounds=arguments.rounds, say=_say):
            results.append(result)
            found = document(results, **here, seconds=round(time.monotonic() - began, 1))
            try:
                _keep(output, found)
            except DiskFull as error:
                _say(f"  not kept yet: {error}")
    except KeyboardInterrupt:
        print("\nended early", file=sys.stderr)
    return results, found


def _tell(results: Sequence[CaseResult], since: str) -> None:
    print(table(results))
    if grown := curves(results):
        print(f"\n{grown}")
    if since:
        print(f"\nbefore → now\n{since}")


def _keep(output: Path, found: Mapping[str, Any]) -> None:
    """Write ``found`` whole or not at all."""
    output.parent.mkdir(exist_ok=True)
    write_whole(output, (json.dumps(found, indent=1) + "\n").encode(), mode=0o644)


def _end(number: int, _: object) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all cases, and more rounds of each")
    parser.add_argument("--only", default="", metavar="NAME,…", help="cases that have one of these in their name")
    parser.add_argument("--set", action="append", choices=sorted(p.name for p in SETS.iterdir()), help="instead of all")
    parser.add_argument("--rounds", type=int, help="of every case, instead of its own")
    parser.add_argument("--base", metavar="REF", help="the base image, of the engine at hand")
    parser.add_argument("--directory", type=Path, help="where to work (70 GB; no overlay file system)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="instead of benchmarks/results/DATE.json")
    parser.add_argument("--imagekit", metavar="PROGRAM", help="instead of this environment's: to compare versions")
    parser.add_argument("--list", action="store_true", help="name the cases, their rounds and minutes, and end")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"error: {error}")
