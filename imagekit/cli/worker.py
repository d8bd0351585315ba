"""``imagekit worker``"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.exit_codes import INTERRUPTED, TERMINATED
from imagekit.cli.options import examples

app = typer.Typer(
    help="Workers, which carry out the runs of a work pool: start one, list them, print a unit.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Pool = Annotated[str, typer.Option("--pool", "-p", metavar="NAME", help="The work pool.")]
_Limit = Annotated[int, typer.Option("--limit", "-l", metavar="N", min=1, help="Runs at a time.")]
_Prefetch = Annotated[
    int | None,
    typer.Option(
        "--prefetch-seconds",
        metavar="N",
        min=0,
        max=3600,
        help="Make runs ready so many seconds before their time (10; with --run-once 0).",
    ),
]


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit worker start --pool my-docker-pool",
        "imagekit worker start --pool my-docker-pool --type docker --limit 4",
        "imagekit worker start --pool my-docker-pool --run-once",
    ),
)
def start(
    pool: _Pool,
    kind: Annotated[
        str | None, typer.Option("--type", "-t", metavar="TYPE", help="Make the pool, of that type, if it is missing.")
    ] = None,
    limit: _Limit = 10,
    prefetch: _Prefetch = None,
    once: Annotated[bool, typer.Option("--run-once", "--once", help="Carry out what is due, and end.")] = False,
    name: Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="How it is listed.")] = None,
) -> None:
    """Carry out the runs of a work pool, until it is stopped.

    Ctrl-C or SIGTERM: no more runs are begun, and it ends with the last one. Once more: what runs is left to the next
    worker, which goes on with the containers.
    """
    import signal

    from imagekit.cli.session import load_settings
    from imagekit.deploying.pool import new_pool
    from imagekit.deploying.spec import check_name
    from imagekit.errors import EngineError
    from imagekit.progress import SilentReporter
    from imagekit.running import Machine
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store
    from imagekit.worker.told import Told
    from imagekit.worker.worker import Worker

    if name is not None:
        check_name(name, "a worker's name")
    settings = load_settings()
    # What is due alone, with --run-once: it ends when that has ended.
    ahead = prefetch if prefetch is not None else 0 if once else settings.worker_prefetch
    with Store.open(settings.state_dir) as store, Machine.here(SilentReporter()) as machine:
        if kind is not None:
            Pools(store.file).make(new_pool(pool, kind))
        stopped = Worker(machine, store, pool, Told(), limit=limit, prefetch=ahead, once=once, name=name).run()
    if stopped.signal is not None:
        raise typer.Exit(TERMINATED if stopped.signal == signal.SIGTERM else INTERRUPTED)
    if once and stopped.was_kept:
        raise typer.Exit(EngineError.exit_code)


@app.command("ls", cls=Command, epilog=examples("imagekit worker ls", "imagekit worker ls --pool etl --json"))
def list_workers(
    pool: Annotated[str | None, typer.Option("--pool", "-p", metavar="NAME", help="Of that work pool alone.")] = None,
    as_json: options.Json = False,
) -> None:
    """List the workers, who polled last first."""
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.cli.periods import ago
    from imagekit.cli.session import load_settings
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    with Store.open(load_settings().state_dir) as store:
        if pool is not None:
            Pools(store.file).get(pool)
        workers = Pools(store.file).workers(pool)
    if as_json:
        put_json({"workers": [worker.to_json() for worker in workers]})
        return
    if not workers:
        put("no workers: imagekit worker start --pool NAME starts one")
        return
    rows = [["NAME", "POOL", "STATUS", "LIMIT", "PREFETCH", "LAST POLLED"]]
    for worker in workers:
        told = [worker.name, worker.pool, worker.status, str(worker.slots), f"{worker.prefetch:g} s"]
        rows.append([*told, ago(worker.silent_for)])
    put_table(rows)


@app.command(
    cls=Command,
    epilog=examples(
        "mkdir -p ~/.config/systemd/user",
        "imagekit worker unit --pool etl > ~/.config/systemd/user/imagekit-worker-etl.service",
    ),
)
def unit(pool: _Pool, limit: _Limit = 10, prefetch: _Prefetch = None) -> None:
    """Print a systemd unit that keeps a worker running."""
    from imagekit.cli.output import put
    from imagekit.cli.session import load_settings
    from imagekit.deploying.spec import check_name
    from imagekit.worker.unit import systemd_unit

    check_name(pool, "a work pool's name")
    text = systemd_unit(pool, limit, sys.executable, load_settings().variables, prefetch=prefetch)
    put(text.rstrip())
