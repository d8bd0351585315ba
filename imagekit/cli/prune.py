"""``imagekit prune``"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.cache.prune import Pruned
    from imagekit.pruning.values import PrunedEngine

EPILOG = examples(
    "imagekit prune --dry-run", "imagekit prune --keep-since 7d --keep-last 3", "imagekit prune --keep-since 0m --json"
)
_MOST_ROWS = 30


def prune(
    keep_since: Annotated[
        str,
        typer.Option("--keep-since", metavar="TIME", help="What was built, named or run since then stays: 12h, 30d."),
    ] = "30d",
    keep_last: Annotated[
        int, typer.Option("--keep-last", metavar="N", min=0, help="Images of the last N runs stay in any case.")
    ] = 10,
    every: Annotated[
        bool, typer.Option("--all", help="Also images that imagekit made elsewhere: on other machines, by other users.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and keep it.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Take away images, layers and containers of ours that no recent run needs.

    In the engine: images that imagekit made, which no container has, no recent run had, and nothing that stays is built
    on; and containers that runs left. In the cache: layers and the like that were not used so long. What others made is
    never touched, nor what a build under way is using. The bytes are those that go: layers that an image has which
    stays do not count.
    """
    from imagekit.cli.cache import prune_cache
    from imagekit.cli.output import put_json
    from imagekit.cli.periods import moment_of
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.deploying.image import needed_images
    from imagekit.pruning.prune import prune_engine
    from imagekit.runs.reconcile import reconcile
    from imagekit.store.store import Store

    since = moment_of(keep_since, "--keep-since").timestamp()
    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json) as reporter, Store.open(settings.state_dir) as store:
        engine = open_pipeline(settings, reporter).engine
        if not dry_run:
            # What killed processes left counts as what it was, and its container may go.
            reconcile(store, engine)
        of_engine = prune_engine(
            engine,
            store,
            settings.cache_dir,
            reporter,
            since=since,
            keep_last=keep_last,
            needed=needed_images(store, engine),
            elsewhere=every,
            dry_run=dry_run,
        )
        # Notes tell what is made of what, and of which images that they are ours.
        of_cache = prune_cache(settings, None, max(time.time() - since, 0.0), False, dry_run, notes=False)
    if as_json:
        put_json({"dry_run": dry_run, "engine": of_engine.to_json(), "cache": of_cache.to_json()})
    else:
        _show(of_engine, of_cache, dry_run=dry_run, quiet=quiet)


def _show(engine: PrunedEngine, cache: Pruned, *, dry_run: bool, quiet: bool) -> None:
    from imagekit.cli.output import one_line, put, put_table, size

    if engine.images and not quiet:
        rows = [[size(engine.sizes[each.id]), one_line(" ".join(each.tags) or each.id)] for each in engine.images]
        put_table(rows[:_MOST_ROWS], right=(0,))
        if len(rows) > _MOST_ROWS:
            put(f"and {len(rows) - _MOST_ROWS} more: --json has all")
        put()
    freed = "would free" if dry_run else "freed"
    images, containers = _count(len(engine.images), "image"), _count(len(engine.containers), "container")
    kept = f"{_count(len(engine.kept), 'image')} of ours kept"
    put(f"engine: {freed} {size(engine.freed)} ({images}, {containers}); {kept}")
    entries = f"{cache.entries} entr{'y' if cache.entries == 1 else 'ies'}"
    put(f"cache: {freed} {size(cache.freed)} ({entries}); {size(cache.kept)} kept")
    if engine.in_use or cache.in_use:
        put(f"{len(engine.in_use) + cache.in_use} more are in use")
    if engine.elsewhere:
        put(f"{_count(engine.elsewhere, 'image')} of imagekit's were made elsewhere: --all takes them, too")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
