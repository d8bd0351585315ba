"""``imagekit check``"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples, run_environment

if TYPE_CHECKING:
    from imagekit.explaining.checked import Checked

EPILOG = examples(
    "imagekit check orders:v1 flow.py:etl",
    "imagekit check example.com/team/image:3 flow.py:etl --framework 'prefect==3.*' --python 3.11",
    "imagekit check orders:v1 --json",
)
_STYLES = {"ok": "32", "warning": "33", "failed": "1;31"}


def check(
    reference: Annotated[str, typer.Argument(metavar="IMAGE", help="An image that the engine holds, or its ID.")],
    entrypoint: Annotated[
        list[str] | None, typer.Argument(metavar="FILE.py:FUNCTION…", help="Flows that must import.")
    ] = None,
    framework: Annotated[
        list[str] | None,
        typer.Option("--framework", metavar="REQ", help="A package at a version that must be there: 'prefect==3.*'."),
    ] = None,
    python: Annotated[str | None, typer.Option("--python", metavar="X.Y", help="The Python that it must have.")] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", metavar="K[=V]", help="A variable that imports need.")
    ] = None,
    workdir: Annotated[
        str | None, typer.Option("--workdir", metavar="DIR", help="Where flows are looked for, if not where they run.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long imports may take.")
    ] = 300.0,
    as_json: options.Json = False,
) -> None:
    """Look at an image from inside, as at the end of a build.

    Flows import, and find what they import later; packages go together (as pip check); console scripts start. One
    container without a network, and no line of a flow's own functions runs. Ends with 6 where something is wrong.
    """
    import re

    from imagekit.check.any_image import Expected
    from imagekit.check.any_image import framework as parsed
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError
    from imagekit.explaining.checked import check_any
    from imagekit.oci.reference import Reference
    from imagekit.runs.request import check_environment
    from imagekit.spec.entrypoint import Entrypoint

    if not re.fullmatch(r"sha256:[0-9a-f]{64}", reference):
        Reference.parse(reference)
    flows = [Entrypoint.parse(each) for each in entrypoint or ()]
    wanted = tuple(parsed(each) for each in framework or ())
    if python is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}", python):
        raise InputError(f"--python {python!r} is no version", hint="write --python 3.11")
    environment = run_environment(env, os.environ)
    check_environment(environment)
    settings = load_settings()
    with reporting(as_json=as_json) as reporter:
        engine = open_pipeline(settings, reporter).engine
        with reporter.task(f"checking {reference}"):
            found = check_any(
                engine,
                reference,
                expected=Expected(python=python or "", frameworks=wanted),
                entrypoints=flows,
                workdir=workdir,
                env=environment,
                deadline=timeout,
            )
    if as_json:
        put_json(found.to_json())
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(6)


def _show(found: Checked) -> None:
    from imagekit.cli.output import one_line, put, seconds, styled

    width = max(len(line.check) for line in found.lines)
    for line in found.lines:
        status = styled(line.status.ljust(len("warning")), _STYLES[line.status], sys.stdout)
        put(f"{line.check.ljust(width)}  {status}  {one_line(line.told)}")
        for text in (line.details or "").rstrip().splitlines():
            put(f"{'':{width}}           {one_line(text)}")
        if line.hint:
            put(f"{'':{width}}  {'hint':7}  {one_line(line.hint)}")
    put()
    failed = sum(line.status == "failed" for line in found.lines)
    put(
        f"{found.reference} {f'has {failed} faults' if failed > 1 else 'has a fault' if failed else 'is well'}"
        f", looked at in {seconds(found.seconds)}"
    )
