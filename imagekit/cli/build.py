"""``imagekit build``"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, spelling, with_options
from imagekit.cli.options import examples, name_and_tag, pairs

if TYPE_CHECKING:
    from imagekit.building.reference_build import Buildkit
    from imagekit.pipeline import Pipeline

EPILOG = examples(
    "imagekit build",
    "imagekit build -t registry.example.com/team/orders:v1 --push",
    "imagekit build -t :v2 -r requirements.txt --package 'rich>=13'",
    "imagekit build --file settings.yml=/etc/orders/settings.yml --env TZ=UTC",
    "imagekit build --builder buildkit --cache-from registry.example.com/orders:cache",
    "imagekit build -t registry.example.com/orders:v1 -o registry --platform linux/amd64,linux/arm64 --base oci:bases",
    "imagekit build --dockerfile Dockerfile --build-arg X=1 --secret id=token,env=TOKEN",
)
_DOCKERFILE = "With a Dockerfile of your own"
_BUILDKIT = "By BuildKit"
_SECRETS = "In secret"
_OF_ANY_DOCKERFILE = {"platform", "labels", "health_check"}  # of options.BuildOptions


@with_options
def build(
    path: options.PathArgument = Path(),
    tag: options.Tag = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The image's name; its tag says what is in it.")
    ] = None,
    *,
    image: options.BuildOptions,
    dockerfile: Annotated[
        Path | None,
        typer.Option("--dockerfile", "-f", metavar="FILE", rich_help_panel=_DOCKERFILE, help="Build this one."),
    ] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option("--build-arg", metavar="K=V", rich_help_panel=_DOCKERFILE, help="A build argument; no secrets."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="STAGE", rich_help_panel=_DOCKERFILE, help="The stage to build."),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option(
            "--builder", metavar="NAME", rich_help_panel=_BUILDKIT, help="buildkit: from the equivalent Dockerfile."
        ),
    ] = None,
    buildx_builder: Annotated[
        str | None,
        typer.Option("--buildx-builder", metavar="NAME", rich_help_panel=_BUILDKIT, help="One of docker buildx ls."),
    ] = None,
    cache_from: Annotated[
        list[str] | None,
        typer.Option("--cache-from", metavar="SPEC", rich_help_panel=_BUILDKIT, help="type=registry,ref=NAME …"),
    ] = None,
    cache_to: Annotated[
        list[str] | None,
        typer.Option("--cache-to", metavar="SPEC", rich_help_panel=_BUILDKIT, help="type=registry|local|inline|gha,…"),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="SPEC",
            rich_help_panel=_SECRETS,
            help="id=NAME,env=VARIABLE, id=NAME,src=FILE or id=NAME,name=STORED, for steps of the build.",
        ),
    ] = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option("--ssh", metavar="SPEC", rich_help_panel=_SECRETS, help="default, or ID=PATH of a key."),
    ] = None,
    allow_secret_build_args: Annotated[
        bool,
        typer.Option(
            "--allow-secret-build-args",
            rich_help_panel=_SECRETS,
            help="Take credentials where everyone who has the image sees them.",
        ),
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Make every layer anew.")] = False,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="WHERE",
            help="engine, registry, oci:DIR, oci-archive:FILE or docker-archive:FILE; only engine needs one.",
        ),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Push the image when it is built.")] = False,
    attest: options.Attest = None,
    frozen: Annotated[
        bool | None,
        typer.Option("--frozen/--no-frozen", help="Refuse to build without a lock, or where the base has moved."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Build the project's image: a layer for each dependency."""
    from imagekit.building.outputs import ENGINE, REGISTRY, Output, parse_outputs, platforms_of
    from imagekit.cli.again import remembering, show
    from imagekit.cli.picture import show_written
    from imagekit.cli.session import handed_of, load_settings, open_pipeline, reporting, switched
    from imagekit.elsewhere import build_elsewhere
    from imagekit.errors import InputError
    from imagekit.spec.revision import read_revision

    wanted_name, wanted_tag = name_and_tag(tag, name)
    overrides = given(image)
    arguments = pairs(build_arg, "--build-arg", "VERSION=1")
    if dockerfile is None and (target or (arguments and not image.extra_dockerfile_commands)):
        raise InputError(
            "--build-arg and --target go with a Dockerfile, and --build-arg with --dockerfile-command",
            hint="add --dockerfile Dockerfile, or leave them out",
        )
    outputs = parse_outputs(output or ())
    # Which one a Dockerfile is built for is BuildKit's to judge; several of them go to the registry together.
    several = dockerfile is not None and push and "," in (image.platform or "")
    judged = dockerfile is None or ("," in (image.platform or "") and not several)
    platforms = platforms_of(image.platform, outputs) if judged else [image.platform]
    if output and (builder == "buildkit" or dockerfile):
        raise InputError("--output does not go with --builder and --dockerfile", hint="use --push there")
    settings = switched(load_settings(), attest=attest, frozen=frozen)
    handed = handed_of(settings, secret, ssh, allow=allow_secret_build_args)
    buildkit = _buildkit(builder, dockerfile, buildx_builder, cache_from, cache_to, no_cache, settings.variables)
    shown = {"as_json": as_json, "quiet": quiet, "verbose": verbose}
    with reporting(**shown) as reporter, ExitStack() as stack:
        if all(each.kind != ENGINE for each in outputs):
            if push and Output(REGISTRY) not in outputs:
                outputs = (*outputs, Output(REGISTRY))
            asked = (wanted_name, wanted_tag)
            memory = remembering() if not no_cache else None
            made = build_elsewhere(
                settings,
                reporter,
                path,
                overrides,
                asked,
                platforms,
                outputs,
                no_cache=no_cache,
                handed=handed,
                planned=memory.planned if memory is not None else lambda pipeline, specs: None,
            )
            if memory is not None:
                memory.keep_written(settings, made, shown=shown)
            return show_written(made.to_json(), as_json=as_json, quiet=quiet)
        written: list[dict[str, Any]] = []
        pipeline = stack.enter_context(open_pipeline(settings, reporter, handed=handed))
        if dockerfile is not None and buildkit is not None:
            result = _build_dockerfile(
                pipeline,
                path,
                dockerfile,
                wanted_name,
                wanted_tag,
                overrides,
                arguments,
                target,
                buildkit,
                push=several,
            )
            if several:
                return show_written(result.to_json(), as_json=as_json, quiet=quiet)
        else:
            spec = pipeline.spec(path, **overrides)
            memory = remembering()
            with memory.watch.reading_source() if memory is not None else nullcontext():
                pipeline.inputs(spec)
            reference = pipeline.reference(spec, wanted_name, wanted_tag)
            if no_cache:
                # Before the base is looked at, which is what recipes made.
                pipeline.bases.make_anew()
            steps: dict[str, Any] = {"build_args": arguments} if arguments else {}
            if buildkit is not None:
                result = pipeline.build_by_buildkit(spec, reference, buildkit, **steps)
            else:
                if memory is not None:
                    pipeline.resolved(spec)
                    # It is read once more for a label, after the watch.
                    read_revision(spec.context)
                    memory.watch.end()
                result = pipeline.build(spec, reference, no_cache=no_cache, **steps)
                others = [each for each in outputs if each.kind not in (ENGINE, REGISTRY)]
                as_ever = not (no_cache or push or arguments or handed or handed.may_be_seen)
                if memory is not None and as_ever and len(outputs) == 1:
                    memory.keep(pipeline, settings, spec, result, shown=shown, asked=(wanted_name, wanted_tag))
                if others:
                    _, elsewhere = pipeline.write([spec], reference, others)
                    written = [each.to_json() for each in elsewhere]
        pushed = pipeline.push(str(result.reference)) if push or Output(REGISTRY) in outputs else None
    document = {**result.to_json(), **({"written": written} if written else {})}
    show(document, pushed.to_json() if pushed is not None else None, **shown)
    return None


def _build_dockerfile(
    pipeline: Pipeline,
    path: Path,
    dockerfile: Path,
    name: str | None,
    tag: str | None,
    overrides: dict[str, Any],
    arguments: dict[str, str],
    target: str | None,
    buildkit: Buildkit,
    *,
    push: bool,
) -> Any:
    from imagekit.errors import InputError
    from imagekit.keywords import checks

    for key in overrides:
        if key not in _OF_ANY_DOCKERFILE:
            option = spelling(options.BuildOptions, key)
            raise InputError(f"{option} does not go with --dockerfile", hint="say it in the Dockerfile")
    return pipeline.build_dockerfile(
        path,
        dockerfile=checks.path(dockerfile, "--dockerfile"),
        name=name,
        tag=tag,
        build_args=checks.arguments(arguments, "--build-arg"),
        target=checks.stage(target, "--target") if target else None,
        platforms=platform.split(",") if (platform := overrides.get("platform")) else [],
        push=push,
        labels=checks.labels(overrides.get("labels") or {}, "--label"),
        builder=buildkit.builder,
        cache_from=buildkit.cache_from,
        cache_to=buildkit.cache_to,
        no_cache=buildkit.no_cache,
    )


def _buildkit(
    builder: str | None,
    dockerfile: Path | None,
    name: str | None,
    cache_from: list[str] | None,
    cache_to: list[str] | None,
    no_cache: bool,
    variables: Mapping[str, str],
) -> Buildkit | None:
    """What BuildKit is told, checked; ``None`` where the image is assembled."""
    from imagekit.errors import InputError
    from imagekit.nearest import nearest_hint

    if builder not in (None, "assemble", "buildkit"):
        raise InputError(f"--builder {builder!r} is unknown", hint=nearest_hint(str(builder), ("assemble", "buildkit")))
    if builder == "assemble" and dockerfile is not None:
        raise InputError("--builder assemble does not go with --dockerfile", hint="leave one of the two out")
    if builder != "buildkit" and dockerfile is None:
        if name or cache_from or cache_to:
            raise InputError(
                "--buildx-builder, --cache-from and --cache-to go with BuildKit", hint="add --builder buildkit"
            )
        return None
    from imagekit.building.reference_build import Buildkit

    chosen = Buildkit(
        builder=name, cache_from=tuple(cache_from or ()), cache_to=tuple(cache_to or ()), no_cache=no_cache
    )
    return chosen.checked(variables)
