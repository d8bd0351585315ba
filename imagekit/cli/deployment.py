"""``imagekit deployment``"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.deployment_moves import kubernetes, to_prefect
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.store.deployments import Deployments
    from imagekit.store.store import Store
    from imagekit.store.work_values import Deployment

app = typer.Typer(
    help="Deployments, which are flows in work pools: create, list, run, pause, delete.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(metavar="FLOW/NAME", help="The flow's name and the deployment's.")]
_Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="K=V", help="A parameter of this run; V is JSON, or else a string."),
]
_Variables = Annotated[
    list[str] | None,
    typer.Option("--job-variable", "-j", metavar="K=V", help="A job variable of this run: mem_limit=2g."),
]


@app.command("create", cls=Command, epilog=examples("imagekit deployment create ./example-deployment.py"))
def create(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A Python file with DeploymentSpec(…) in it; it is run.")
    ],
    pool: Annotated[
        str, typer.Option("--pool", metavar="NAME", help="The work pool of those that name none; made if missing.")
    ] = "default",
    as_json: options.Json = False,
) -> None:
    """Keep each deployment that a file specifies; its flows run from the working directory."""
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings
    from imagekit.deploying.create import create_from_file
    from imagekit.deploying.said import say_deployed

    done = create_from_file(file, pool, load_settings())
    if as_json:
        put_json({"deployments": [{**each.deployment.to_json(), "outcome": each.outcome} for each in done]})
    else:
        say_deployed(done, next_steps=True)


@app.command("ls", cls=Command, epilog=examples("imagekit deployment ls", "imagekit deployment ls --pool etl --json"))
def list_deployments(
    pool: Annotated[str | None, typer.Option("--pool", metavar="NAME", help="Of that work pool alone.")] = None,
    as_json: options.Json = False,
) -> None:
    """List the deployments."""
    from imagekit.cli.output import clipped, put, put_json, put_table
    from imagekit.cli.periods import ago
    from imagekit.store.pools import Pools

    with _store() as store:
        if pool is not None:
            Pools(store.file).get(pool)
        kept = _deployments(store)
        found = kept.all(pool)
        times = {each.id: _next(kept.next_times(each)) for each in found}
    if as_json:
        put_json({"deployments": [{**each.to_json(), "next_run": times[each.id]} for each in found]})
        return
    if not found:
        put("no deployments yet: imagekit deployment create FILE makes those that FILE specifies")
        return
    rows = [["NAME", "POOL", "IMAGE", "NEXT RUN", "UPDATED"]]
    for each in found:
        age = (datetime.now(timezone.utc) - datetime.fromisoformat(each.updated)).total_seconds()
        shown = "paused" if each.is_paused else times[each.id] or ""
        image = each.image or str(each.job_variables.get("image") or "the pool's")
        rows.append([each.name, each.pool, clipped(image, 40), shown, ago(age)])
    put_table(rows)


@app.command(cls=Command, epilog=examples("imagekit deployment inspect etl/nightly --json"))
def inspect(name: _Name, as_json: options.Json = False) -> None:
    """Show a deployment: its flow, its pinned image, its parameters and schedules."""
    import json

    from imagekit.cli.output import put_json
    from imagekit.cli.picture import put_facts

    with _store() as store:
        found = _deployments(store).get(name)
        times = _deployments(store).next_times(found)
    document = {**found.to_json(), "next_times": times}
    if as_json:
        put_json(document)
        return
    facts: list[tuple[str, str]] = []
    for key, value in document.items():
        if value not in (None, [], {}, False, "") and key != "signature":
            facts.append((key.replace("_", " "), value if isinstance(value, str) else json.dumps(value)))
    put_facts(facts)


@app.command(
    cls=Command,
    epilog=examples("imagekit deployment run etl/nightly -p n=3 --watch", "imagekit deployment run etl/nightly --json"),
)
def run(
    name: _Name,
    parameter: _Parameters = None,
    job_variable: _Variables = None,
    at: Annotated[
        str | None, typer.Option("--start-at", metavar="TIME", help="Not before then: 2026-01-31T09:00.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show its output, and end as it does.")] = False,
    as_json: options.Json = False,
) -> None:
    """Have a worker run a deployment."""
    from imagekit.cli.output import put, put_json
    from imagekit.deploying.submit import run_deployment
    from imagekit.spec.entrypoint import parse_parameters

    parameters, variables = parse_parameters(parameter or ()), parse_parameters(job_variable or ())
    start = _moment(at) if at is not None else None
    with _store() as store:
        submitted = run_deployment(store, name, parameters=parameters, job_variables=variables, scheduled_for=start)
        if not watch:
            if as_json:
                put_json(store.run(submitted.id).to_json())
            else:
                put(f"{submitted.name} ({submitted.id}) waits in {submitted.pool}")
                put(f"imagekit flow-run logs {submitted.id[:8]} --follow", stream=sys.stderr)
            _say_no_worker(store, submitted.pool)
            return
        _say_no_worker(store, submitted.pool)
        from imagekit.cli.watching import watch_run

        raise typer.Exit(watch_run(store, submitted.id, as_json=as_json))


@app.command(cls=Command, epilog=examples("imagekit deployment pause etl/nightly"))
def pause(name: _Name, as_json: options.Json = False) -> None:
    """Let its schedules make no more runs."""
    _pause(name, True, as_json)


@app.command(cls=Command, epilog=examples("imagekit deployment resume etl/nightly"))
def resume(name: _Name, as_json: options.Json = False) -> None:
    """Let its schedules make runs again, from now on."""
    _pause(name, False, as_json)


@app.command(cls=Command, epilog=examples("imagekit deployment delete etl/nightly"))
def delete(
    names: Annotated[list[str], typer.Argument(metavar="FLOW/NAME…", help="Their names.")],
    as_json: options.Json = False,
) -> None:
    """Forget deployments; their runs that wait are cancelled."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings
    from imagekit.deploying.deploy import forget

    cancelled = forget(names, load_settings())
    if as_json:
        put_json({"deleted": names, "cancelled": cancelled})
        return
    waiting = "1 waiting run is" if cancelled == 1 else f"{cancelled} waiting runs are"
    put(f"deleted {', '.join(names)}" + (f"; {waiting} cancelled" if cancelled else ""))


app.command(
    cls=Command,
    epilog=examples(
        "imagekit deployment kubernetes etl/nightly > job.yml",
        "imagekit deployment kubernetes etl/nightly --secret-env TOKEN=orders/token -j mem_limit=2g",
    ),
)(kubernetes)
app.command("to-prefect", cls=Command, epilog=examples("imagekit deployment to-prefect etl/nightly"))(to_prefect)


def _store() -> Store:
    from imagekit.cli.session import load_settings
    from imagekit.store.store import Store

    return Store.open(load_settings().state_dir)


def _deployments(store: Store) -> Deployments:
    from imagekit.store.deployments import Deployments

    return Deployments(store.file)


def _pause(name: str, is_paused: bool, as_json: bool) -> None:
    from dataclasses import replace

    from imagekit.cli.output import put, put_json
    from imagekit.store.values import now

    with _store() as store:
        kept = _deployments(store)
        found = replace(kept.get(name), is_paused=is_paused, updated=now())
        kept.put(found, _times(found))
        times = kept.next_times(found)
    if as_json:
        put_json({**found.to_json(), "next_times": times})
    else:
        put(f"{'paused' if is_paused else 'resumed'} {name}")


def _times(deployment: Deployment) -> list[str | None]:
    from imagekit.deploying.schedules import schedule_of, written

    moment = datetime.now(timezone.utc)
    if deployment.is_paused:
        return [None for _ in deployment.schedules]
    return [written(schedule_of(each).after(moment)) for each in deployment.schedules]


def _next(times: list[str | None]) -> str | None:
    return min((each for each in times if each is not None), default=None)


def _moment(text: str) -> str:
    from imagekit.errors import InputError
    from imagekit.moments import parse_rfc3339

    try:
        # As the clock here shows it, unless it says otherwise.
        found = parse_rfc3339(text).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InputError(f"--start-at: {text!r} is no time", hint="write it as 2026-01-31T09:00") from None
    return found.isoformat(timespec="milliseconds")


def _say_no_worker(store: Store, pool: str) -> None:
    from imagekit.cli.output import put
    from imagekit.store.pools import Pools, is_ready

    pools: Any = Pools(store.file)
    if pools.get(pool).is_paused:
        put(f"the work pool {pool} is paused: imagekit work-pool resume {pool}", stream=sys.stderr)
    elif not is_ready(pools.workers(pool)):
        put(f"no worker polls it: imagekit worker start --pool {pool}", stream=sys.stderr)
