"""``imagekit work-pool``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store
    from imagekit.store.work_values import WorkPool

app = typer.Typer(
    help="Work pools, which say what deployments run with: create, list, change, pause, delete.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The work pool's name.")]
_Template = Annotated[
    Path | None,
    typer.Option("--base-job-template", metavar="FILE", help="A base job template (JSON) instead of the type's own."),
]
_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="VAR=VALUE", help="A default of a job variable: mem_limit=1g; null takes it away."),
]
_Limit = Annotated[
    int | None,
    typer.Option("--concurrency-limit", metavar="N", min=0, help="Runs at a time, of all its workers; 0: no limit."),
]
_Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit work-pool create --type docker my-docker-pool",
        'imagekit work-pool create etl --set mem_limit=2g --set env=\'{"TZ": "UTC"}\' --concurrency-limit 4',
    ),
)
def create(
    name: _Name,
    kind: Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help="docker is the one that is known.")] = (
        "docker"
    ),
    template: _Template = None,
    set_: _Set = None,
    concurrency_limit: _Limit = None,
    description: _Description = None,
    paused: Annotated[bool, typer.Option("--paused", help="Begin nothing until it is resumed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Change the one of that name, if there is one.")] = (
        False
    ),
    as_json: options.Json = False,
) -> None:
    """Create a work pool; its jobs inherit what is set here."""
    from dataclasses import replace

    from imagekit.deploying.pool import new_pool
    from imagekit.errors import InputError

    pool = new_pool(name, kind, template=_read(template), description=description, is_paused=paused)
    pool = _changed(pool, template=None, set_=set_, limit=concurrency_limit, description=None)
    with _store() as store:
        pools = _pools(store)
        known = pools.find(name)
        if known is not None and not overwrite:
            raise InputError(
                f"there is a work pool {name!r} already", hint=f"imagekit work-pool update {name}, or --overwrite"
            )
        pools.put(replace(pool, created=known.created) if known else pool)
    _say(pool, f"created the work pool {name}: imagekit worker start --pool {name}", as_json)


@app.command("ls", cls=Command, epilog=examples("imagekit work-pool ls", "imagekit work-pool ls --json"))
def list_pools(as_json: options.Json = False) -> None:
    """List the work pools, and whether a worker polls them."""
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.store.pools import is_ready

    with _store() as store:
        found = [(pool, _pools(store).workers(pool.name)) for pool in _pools(store).all()]
    if as_json:
        put_json({"work_pools": [{**pool.to_json(), "status": _status(pool, is_ready(w))} for pool, w in found]})
        return
    if not found:
        put("no work pools yet: imagekit work-pool create --type docker NAME makes one")
        return
    rows = [["NAME", "TYPE", "STATUS", "LIMIT", "WORKERS"]]
    for pool, workers in found:
        online = sum(worker.status == "online" for worker in workers)
        limit = "" if pool.concurrency_limit is None else str(pool.concurrency_limit)
        rows.append([pool.name, pool.type, _status(pool, is_ready(workers)), limit, str(online)])
    put_table(rows)


@app.command(cls=Command, epilog=examples("imagekit work-pool inspect my-docker-pool --json"))
def inspect(name: _Name, as_json: options.Json = False) -> None:
    """Show a work pool, its defaults and its workers."""
    from imagekit.cli.output import put_json
    from imagekit.cli.picture import put_facts
    from imagekit.deploying.template import defaults
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import is_ready

    with _store() as store:
        pool, workers = _pools(store).get(name), _pools(store).workers(name)
        deployments = [each.name for each in Deployments(store.file).all(name)]
    status = _status(pool, is_ready(workers))
    if as_json:
        seen = [worker.to_json() for worker in workers]
        put_json({**pool.to_json(), "status": status, "workers": seen, "deployments": deployments})
        return
    facts = [("name", pool.name), ("type", pool.type), ("status", status)]
    facts += [("description", pool.description)] if pool.description else []
    if pool.concurrency_limit is not None:
        facts.append(("at a time", str(pool.concurrency_limit)))
    facts += [("default", f"{key} = {json.dumps(value)}") for key, value in defaults(pool.template).items()]
    facts += [("deployment", each) for each in deployments]
    facts += [("worker", f"{w.name}: {w.status}, last polled {w.last_polled}") for w in workers]
    put_facts([*facts, ("created", pool.created), ("updated", pool.updated)])


@app.command(cls=Command, epilog=examples("imagekit work-pool update etl --set mem_limit=4g --concurrency-limit 8"))
def update(
    name: _Name,
    template: _Template = None,
    set_: _Set = None,
    concurrency_limit: _Limit = None,
    description: _Description = None,
    as_json: options.Json = False,
) -> None:
    """Change a work pool; runs that are begun from now on have it so."""
    with _store() as store:
        pool = _changed(
            _pools(store).get(name),
            template=_read(template),
            set_=set_,
            limit=concurrency_limit,
            description=description,
        )
        _pools(store).put(pool)
    _say(pool, f"updated the work pool {name}", as_json)


@app.command(cls=Command, epilog=examples("imagekit work-pool pause my-docker-pool"))
def pause(name: _Name, as_json: options.Json = False) -> None:
    """Let its workers begin no more runs; those that run go on."""
    _say(_paused(name, True), f"paused the work pool {name}", as_json)


@app.command(cls=Command, epilog=examples("imagekit work-pool resume my-docker-pool"))
def resume(name: _Name, as_json: options.Json = False) -> None:
    """Let its workers begin runs again."""
    _say(_paused(name, False), f"resumed the work pool {name}", as_json)


@app.command(cls=Command, epilog=examples("imagekit work-pool delete my-docker-pool"))
def delete(name: _Name, as_json: options.Json = False) -> None:
    """Forget a work pool that has no deployments."""
    from imagekit.cli.output import put, put_json

    with _store() as store:
        _pools(store).delete(name)
    if as_json:
        put_json({"deleted": name})
    else:
        put(f"deleted the work pool {name}")


@app.command(
    "get-default-base-job-template",
    cls=Command,
    epilog=examples("imagekit work-pool get-default-base-job-template --type docker > template.json"),
)
def get_default_base_job_template(
    kind: Annotated[str, typer.Option("--type", "-t", metavar="TYPE", help="docker is the one that is known.")] = (
        "docker"
    ),
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Write it there, and not to stdout.")
    ] = None,
) -> None:
    """Print the base job template that a new work pool has."""
    from imagekit.atomic import write_as_named
    from imagekit.cli.output import put
    from imagekit.deploying.pool import default_template

    text = json.dumps(default_template(kind), indent=2)
    if file is not None:
        write_as_named(file, f"{text}\n".encode(), mode=0o644)
    else:
        put(text)


def _store() -> Store:
    from imagekit.cli.session import load_settings
    from imagekit.store.store import Store

    return Store.open(load_settings().state_dir)


def _pools(store: Store) -> Pools:
    from imagekit.store.pools import Pools

    return Pools(store.file)


def _paused(name: str, is_paused: bool) -> WorkPool:
    from dataclasses import replace

    from imagekit.store.values import now

    with _store() as store:
        pool = replace(_pools(store).get(name), is_paused=is_paused, updated=now())
        _pools(store).put(pool)
    return pool


def _changed(
    pool: WorkPool,
    *,
    template: dict[str, Any] | None,
    set_: list[str] | None,
    limit: int | None,
    description: str | None,
) -> WorkPool:
    from imagekit.deploying.pool import changed
    from imagekit.spec.entrypoint import parse_parameters

    return changed(
        pool,
        template=template,
        defaults=parse_parameters(set_ or ()),
        concurrency_limit=limit,
        description=description,
    )


def _read(path: Path | None) -> dict[str, Any] | None:
    from imagekit.errors import InvalidConfig

    if path is None:
        return None
    hint = "imagekit work-pool get-default-base-job-template prints one"
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}", hint=hint) from None
    except ValueError as error:
        raise InvalidConfig(f"{path} is no JSON: {error}", hint=hint) from None
    if not isinstance(found, dict):
        raise InvalidConfig(f"{path} is no JSON object", hint=hint)
    return found


def _status(pool: WorkPool, ready: bool) -> str:
    return "paused" if pool.is_paused else "ready" if ready else "not ready"


def _say(pool: WorkPool, text: str, as_json: bool) -> None:
    from imagekit.cli.output import put, put_json

    if as_json:
        put_json(pool.to_json())
    else:
        put(text)
