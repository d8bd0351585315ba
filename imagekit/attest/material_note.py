"""What is noted of each image that is made here, so that its documents can be written later.

No value of an argument, no credential and no path of a host is in it. It is part of every build, and so no more
than plain values: ``materials`` has them with names and types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from imagekit.lock.values import Artifact, GitCommit, Lock
from imagekit.network.urls import bare
from imagekit.oci.digest import digest_of_json
from imagekit.plan.record import LABEL, Record
from imagekit.plan.values import FilesLayer, Plan, SourceLayer

_OWN_LABELS = ("imagekit.", "org.opencontainers.image.")


def material_note(plan: Plan, lock: Lock, state: str) -> dict[str, Any]:
    """The note of the image that ``plan`` makes of the wheels of ``lock``, as JSON has it.

    ``state`` is that of the working tree, for who has looked.
    """
    base = plan.base.named
    record = Record.from_label(plan.labels.get(LABEL))
    files = {target: f"sha256:{digest.rpartition(':')[2]}" for target, digest in _files(plan)}
    names = [f"env:{name}" for name in plan.env]
    names += [f"label:{name}" for name in plan.labels if not name.startswith(_OWN_LABELS)]
    names += [f"file:{target}" for target in files]
    names += [f"option:{name}" for name in record.options] if record is not None else []
    return {
        "base": {"reference": base.reference, "config": base.config.digest, "digest": base.digest},
        **({"recipes": [[r.name, r.digest, r.diff_id] for r in plan.base.recipes]} if plan.base.recipes else {}),
        "python": base.python.version,
        "platform": str(base.config.platform),
        "site": plan.prefix.site_path,
        "wheels": [
            [
                p.name,
                p.version,
                file_note(p.artifact),
                file_note(p.built_from) if p.built_from is not None else None,
                [[tool.name, tool.version, tool.filename, tool.sha256] for tool in p.built_with],
            ]
            for p in lock.packages
        ],
        "lock": lock.digest,
        "lock_file": record.lock_file if record is not None else "",
        "source": next((layer.digest for layer in plan.layers if isinstance(layer, SourceLayer)), None),
        "files": files,
        "repository": plan.labels.get("org.opencontainers.image.source", ""),
        "commit": plan.labels.get("org.opencontainers.image.revision", ""),
        "state": state,
        "parameters": sorted(names),
        # What they are may be read in the image's history; a value that was given to one is in neither.
        "instructions": digest_of_json(list(plan.commands)) if plan.commands else None,
    }


def _files(plan: Plan) -> Iterator[tuple[str, str]]:
    for layer in plan.layers:
        if isinstance(layer, FilesLayer):
            yield from layer.digests


def file_note(artifact: Artifact) -> dict[str, Any]:
    """What is told of a wheel or of what one was built from: the fields of ``materials.File``."""
    origin = artifact.origin
    if isinstance(origin, GitCommit):
        return {"filename": artifact.filename, "repository": bare_url(origin.url), "commit": origin.commit}
    found: dict[str, Any] = {"filename": artifact.filename, "sha256": artifact.sha256}
    if origin is None:
        found |= {"url": bare_url(artifact.url), "by_url": artifact.by_url}
    return found


def bare_url(url: str) -> str:
    """``url`` without user information, query and fragment; empty where it names a path of a machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return ""
    return bare(url)
