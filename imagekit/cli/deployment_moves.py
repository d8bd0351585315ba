"""``imagekit deployment kubernetes`` and ``to-prefect``: a deployment for what is not this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from imagekit.cli import options

Name = Annotated[str, typer.Argument(metavar="FLOW/NAME", help="The flow's name and the deployment's.")]
_Image = Annotated[
    str | None,
    typer.Option("--image", metavar="REF", help="An image that others can pull, instead of its own."),
]


def kubernetes(
    name: Name,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="K=V", help="A parameter of the run; V is JSON, or else a string."),
    ] = None,
    job_variable: Annotated[
        list[str] | None,
        typer.Option("--job-variable", "-j", metavar="K=V", help="A job variable of the run: mem_limit=2g."),
    ] = None,
    image: _Image = None,
    job_name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The Job's name; by default another one each time.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="A namespace of the cluster.")
    ] = None,
    secret_env: Annotated[
        list[str] | None,
        typer.Option("--secret-env", metavar="NAME=SECRET/KEY", help="A variable from a secret of the cluster's."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option("--service-account", metavar="NAME", help="Whom the pod is to the cluster.")
    ] = None,
    pull_secret: Annotated[
        list[str] | None,
        typer.Option("--image-pull-secret", metavar="NAME", help="A secret of the cluster's that pulls the image."),
    ] = None,
    cpu_request: Annotated[
        str | None, typer.Option("--cpu-request", metavar="CPU", help="Processors that are kept for it: 500m.")
    ] = None,
    memory_request: Annotated[
        str | None, typer.Option("--memory-request", metavar="SIZE", help="Memory that is kept for it: 1Gi.")
    ] = None,
    job_template: Annotated[
        Path | None, typer.Option("--job-template", metavar="FILE", help="A Job (YAML) that it is put into.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print a run of a deployment as a Kubernetes Job, for kubectl apply; nothing is sent."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings
    from imagekit.kubernetes.deployment import deployment_manifest
    from imagekit.kubernetes.manifest import manifest_text
    from imagekit.spec.entrypoint import parse_parameters
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    with Store.open(load_settings().state_dir) as store:
        deployment = Deployments(store.file).get(name)
        pool = Pools(store.file).get(deployment.pool)
    document = deployment_manifest(
        deployment,
        pool,
        name=job_name,
        image=image,
        parameters=parse_parameters(parameter or ()),
        job_variables=parse_parameters(job_variable or ()),
        namespace=namespace,
        secret_env=dict(_pair(each) for each in secret_env or ()),
        service_account_name=service_account,
        image_pull_secrets=pull_secret or (),
        cpu_request=cpu_request,
        memory_request=memory_request,
        job_template=None if job_template is None else _template(job_template),
    )
    if as_json:
        put_json(document)
    else:
        put(manifest_text(document).rstrip("\n"))


def to_prefect(
    name: Name,
    image: _Image = None,
    replace_pool: Annotated[
        bool, typer.Option("--replace-pool", help="Put our work pool in the place of the server's of that name.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep-schedules", help="Let the schedules here make runs as well.")] = False,
    as_json: options.Json = False,
) -> None:
    """Make a deployment on the Prefect server in use (PREFECT_API_URL), and pause it here."""
    from imagekit.cli.output import put, put_json
    from imagekit.prefect.moving import move

    moved = move(name, image=image, replace_pool=replace_pool, pause=not keep)
    if as_json:
        put_json({"id": str(moved.id), "told": list(moved.told)})
        return
    for line in moved.told:
        put(line)
    put(f"{name} is on the server: prefect deployment run '{name}'")


def _pair(text: str) -> tuple[str, str]:
    from imagekit.errors import InputError

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--secret-env: {text!r} is no variable and key", hint="write NAME=SECRET/KEY")
    return name, value


def _template(path: Path) -> dict[str, Any]:
    import yaml

    from imagekit.errors import InputError

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"--job-template: {path} cannot be read", hint="name a Job in YAML", details=str(error)
        ) from None
    if not isinstance(found, dict) or found.get("kind") not in (None, "Job"):
        raise InputError(f"--job-template: {path} is no Job", hint="its kind is Job, its apiVersion batch/v1")
    return found
