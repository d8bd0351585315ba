"""The variables of a Docker work pool: each a run setting, with what its values are (JSON Schema, draft 2020-12).

Names, titles and meanings are those of ``prefect_docker``'s base job template where it has them; the rest are the
further settings of a run. The defaults are those of a run.
"""

from __future__ import annotations

from typing import Any

# In the place of a value that is secret: the name of a stored one, which the worker reads.
SECRET = {
    "type": "object",
    "properties": {"secret": {"type": "string", "minLength": 1}},
    "required": ["secret"],
    "additionalProperties": False,
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_SIZE = {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def _variable(title: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"title": title, "description": description, **schema}


VARIABLES: dict[str, dict[str, Any]] = {
    "name": _variable("Name", "The beginning of the containers' names; the flow's name by default.", type="string"),
    "command": _variable(
        "Command",
        "Run instead of the Python that starts the flow; the run is as its exit code is.",
        anyOf=[{"type": "string"}, _TEXTS],
    ),
    "env": _variable(
        "Environment Variables",
        "Variables of the container. Null takes one of the image's away; {'secret': NAME} is a stored secret.",
        type="object",
        additionalProperties={"anyOf": [{"type": "string"}, {"type": "null"}, SECRET]},
    ),
    "labels": _variable("Labels", "Labels of the container.", type="object", additionalProperties={"type": "string"}),
    "image": _variable("Image", "The image of deployments that name none.", type="string"),
    "registry_credentials": _variable(
        "Registry Credentials",
        "The login for the image's registry, instead of docker login's.",
        type="object",
        properties={"username": {"type": "string"}, "password": SECRET, "registry_url": {"type": "string"}},
        required=["username", "password", "registry_url"],
        additionalProperties=False,
    ),
    "image_pull_policy": _variable(
        "Image Pull Policy",
        "When the image is pulled.",
        enum=["IfNotPresent", "IfPossible", "Always", "Never"],
    ),
    "networks": _variable("Networks", "Networks of the engine's that the container joins.", **_TEXTS),
    "network_mode": _variable(
        "Network Mode", "host, bridge, none or container:NAME; not with networks.", type="string"
    ),
    "auto_remove": _variable("Auto Remove", "Remove the container when its end is recorded.", type="boolean"),
    "volumes": _variable("Volumes", "SOURCE:TARGET[:ro|rw]; ./SOURCE is below the worker's directory.", **_TEXTS),
    "stream_output": _variable("Stream Output", "Show the output in the worker's terminal as well.", type="boolean"),
    "mem_limit": _variable("Memory Limit", "Bytes, or a text such as 512m or 1.5g.", **_SIZE),
    "memswap_limit": _variable("Memory Swap Limit", "Memory and swap together; -1 is any amount of swap.", **_SIZE),
    "privileged": _variable("Privileged", "Give extended privileges to the container.", type="boolean"),
    "container_create_kwargs": _variable(
        "Container Configuration", "Further arguments of docker-py's containers.create.", type="object"
    ),
    "cpus": _variable(
        "CPUs", "Processors that the container may use: 1.5.", anyOf=[{"type": "number"}, {"type": "string"}]
    ),
    "pids": _variable("Processes", "As many as there may be in the container.", type="integer"),
    "gpus": _variable("GPUs", "all, a number, or device=ID,….", anyOf=[{"type": "string"}, {"type": "integer"}]),
    "shm_size": _variable("Shared Memory", "Bytes of /dev/shm, or a text such as 64m.", **_SIZE),
    "timeout": _variable("Timeout", "Seconds after which a run is ended.", type="number", exclusiveMinimum=0),
    "stop_grace": _variable("Stop Grace", "Whole seconds from SIGTERM to SIGKILL.", type="integer", minimum=0),
    "user": _variable(
        "User",
        "Who the flow runs as: by default the image's user, if that is not root.",
        anyOf=[{"type": "string"}, {"type": "integer"}],
    ),
    "workdir": _variable("Working Directory", "In the container; by default the image's.", type="string"),
    "read_only": _variable("Read-only", "Nothing but /tmp and volumes can be written.", type="boolean"),
    "serializer": _variable("Serializer", "Of results: json, pickle, or PACKAGE.MODULE:NAME.", type="string"),
    "cap_add": _variable("Capabilities", "Capabilities that are added: NET_ADMIN.", **_TEXTS),
    "allow_new_privileges": _variable("Allow New Privileges", "Let setuid programs work.", type="boolean"),
    "allow_engine_socket": _variable("Allow Engine Socket", "Let a mount hold the engine's socket.", type="boolean"),
    "allow_host_root": _variable("Allow Host Root", "Let a mount be of /.", type="boolean"),
}


def docker_template() -> dict[str, Any]:
    """The base job template that a Docker work pool begins with: every variable open, none with a default."""
    return {
        "job_configuration": {name: f"{{{{ {name} }}}}" for name in VARIABLES},
        "variables": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {name: dict(schema) for name, schema in VARIABLES.items()},
            "additionalProperties": False,
        },
    }
