"""``imagekit flow-run``"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.store.store import Store
    from imagekit.store.values import StoredRun

app = typer.Typer(
    help="Runs: list them, inspect one, read its log, cancel, retry, delete.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's ID, the beginning of one, or its name.")]


@app.command(
    "ls", cls=Command, epilog=examples("imagekit flow-run ls", "imagekit flow-run ls --state failed --since 2d --json")
)
def list_runs(
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Runs in that state: failed, crashed …")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Runs since then: 12h, 30d, 2026-01-31.")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="FLOW/NAME", help="Runs of that deployment.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: options.Json = False,
) -> None:
    """List runs, the last first."""
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.cli.periods import moment_of
    from imagekit.cli.run_picture import run_row

    states = [_state(each) for each in state] if state else None
    begun = moment_of(since, "--since").isoformat(timespec="milliseconds") if since is not None else None
    with _store() as store:
        runs = store.runs(states=states, since=begun, limit=None if every else limit + 1, deployment=deployment)
        orphans = {run.id for run in store.orphans(of_pools=True)}
    more = not every and len(runs) > limit
    runs = runs if every else runs[:limit]
    if as_json:
        put_json({"runs": [_document(run, run.id in orphans) for run in runs], "more": more})
        return
    if not runs:
        put("no runs" if states or begun or deployment else "no runs yet: imagekit run FILE.py:FUNCTION makes one")
        return
    rows = [["ID", "NAME", "FLOW", "IMAGE", "STATE", "STARTED", "TOOK"]]
    put_table([*rows, *(run_row(run, run.id in orphans) for run in runs)])
    if more:
        put(f"more: imagekit flow-run ls --limit {limit * 5}, or --all")


@app.command(cls=Command, epilog=examples("imagekit flow-run inspect 3f2a", "imagekit flow-run inspect nightly --json"))
def inspect(run: RunArgument, as_json: options.Json = False) -> None:
    """Show all that is recorded of a run."""
    from imagekit.cli.output import put_json
    from imagekit.cli.picture import put_facts
    from imagekit.cli.run_picture import run_facts

    with _store() as store:
        found = store.run(run)
        document = _document(found, any(each.id == found.id for each in store.orphans(of_pools=True)))
        if document["result_file"] is not None:
            document["result"] = store.result(found)
            document["result_file"] = str(store.directory / document["result_file"])
    if as_json:
        put_json(document)
    else:
        put_facts(list(run_facts(document)))


@app.command(cls=Command, epilog=examples("imagekit flow-run logs 3f2a", "imagekit flow-run logs nightly --times"))
def logs(
    run: RunArgument,
    times: Annotated[bool, typer.Option("--times", "-t", help="Before each line, when it came (UTC).")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write what a run wrote, each stream to its own.

    Of a very long log the beginning and the end are kept, and how many bytes are missing is said on stderr.
    """
    from imagekit.cli.output import put_json

    with _store() as store:
        found = store.run(run).id
        pieces = store.follow(found) if follow else store.log(found)
        if as_json:
            put_json({"log": [_logged(piece.stream, piece.data, piece.time, piece.dropped) for piece in pieces]})
            return
        fresh = {1: True, 2: True}  # whether the stream is at a line's beginning
        for piece in pieces:
            if piece.dropped:
                sys.stderr.flush()
                _write(2, f"\n… {piece.dropped} bytes were not kept …\n".encode())
                continue
            data = piece.data
            if times:
                lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
                stamp = f"{_moment(piece.time)} ".encode()
                data = b"".join((stamp if n or fresh[piece.stream] else b"") + line for n, line in enumerate(lines))
                fresh[piece.stream] = data.endswith(b"\n")
            _write(piece.stream, data)


@app.command(
    cls=Command,
    epilog=examples("imagekit flow-run delete 3f2a", "imagekit flow-run delete --older-than 30d --keep-last 100"),
)
def delete(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="Their IDs, or names.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="All that ended so long ago: 12h, 30d, 8w.")
    ] = None,
    keep_last: Annotated[
        int, typer.Option("--keep-last", metavar="N", min=0, help="With --older-than: keep the last N in any case.")
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Forget runs that have ended, with their logs and results."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.periods import seconds_of
    from imagekit.errors import InputError

    if bool(runs) == (older_than is not None):
        raise InputError("name runs or give --older-than, one of the two", hint="imagekit flow-run ls shows the runs")
    with _store() as store:
        if older_than is not None:
            until = datetime.now(timezone.utc).timestamp() - seconds_of(older_than, "--older-than")
            every = store.runs()[keep_last:]
            chosen = [run for run in every if run.end and datetime.fromisoformat(run.end.ended).timestamp() < until]
        else:
            chosen = [store.run(wanted) for wanted in runs or ()]
            for run in chosen:
                if run.end is None:
                    gone_too = any(run.id == each.id for each in store.orphans())
                    hint = (
                        "imagekit prune ends what killed processes left"
                        if gone_too
                        else f"imagekit flow-run cancel {run.id[:8]}"
                        if run.pool
                        else f"docker stop {run.record.name}"
                    )
                    raise InputError(f"the run {run.record.name} ({run.id}) has not ended", hint=hint)
        gone = [run for run in chosen if store.delete(run.id)]
    if as_json:
        put_json({"deleted": [run.id for run in gone]})
    else:
        put(f"deleted {len(gone)} run{'' if len(gone) == 1 else 's'}")


@app.command(cls=Command, epilog=examples("imagekit flow-run cancel 3f2a"))
def cancel(
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Their IDs, or names.")],
    as_json: options.Json = False,
) -> None:
    """Cancel runs of deployments: one that waits at once, one that runs by its worker."""
    from imagekit.cli.output import put, put_json
    from imagekit.errors import InputError
    from imagekit.store.queue import Queue

    with _store() as store:
        chosen = [store.run(wanted) for wanted in runs]
        for run in chosen:
            if run.end is not None:
                raise InputError(f"the run {run.record.name} has ended: {run.state}", hint="nothing is to be done")
            if run.pool is None:
                raise InputError(f"the run {run.record.name} is of no work pool", hint=f"docker stop {run.record.name}")
        for run in chosen:
            Queue(store).cancel(run.id)
        _end_of_nobody(store, [run.id for run in chosen])
        states = {run.id: store.run(run.id) for run in chosen}
    if as_json:
        put_json({"runs": [{"id": run.id, "state": run.state, "asked": run.end is None} for run in states.values()]})
        return
    for run in chosen:
        state = states[run.id].state if states[run.id].end else "its worker ends it"
        put(f"{run.record.name}: {state}")


def _end_of_nobody(store: Store, run_ids: list[str]) -> None:
    """End those of them whose worker is gone: it would never be told."""
    gone = [run for run in store.orphans(of_pools=True) if run.id in run_ids]
    if not gone:
        return
    from imagekit.cli.session import load_settings
    from imagekit.engine.client import Engine
    from imagekit.runs.reconcile import end_orphan

    settings = load_settings()
    with Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine:
        for run in gone:
            end_orphan(store, engine, run, cancels=True)


@app.command(cls=Command, epilog=examples("imagekit flow-run retry 3f2a --watch"))
def retry(
    run: RunArgument,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show its output, and end as it does.")] = False,
    as_json: options.Json = False,
) -> None:
    """Have a run of a deployment run again, with the same image and parameters.

    Where the image is the work pool's to name, it is what that names by now.
    """
    from imagekit.cli.output import put, put_json
    from imagekit.deploying.submit import retry as submit_again

    with _store() as store:
        submitted = submit_again(store, store.run(run))
        if watch:
            from imagekit.cli.watching import watch_run

            raise typer.Exit(watch_run(store, submitted.id, as_json=as_json))
        if as_json:
            put_json(store.run(submitted.id).to_json())
        else:
            put(f"{submitted.name} ({submitted.id}) waits in {submitted.pool}")


def _store() -> Store:
    from imagekit.cli.session import load_settings
    from imagekit.store.store import Store

    return Store.open(load_settings().state_dir)


def _state(text: str) -> str:
    from imagekit.errors import InputError
    from imagekit.nearest import nearest_hint
    from imagekit.store.values import ENDED_STATES, OPEN_STATES

    known = (*OPEN_STATES, *ENDED_STATES)
    if text not in known:
        raise InputError(f"--state {text!r} is no state of a run", hint=nearest_hint(text, known))
    return text


def _document(run: StoredRun, orphaned: bool) -> dict[str, Any]:
    return {**run.to_json(), "orphaned": orphaned}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _logged(stream: int, data: bytes, time: float, dropped: int) -> dict[str, Any]:
    if dropped:
        return {"stream": None, "dropped": dropped}
    name = "stdout" if stream == 1 else "stderr"
    return {"stream": name, "time": _moment(time), "text": data.decode("utf-8", "replace")}


def _write(stream: int, data: bytes) -> None:
    # Bytes as they came: they need not be text.
    target = sys.stdout if stream == 1 else sys.stderr
    if target is not None:
        target.buffer.write(data)
        target.buffer.flush()
