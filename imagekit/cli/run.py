"""``imagekit run``"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples, run_environment
from imagekit.cli.run_options import RunOptions

EPILOG = examples(
    "imagekit run flow.py:etl -p n=3",
    "imagekit run flow.py:etl -p day='\"2024-01-01\"' --env TOKEN --timeout 600",
    "imagekit run flow.py:etl --image orders:v1 --memory 2g --cpus 1.5 --json",
    "imagekit run flow.py:etl --env EXTRA_PIP_PACKAGES='boto3 pandas>=2,<3'",
    "imagekit run flow.py:etl --image orders:v1 --source .",
    "imagekit run flow.py:etl --image orders:v1 --source git+https://example.com/orders.git@main",
    "imagekit run flow.py:etl --volume ./data:/data:ro --network-mode none --read-only",
)
_BY_CAUSE = {"terminate": 143}
_BY_STATE = {"completed": 0, "failed": 1, "crashed": 8, "timed-out": 124, "cancelled": 130}


@with_options
def run(
    entrypoint: Annotated[str, typer.Argument(metavar="FILE.py:FUNCTION", help="The flow, or any function.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="K=V", help="A parameter; V is JSON, or else a string."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="REF", help="The image to run in; without it the project's is built first."),
    ] = None,
    project: Annotated[
        Path | None, typer.Option("--project", metavar="PATH", help="The project's directory.", show_default=False)
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="The flow's files: a directory, or git+https://HOST/REPO@REF."),
    ] = None,
    source_secret: Annotated[
        str | None,
        typer.Option("--source-secret", metavar="NAME", help="The stored secret that the source's server takes."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", metavar="K[=V]", help="A variable for this run; K alone passes on its value here."),
    ] = None,
    *,
    how: RunOptions,
    result_file: Annotated[
        Path | None,
        typer.Option("--result-file", metavar="FILE", help="Write the result there, as its serializer has it."),
    ] = None,
    upgrade_extras: Annotated[
        bool,
        typer.Option("--upgrade-extras", help="The newest versions of EXTRA_PIP_PACKAGES, not those of the last run."),
    ] = False,
    as_json: options.Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show no progress, and of the run its result or error alone.")
    ] = False,
    verbose: options.Verbose = False,
) -> None:
    """Run one flow in one container.

    Its output comes live, its state and result at the end. Without --image the project's image
    is built first, which takes no time where nothing changed.
    """
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError
    from imagekit.running import Asked, Machine, carry_out, check_extras_of, prepare, sourced
    from imagekit.runs.concealing import concealed, needles_of
    from imagekit.runs.settings import RunSettings
    from imagekit.spec.entrypoint import Entrypoint, parse_parameters

    asked = Entrypoint.parse(entrypoint)
    parameters = parse_parameters(parameter or ())
    settings = RunSettings.of({**given(how), "env": run_environment(env, os.environ), "image": image})
    if result_file is not None:
        _refuse_place(result_file)
    if source is None and source_secret is not None:
        raise InputError("--source-secret goes with --source, and none is given", hint="add --source git+https://…")
    if image is None:
        if source is None:
            # Against the source, before anything is built: a mistyped parameter must not cost a build.
            asked.signature(project or Path()).check(parameters)
        check_extras_of(settings)
    own = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        machine = Machine(own, reporter, lambda: open_pipeline(own, reporter))
        wanted = Asked(entrypoint=asked, settings=settings, parameters=parameters, upgrade_extras=upgrade_extras)
        if source is not None:
            wanted = sourced(wanted, source, source_secret, own, reporter)
        spec = None
        if image is None:
            pipeline = machine.pipeline
            if wanted.checkout is None:
                spec = pipeline.spec(project or Path(), entrypoints=[str(asked)])
            else:
                # What it needs; its source comes along.
                spec = pipeline.spec(project or wanted.checkout.project, include_source=False)
            check_extras_of(settings, dict(spec.env))
            built = pipeline.build(spec, pipeline.reference(spec, None, None))
            settings = settings.with_(image=str(built.reference), image_pull_policy="Never")
        is_checked = wanted.is_checked or image is None
        prepared = prepare(machine, replace(wanted, settings=settings, is_checked=is_checked, project=spec))
    # The flow has the terminal to itself: no bar is drawn from here on.
    result = carry_out(
        prepared,
        on_output=_to_stderr if as_json else _to_own_streams,
        reporting=lambda: reporting(quiet=quiet, as_json=as_json, verbose=verbose),
    )
    if result_file is not None:
        _keep(result.result, result_file)
    # The result's file has what the flow returned; what is shown, may be kept by whoever sees it.
    document = concealed(result.to_json(), needles_of(settings.env))
    if as_json:
        put_json(document)
    say(document, quiet=quiet, has_result=result_file is None and not (quiet and as_json))
    raise typer.Exit(exit_code(document))


def exit_code(result: dict[str, Any]) -> int:
    """What the command ends with for a run's end."""
    return _BY_CAUSE.get(str(result.get("cause")), _BY_STATE.get(result["state"], 8))


def _to_own_streams(stream: int, data: bytes) -> None:
    _write(sys.stdout if stream == 1 else sys.stderr, data)


def _to_stderr(stream: int, data: bytes) -> None:
    _write(sys.stderr, data)


def _write(stream: Any, data: bytes) -> None:
    # Bytes as they came: they need not be text.
    if stream is not None:
        stream.buffer.write(data)
        stream.buffer.flush()


def _refuse_place(path: Path) -> None:
    """Where a result cannot be written is told before the flow has run, and not after."""
    from imagekit.errors import InputError

    if path.is_dir():
        why = "it is a directory"
    else:
        above = next(each for each in path.absolute().parents if each.exists())
        if above.is_dir() and os.access(above, os.W_OK):
            return
        why = f"{above} cannot be written to"
    raise InputError(f"--result-file: {path} cannot be written: {why}", hint="name a file: --result-file out.json")


def _keep(result: Any, path: Path) -> None:
    from imagekit.atomic import write_as_named
    from imagekit.runs.values import SerializedResult

    data = (
        result.data
        if isinstance(result, SerializedResult)
        else json.dumps(result, ensure_ascii=False).encode(errors="backslashreplace")
    )
    write_as_named(path, data)


def say(result: dict[str, Any], *, quiet: bool, has_result: bool) -> None:
    """State and seconds unless ``quiet``, then the error, or the result if ``has_result``: on stderr."""
    from imagekit.cli.output import put, seconds, styled

    error = result.get("error")
    if not quiet or (result["state"] != "completed" and not error):
        style = "1;32" if result["state"] == "completed" else "1;31"
        state = styled(result["state"], style, sys.stderr)
        put(f"{state} in {seconds(result['seconds'])} ({result['reference']})", stream=sys.stderr)
    if error:
        _say_error(error)
    elif result["result"] is not None and has_result:
        put(f"result: {json.dumps(result['result'], ensure_ascii=False)}", stream=sys.stderr)


def _say_error(error: dict[str, Any]) -> None:
    from imagekit.cli.output import one_line, put, styled

    for line in (error.get("traceback") or "").rstrip().splitlines():
        put(f"  {one_line(line)}", stream=sys.stderr)
    kind = str(error.get("type") or "").rpartition(".")[2] if error["kind"] == "flow" else ""
    message = ": ".join(part for part in (kind, error["message"]) if part)
    put(f"{styled('error:', '1;31', sys.stderr)} {one_line(message)}", stream=sys.stderr)
    if error.get("hint"):
        put(f"{styled('hint:', '1;36', sys.stderr)} {error['hint']}", stream=sys.stderr)
