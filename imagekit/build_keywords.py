"""What each build keyword of docker-py, and of Prefect's buildx backend, means to a ``DockerImage``.

Source: docker-py's ``ImageCollection.build`` and ``APIClient.build``; ``prefect.docker.DockerImage``.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from imagekit.errors import InputError, UnknownKeyword

# Keyword → field of ``stages.dockerfile.DockerfileBuild``.
DOCKERFILE_FIELDS = {
    "buildargs": "build_args",
    "labels": "labels",
    "target": "target",
    "platform": "platform",
    "cache_from": "cache_from",
    "nocache": "no_cache",
    "pull": "pull",
    "extra_hosts": "extra_hosts",
    "network_mode": "network",
    "shmsize": "shm_size",
    "secrets": "secrets",
    "ssh": "ssh",
    # Not docker-py's: what buildx has besides.
    "cache_to": "cache_to",
    "buildx_builder": "builder",
}
# Without a Dockerfile of the user's there is no step that these could reach.
HONOURED_BY_AUTO = frozenset({"labels", "platform", "nocache"})
# With builder="buildkit" there is one, and these are of the whole build.
HONOURED_BY_BUILDKIT = HONOURED_BY_AUTO | {"cache_from", "cache_to", "buildx_builder"}
# They steer docker-py itself or an engine's classic builder, and change nothing of the image.
WITHOUT_MEANING = frozenset(
    {"rm", "forcerm", "quiet", "timeout", "gzip", "encoding", "decode", "use_config_proxy", "isolation"}
)
REFUSED = {
    "fileobj": "dockerfile=PATH names the Dockerfile",
    "custom_context": "context=DIRECTORY names the build context",
    "squash": "layers are what makes the next build quick; leave it away",
    "container_limits": "BuildKit has no limits for one build; set them on the builder",
    "tag": "tag is DockerImage's second argument",
    "push": "call push() after build()",
}


def check_keywords(keywords: Mapping[str, Any], own: Collection[str]) -> None:
    """``UnknownKeyword`` with the nearest name for one that nobody knows, ``InputError`` for a refused one."""
    for name in keywords:
        if name in REFUSED:
            raise InputError(f"DockerImage does not take {name!r}", hint=REFUSED[name])
        if name not in DOCKERFILE_FIELDS and name not in WITHOUT_MEANING:
            known = sorted({*DOCKERFILE_FIELDS, *WITHOUT_MEANING, *own})
            near = difflib.get_close_matches(name, known, n=1)
            raise UnknownKeyword(
                f"DockerImage has no keyword {name!r}", hint=f"did you mean {near[0]!r}?" if near else None
            )


def dockerfile_fields(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """``keywords`` as fields of ``DockerfileBuild``; those that are not given are left out."""
    fields = {DOCKERFILE_FIELDS[k]: v for k, v in keywords.items() if k in DOCKERFILE_FIELDS and v is not None}
    for name in ("cache_from", "cache_to", "secrets"):
        if name in fields:
            value = fields[name]
            fields[name] = (value,) if isinstance(value, str) else tuple(value)
    if "shm_size" in fields:
        fields["shm_size"] = str(fields["shm_size"])
    return fields


def ignored_by_auto(keywords: Mapping[str, Any], *, by_buildkit: bool = False) -> list[str]:
    """Keywords that were given, and mean nothing where imagekit assembles the image, or writes its Dockerfile."""
    honoured = HONOURED_BY_BUILDKIT if by_buildkit else HONOURED_BY_AUTO
    return sorted(
        name for name, value in keywords.items() if name in DOCKERFILE_FIELDS and name not in honoured and value
    )
