"""``imagekit base``"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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

_Variant = Annotated[
    str, typer.Option("--variant", metavar="NAME", help="slim, or build, which has a compiler besides.")
]


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit base build --python 3.11",
        "imagekit base build --python 3.11 --variant build",
        "imagekit base build --lock debian.lock.toml",
        "imagekit base build --platform linux/amd64,linux/arm64 -o oci:bases",
    ),
)
def build(
    python: _Python = None,
    variant: _Variant = "slim",
    platform: Annotated[
        str | None,
        typer.Option("--platform", metavar="OS/ARCH", help="linux/amd64 or linux/arm64; several with commas."),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="WHERE", help="engine, or oci:DIR, which needs no engine.")
    ] = "engine",
    lock: Annotated[
        Path | None,
        typer.Option("--lock", metavar="FILE", help="Install exactly what FILE locks; written if it is not there."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make one from Debian's packages.

    Needs root and a Debian mirror, and no registry. The same packages give the same image.
    """
    from imagekit.cli.base_output import base_output, lay_out
    from imagekit.stages.declared import base_declaration

    # A Python that cannot be made is said before anything is asked of the engine.
    python = python or _running()
    base_declaration(python, variant)
    layout, platforms = base_output(output, platform)
    shown = {"as_json": as_json, "quiet": quiet, "verbose": verbose}
    if layout is not None:
        lay_out(python, platforms, layout, lock=lock, variant=variant, **shown)
        return
    _have(python, variant, remake=True, lock=lock, **shown)


@app.command(cls=Command, epilog=examples("imagekit base ensure", "imagekit base ensure --python 3.13 -q"))
def ensure(
    python: _Python = None,
    variant: _Variant = "slim",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make sure of one: found here, else pulled, else made."""
    from imagekit.spec.python_version import check_python
    from imagekit.stages.declared import SLIM, base_declaration

    if python is not None:
        check_python(python, "")
    if variant != SLIM:
        base_declaration(python or _running(), variant)
    _have(python or _running(), variant, remake=False, as_json=as_json, quiet=quiet, verbose=verbose)


@app.command(
    cls=Command,
    epilog=examples("imagekit base sizes imagekit/python:3.13", "imagekit base sizes python:3.13-slim --packages"),
)
def sizes(
    images: Annotated[list[str], typer.Argument(metavar="REF", help="Images of the engine.", show_default=False)],
    packages: Annotated[bool, typer.Option("--packages", help="A row for each package, the largest first.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say what takes how much of an image: by its distribution's packages, and their sections."""
    from imagekit.cli.base_sizes import show_sizes
    from imagekit.cli.session import load_settings

    show_sizes(images, load_settings(), packages=packages, as_json=as_json)


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit base pin", "imagekit base pin --newest", "imagekit base pin --base registry.example.com/python:3.13"
    ),
)
def pin(
    path: options.PathArgument = Path(),
    base_image: Annotated[
        str | None, typer.Option("--base-image", "--base", metavar="REF", help="The image to build on.")
    ] = None,
    newest: Annotated[bool, typer.Option("--newest", help="What the tag names in its registry now.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the digest of the project's base into its configuration, so that it stays what it is."""
    from imagekit.building.pinning import pinned_reference, write_base
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting

    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(load_settings(), reporter, needs_engine=False) as pipeline,
    ):
        overrides: dict[str, Any] = {"base_image": base_image} if base_image else {}
        spec = pipeline.spec(path, **overrides)
        # What recipes make of it has no digest, and need not be made.
        reference = pinned_reference(pipeline.base_image(replace(spec, recipes=()), newest=newest))
    file = write_base(path, reference)
    if as_json:
        put_json({"base_image": reference, "file": str(file) if file is not None else None})
    elif quiet:
        put(reference)
    else:
        put(f"{file}: base-image = {reference}" if file is not None else f"{reference}: it is pinned already")


@app.command("ls", cls=Command, epilog=examples("imagekit base ls --json"))
def list_bases(as_json: options.Json = False) -> None:
    """List those that can be had, and whether they are here."""
    from imagekit.cli.output import put_json, put_table
    from imagekit.cli.session import load_settings
    from imagekit.engine.client import Engine
    from imagekit.stages.debian import DebianBase
    from imagekit.stages.declared import SUITES, VARIANTS, declarations_directory

    settings = load_settings()
    known = [v for v, suite in SUITES.items() if (declarations_directory() / f"debian-{suite}.toml").is_file()]
    bases = []
    with Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as engine:
        for version in known:
            ours = (DebianBase(python=version, variant=variant).reference for variant in VARIANTS)
            for reference in (*ours, f"python:{version}-slim"):
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


def _have(
    python: str,
    variant: str,
    *,
    remake: bool,
    lock: Path | None = None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting

    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        base = open_pipeline(settings, reporter).base(python, remake=remake, lock=lock, variant=variant)
    if as_json:
        put_json({"reference": base.reference, "how": base.how, "python": python})
    else:
        put(base.reference if quiet else f"{base.reference} ({base.how})")
