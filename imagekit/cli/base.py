"""``imagekit base``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

app = typer.Typer(
    help="Base images: make one, ensure one, list them.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Python = Annotated[
    str | None, typer.Option("--python", metavar="X.Y", help="Its Python version; this interpreter's if not given.")
]


@app.command(cls=Command, epilog=examples("imagekit base build --python 3.11", "imagekit base build --lock base.lock"))
def build(
    python: _Python = None,
    lock: Annotated[
        Path | None,
        typer.Option("--lock", metavar="FILE", help="The .deb files, exactly; written where it is not there yet."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make one from Debian's packages.

    Needs root and a Debian mirror, and no registry. The same lock gives the same image.
    """
    from imagekit.cli.base_engine import BaseEngine
    from imagekit.cli.session import load_settings, reporting
    from imagekit.engine.client import Engine
    from imagekit.oci.platform import Platform
    from imagekit.stages.debian import DebianBase, build_base
    from imagekit.stages.debian_lock import DebianLock

    base = DebianBase(python=python or _running(), platform=Platform.host())
    known = DebianLock.from_bytes(_read(lock)) if lock is not None and lock.exists() else None
    # A Python that cannot be made is said before anything is asked of the engine.
    _ = base.declaration
    settings = load_settings()
    with (
        Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine,
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
    ):
        rootfs = build_base(base, cache=settings.cache_dir, lock=known, reporter=reporter)
        BaseEngine(engine, base.platform, reporter).load(rootfs, base.reference)
    if lock is not None and known is None:
        _write(lock, rootfs.lock.to_bytes())
    _say(base.reference, "made", base.python, as_json=as_json, quiet=quiet)


@app.command(cls=Command, epilog=examples("imagekit base ensure", "imagekit base ensure --python 3.13 -q"))
def ensure(
    python: _Python = None,
    no_pull: Annotated[bool, typer.Option("--no-pull", help="Don't try to pull one.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make sure of one: found here, else pulled, else made."""
    from imagekit.cli.base_engine import BaseEngine
    from imagekit.cli.session import load_settings, reporting
    from imagekit.engine.client import Engine
    from imagekit.oci.platform import Platform
    from imagekit.stages.base_ensure import ensure_base

    wanted, platform = python or _running(), Platform.host()
    settings = load_settings()
    with (
        Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine,
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
    ):
        place = BaseEngine(engine, platform, reporter)
        ensured = ensure_base(
            wanted,
            cache=settings.cache_dir,
            exists=place.exists,
            pull=None if no_pull else place.pull,
            load=place.load,
            platform=platform,
            reporter=reporter,
        )
    _say(ensured.reference, ensured.how, wanted, as_json=as_json, quiet=quiet)


@app.command("ls", cls=Command, epilog=examples("imagekit base ls --json"))
def list_bases(as_json: options.Json = False) -> None:
    """List those that can be had, and whether they are here."""
    from imagekit.cli.output import put_json, put_table
    from imagekit.cli.session import load_settings
    from imagekit.engine.client import Engine
    from imagekit.stages.debian import DebianBase
    from imagekit.stages.declared import SUITES, declarations_directory

    settings = load_settings()
    known = [v for v, suite in SUITES.items() if (declarations_directory() / f"debian-{suite}.toml").is_file()]
    bases = []
    with Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine:
        for version in known:
            for reference in (DebianBase(python=version).reference, f"python:{version}-slim"):
                image = engine.image(reference)
                bases.append(
                    {
                        "reference": reference,
                        "python": version,
                        "suite": SUITES[version] if reference.startswith("imagekit/") else None,
                        "image_id": image.id if image else None,
                        "size": image.size if image else None,
                    }
                )
    if as_json:
        put_json({"bases": bases})
        return
    put_table([_row(base) for base in bases])


def _row(base: dict[str, str | int | None]) -> list[str]:
    from imagekit.cli.output import size
    from imagekit.oci.digest import short

    here = f"{short(str(base['image_id']))}  {size(int(base['size'] or 0))}" if base["image_id"] else "not here"
    made = f"made from Debian {base['suite']}" if base["suite"] else "pulled"
    return [str(base["reference"]), made, here]


def _running() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _say(reference: str, how: str, python: str, *, as_json: bool, quiet: bool) -> None:
    from imagekit.cli.output import put, put_json

    if as_json:
        put_json({"reference": reference, "how": how, "python": python})
    else:
        put(reference if quiet else f"{reference} ({how})")


def _read(path: Path) -> bytes:
    from imagekit.errors import InputError

    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="--lock names another file") from error


def _write(path: Path, data: bytes) -> None:
    from imagekit.errors import InputError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", hint="--lock names another file") from error
