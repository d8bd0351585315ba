"""The options of ``imagekit run`` that say how a run is run: fields of ``RunSettings``, by the same names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from imagekit.cli.option_sets import Means, Reads, option
from imagekit.cli.options import pairs

_IMAGE = "Image"
_CONTAINER = "Container"
_LIMITS = "Limits"
_SAFETY = "Safe unless it is turned off"


def _json_pairs(texts: Sequence[str], name: str) -> dict[str, Any]:
    """``K=V``; V is JSON, or else a text."""
    found: dict[str, Any] = {}
    for key, value in pairs(texts, name, "shm_size=1g").items():
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _login(path: Path, name: str) -> Any:
    from imagekit.errors import InputError

    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        hint = 'write {"username": "…", "password": "…", "registry_url": "…"} into it, closed to others'
        raise InputError(f"{name}: {path} cannot be read: {why}", hint=hint) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """A field is called like the one of ``RunSettings`` that it gives."""

    image_pull_policy: Annotated[
        str | None,
        option(
            "--pull",
            metavar="POLICY",
            panel=_IMAGE,
            help="Always, IfNotPresent, IfPossible or Never; Always for :latest, else IfNotPresent.",
        ),
    ] = None
    registry_credentials: Annotated[
        Path | None,
        option(
            "--registry-credentials",
            metavar="FILE",
            panel=_IMAGE,
            help="JSON with username, password and registry_url, instead of docker login's.",
        ),
        Reads(_login),
    ] = None
    name: Annotated[str | None, option("--name", metavar="NAME", panel=_CONTAINER, help="The container's name.")] = None
    labels: Annotated[
        list[str] | None,
        option("--label", metavar="K=V", panel=_CONTAINER, help="A label of the container."),
        Reads(partial(pairs, example="team=data")),
    ] = None
    volumes: Annotated[
        list[str] | None,
        option(
            "--volume",
            metavar="SRC:DST[:ro]",
            panel=_CONTAINER,
            help="A mount; ./SRC is below the working directory, a name is a named volume.",
        ),
    ] = None
    networks: Annotated[
        list[str] | None, option("--network", metavar="NAME", panel=_CONTAINER, help="A network to join.")
    ] = None
    network_mode: Annotated[
        str | None,
        option("--network-mode", metavar="MODE", panel=_CONTAINER, help="host, bridge, none or container:NAME."),
    ] = None
    user: Annotated[
        str | None,
        option(
            "--user",
            "-u",
            metavar="USER[:GROUP]",
            panel=_CONTAINER,
            help="Who the flow runs as; the image's user, or 65534 where that is root.",
        ),
    ] = None
    workdir: Annotated[
        str | None,
        option("--workdir", "-w", metavar="PATH", panel=_CONTAINER, help="Its working directory, in the container."),
    ] = None
    command: Annotated[
        str | None,
        option(
            "--command",
            metavar="ARGS",
            panel=_CONTAINER,
            help="What is started instead of 'python /.imagekit/bootstrap.py', which runs the flow.",
        ),
    ] = None
    auto_remove: Annotated[
        bool, option("--keep", panel=_CONTAINER, help="Leave the container when the run has ended."), Means(False)
    ] = False
    stream_output: Annotated[
        bool,
        option("--no-stream", panel=_CONTAINER, help="Don't show the flow's output; it is kept."),
        Means(False),
    ] = False
    serializer: Annotated[
        str | None,
        option(
            "--serializer",
            metavar="NAME",
            panel=_CONTAINER,
            help="How the result comes back: json, pickle or PACKAGE.MODULE:NAME.",
        ),
    ] = None
    container_create_kwargs: Annotated[
        list[str] | None,
        option(
            "--create-arg", metavar="K=V", panel=_CONTAINER, help="An argument of docker-py's containers.create; JSON."
        ),
        Reads(_json_pairs),
    ] = None
    cpus: Annotated[str | None, option("--cpus", metavar="N", panel=_LIMITS, help="Processors: 1.5.")] = None
    mem_limit: Annotated[
        str | None, option("--memory", "--mem-limit", "-m", metavar="SIZE", panel=_LIMITS, help="Memory: 512m, 1.5g.")
    ] = None
    memswap_limit: Annotated[
        str | None,
        option(
            "--memory-swap", "--memswap-limit", metavar="SIZE", panel=_LIMITS, help="Memory and swap; -1: any swap."
        ),
    ] = None
    pids: Annotated[int | None, option("--pids", metavar="N", panel=_LIMITS, help="Processes and threads; 4096.")] = (
        None
    )
    gpus: Annotated[
        str | None, option("--gpus", metavar="WHICH", panel=_LIMITS, help="all, a number, or device=0,1.")
    ] = None
    shm_size: Annotated[str | None, option("--shm-size", metavar="SIZE", panel=_LIMITS, help="Size of /dev/shm.")] = (
        None
    )
    timeout: Annotated[
        float | None, option("--timeout", metavar="SECONDS", panel=_LIMITS, help="Stop the run after this long.")
    ] = None
    stop_grace: Annotated[
        int | None,
        option("--stop-grace", metavar="SECONDS", panel=_LIMITS, help="From SIGTERM to SIGKILL; 10."),
    ] = None
    read_only: Annotated[
        bool, option("--read-only", panel=_SAFETY, help="The root filesystem can't be written; /tmp is in memory.")
    ] = False
    cap_add: Annotated[
        list[str] | None, option("--cap-add", metavar="NAME", panel=_SAFETY, help="A capability that root has.")
    ] = None
    allow_new_privileges: Annotated[
        bool, option("--allow-new-privileges", panel=_SAFETY, help="Programs with setuid work.")
    ] = False
    allow_engine_socket: Annotated[
        bool, option("--allow-engine-socket", panel=_SAFETY, help="A mount may hold the engine's socket.")
    ] = False
    allow_host_root: Annotated[
        bool, option("--allow-host-root", panel=_SAFETY, help="A mount may be of the host's /.")
    ] = False
    privileged: Annotated[
        bool, option("--privileged", panel=_SAFETY, help="All that the host's root may do, in the image's own user.")
    ] = False
