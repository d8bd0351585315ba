"""``imagekit cache``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.cache.kinds import Contents
    from imagekit.cache.prune import Pruned
    from imagekit.settings import Settings

app = typer.Typer(
    help="What is kept between builds: list it, make room, verify it.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@app.command("ls", cls=Command, epilog=examples("imagekit cache ls", "imagekit cache ls --layers"))
def list_entries(
    layers: Annotated[bool, typer.Option("--layers", help="Each layer: what it holds, and when it was used.")] = False,
    as_json: options.Json = False,
) -> None:
    """List what is kept, and the room it takes."""
    from imagekit.cache.kinds import KINDS, scan
    from imagekit.cli.output import put, put_json, put_table, size
    from imagekit.cli.session import load_settings

    settings = load_settings()
    contents = scan(settings.cache_dir)
    kept = _layers(contents) if layers else []
    if as_json:
        report = {
            "directory": str(settings.cache_dir),
            "size": contents.size,
            "limit": settings.cache_size,
            "kinds": {
                kind.name: {"entries": len(units := contents.of(kind)), "size": sum(unit.size for unit in units)}
                for kind in KINDS
            },
            "other": {"entries": len(contents.other), "size": contents.other_size},
        }
        put_json({**report, "layers": kept} if layers else report)
        return
    if layers:
        now = time.time()
        put_table(
            [[str(e["title"]), size(int(str(e["size"]))), _ago(now - float(str(e["used"])))] for e in kept], right=[1]
        )
        return
    rows = []
    for kind in KINDS:
        units = contents.of(kind)
        if units:
            rows.append([kind.name, str(len(units)), size(sum(unit.size for unit in units)), kind.meaning])
    if contents.other:
        rows.append(["other", str(len(contents.other)), size(contents.other_size), "not imagekit's, or unknown"])
    put_table(rows, right=[1, 2])
    origin = settings.origin("cache-size")
    put(f"{size(contents.size)} in {settings.cache_dir}, of {size(settings.cache_size)} ({origin})")


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit cache prune", "imagekit cache prune --keep 5GB", "imagekit cache prune --older-than 30d --dry-run"
    ),
)
def prune(
    keep: Annotated[str | None, typer.Option("--keep", metavar="SIZE", help="Bytes that may stay: 10GB.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="What was not used for so long: 12h, 30d, 8w.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and keep it.")] = False,
    as_json: options.Json = False,
) -> None:
    """Make room: what was unused for longest goes first.

    Without options the cache is held to its size (`imagekit config set cache-size=SIZE`), as after each
    build. What a running build uses stays.
    """
    from imagekit.cli.output import put, put_json, size
    from imagekit.cli.periods import seconds_of
    from imagekit.cli.session import load_settings
    from imagekit.errors import InputError
    from imagekit.settings.keys import bytes_of

    if everything and (keep is not None or older_than is not None):
        raise InputError("--all leaves nothing to choose", hint="give --all alone, or --keep and --older-than")
    settings = load_settings()
    limit = bytes_of(keep, "--keep") if keep is not None else None
    age = seconds_of(older_than, "--older-than") if older_than is not None else None
    if limit is None and age is None and not everything:
        limit = settings.cache_size
    done = prune_cache(settings, limit, age, everything, dry_run)
    if as_json:
        put_json({**done.to_json(), "dry_run": dry_run})
        return
    entries = f"{done.entries} entr{'y' if done.entries == 1 else 'ies'}"
    put(f"{'would free' if dry_run else 'freed'} {size(done.freed)} ({entries}); {size(done.kept)} kept")
    if done.in_use:
        put(f"{done.in_use} more may be in use by a running imagekit")


@app.command(cls=Command, epilog=examples("imagekit cache verify", "imagekit cache verify --json"))
def verify(as_json: options.Json = False, quiet: options.Quiet = False, verbose: options.Verbose = False) -> None:
    """Read all that is kept, and remove what is damaged.

    What is removed is made again when it is needed. Ends with 1 where something was damaged.
    """
    from imagekit.cache import verify as verifying
    from imagekit.cache.prune import remove
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, reporting

    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        count, damaged = verifying.verify(settings.cache_dir, reporter)
        remove([damage.unit for damage in damaged], settings.cache_dir)
    if as_json:
        found = [{"kind": d.unit.kind.name, "key": d.unit.key, "reason": d.reason} for d in damaged]
        put_json({"entries": count, "damaged": found})
    else:
        for damage in damaged:
            put(f"{damage.unit.kind.name} {damage.unit.key[:12]}: {damage.reason}; removed")
        if not quiet:
            put(f"{count} entries read, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


def _layers(contents: Contents) -> list[dict[str, object]]:
    from imagekit.cache.describe import kept_layer

    found = [layer for unit in contents.units if unit.kind.name == "layers" and (layer := kept_layer(unit)) is not None]
    return [
        {"title": layer.title, "size": layer.size, "used": layer.used, "key": layer.key, "diff_id": layer.diff_id}
        for layer in sorted(found, key=lambda layer: (-layer.used, layer.title))
    ]


def prune_cache(
    settings: Settings,
    limit: int | None,
    age: float | None,
    everything: bool,
    dry_run: bool,
    *,
    notes: bool = True,
) -> Pruned:
    """``cache.prune.prune``; ``ImagekitError`` where another process is at it, or the directory cannot be locked."""
    from imagekit.cache.prune import prune as pruned
    from imagekit.errors import ImagekitError
    from imagekit.sharing.flock import LocksUnavailable
    from imagekit.sharing.leases import Busy

    root: Path = settings.cache_dir
    try:
        return pruned(root, keep=limit, older_than=age, everything=everything, notes=notes, dry_run=dry_run)
    except Busy:
        raise ImagekitError(f"another process is pruning {root}", hint="try again when it is done") from None
    except LocksUnavailable as error:
        raise ImagekitError(
            f"{root} cannot be locked, so it cannot be seen who uses it: {error}",
            hint="imagekit config set cache-dir=DIRECTORY moves it to a local disk",
        ) from None


def _ago(seconds: float) -> str:
    if seconds < 2 * 3600:
        return "now"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} d ago"
