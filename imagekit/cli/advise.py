"""``imagekit advise``"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit advise flow.py:etl",
    "imagekit advise flow.py:etl --runs-per-day 48 --elsewhere",
    "imagekit advise flow.py:etl --measure --json",
)


@with_options
def advise(
    target: Annotated[
        str, typer.Argument(metavar="FLOW|PATH", help="PATH.py:FUNCTION, or a project's directory.", show_default=False)
    ] = ".",
    directory: Annotated[
        Path, typer.Option("--project", metavar="PATH", help="The flow's project.", show_default=False)
    ] = Path(),
    runs_per_day: Annotated[
        float | None,
        typer.Option("--runs-per-day", metavar="N", help="How often it is started; by default as recorded here."),
    ] = None,
    elsewhere: Annotated[
        bool,
        typer.Option("--elsewhere", help="Others start it, and install extra packages each time: Prefect, Kubernetes."),
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Build and start a few containers, and take their times.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option("--rounds", metavar="N", min=1, max=99, help="Of --measure: starts of each kind.")
    ] = None,
    *,
    project: options.ProjectOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say which image strategy fits, with the numbers and the break-even run count.

    The four are the default image, the default image with EXTRA_PIP_PACKAGES, a shared image whose flows come from
    outside, and one with the flow in it. What each costs is told from the lock, the git history and the record of
    runs; without --measure nothing is built, and seconds are estimates.
    """
    from imagekit.advising.advise import advise_on, check_rate, parse_target
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError

    check_rate(runs_per_day)
    if rounds is not None and not measure:
        raise InputError("--rounds goes with --measure", hint="add --measure")
    root, entrypoint = parse_target(target, directory)
    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=measure) as pipeline,
    ):
        spec = pipeline.spec(root, entrypoints=[str(entrypoint)] if entrypoint else [], **given(project))
        pipeline.inputs(spec)  # what cannot be sent is refused before anything is asked of anyone
        document = advise_on(
            pipeline,
            spec,
            entrypoint,
            runs_per_day=runs_per_day,
            elsewhere=elsewhere,
            rounds=rounds if measure else 0,
        ).to_json()
    if as_json:
        put_json(document)
    else:
        put_advice(document)


def put_advice(document: Mapping[str, Any]) -> None:
    """What is known, the four strategies, which one and why: from the same JSON that ``--json`` prints."""
    from imagekit.cli.output import put, put_table, styled
    from imagekit.cli.picture import put_facts

    put_facts(_known(document))
    put()
    put_table(_rows(document), right=(2, 3, 4, 5, 6))
    for each in document["strategies"]:
        if not each["possible"]:
            put(f"   {each['title']}: {each['why_not']}")
    put()
    chosen = next(each for each in document["strategies"] if each["name"] == document["recommended"])
    put(f"{styled(chosen['title'], '1', sys.stdout)}: {document['reason']}")
    titles = {each["name"]: each["title"] for each in document["strategies"]}
    for even in document["break_even"]:
        put(_break_even(even, titles))
    put()
    for note in document["notes"]:
        put(f"note: {note}")
    for step in document["next_steps"]:
        put(f"next: {step}")


def _known(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    from imagekit.cli.output import size

    facts = document["facts"]
    history, starts = facts["history"], facts["starts"]
    packages = f"{_count(facts['packages'], 'package')} beyond {facts['default_image']}"
    if facts["packages"]:
        about = "" if facts["layer_bytes_known"] else "about "
        packages += f": {size(facts['download_bytes'])} of wheels, {about}{size(facts['layer_bytes'])} of layers"
    found = [("needs", packages), ("lock", facts["lock"] or "none")]
    if facts["source_builds"]:
        found.append(("from source", ", ".join(facts["source_builds"][:8])))
    if history["unknown"] is None:
        changed = f"dependencies on {_count(history['dependency_changes'], 'day')}, "
        changed += f"source on {_count(history['source_changes'], 'day')}"
        found.append(("changed", f"{changed} of the last {history['days']:.0f}"))
    found.append(("starts", f"{starts['per_day']:.3g} a day ({starts['origin']})"))
    if starts["accepted_to_running_seconds"] is not None:
        found.append(("", f"{starts['accepted_to_running_seconds']:.2f} s from being accepted to running, as recorded"))
    return found


def _rows(document: Mapping[str, Any]) -> list[Sequence[str]]:
    origins = {figure["origin"] for name, figure in document["costs"].items() if name == "start"}
    about = "" if origins == {"measured"} else "~"
    rows: list[Sequence[str]] = [
        ("", "", "a start", "once", "dependency moved", "source edited", f"{document['days']} days")
    ]
    for each in document["strategies"]:
        if each["possible"]:
            seconds = each["seconds"]
            names = ("start", "first", "dependency_change", "source_change")
            mark = "→" if each["name"] == document["recommended"] else ""
            cells = [_seconds(seconds[name], about) for name in names]
            rows.append((mark, each["title"], *cells, _seconds(seconds["total"], about)))
    return rows


def _break_even(even: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    names = f"{titles[even['few']]} → {titles[even['many']]}"
    if even["starts"] is None:
        return f"break-even, {names}: none, however often it is started"
    if even["starts"] == 0:
        return f"break-even, {names}: from the first start"
    return f"break-even, {names}: {_count(even['starts'], 'start')} in {even['days']} days"


def _seconds(value: float, about: str) -> str:
    from imagekit.cli.output import seconds

    if value == 0:
        return "–"
    return f"{about}{value:.2f} s" if value < 9.95 else f"{about}{seconds(value)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
