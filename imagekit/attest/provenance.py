"""How an image was made, as SLSA provenance v1 in an in-toto statement. The same image, the same bytes.

Sources: slsa.dev/spec/v1.0/provenance, in-toto attestation framework v1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from imagekit import __version__
from imagekit.attest.materials import File, Materials, Wheel
from imagekit.attest.subject import Subject
from imagekit.errors import InputError
from imagekit.git.working_tree import UNKNOWN
from imagekit.lock.values import BuildTool
from imagekit.oci.digest import Digest

MEDIA_TYPE = "application/vnd.in-toto+json"
FORMAT = "provenance"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
# What the parameters below mean; an identifier, as SLSA has it, and no page.
BUILD_TYPE = "urn:imagekit:build:v1"
BUILDER = "urn:imagekit:builder"


def statement_of(subject: Subject) -> bytes:
    """The statement about ``subject``; ``InputError`` where nothing is known of how it was made."""
    materials = subject.materials
    if materials is None:
        raise InputError(
            f"it is not known here what {subject.name} was made from",
            hint="build it here with imagekit build, or push it with --attest from where it was built",
        )
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": subject.name, "digest": {"sha256": _hex(subject.digest)}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _external(materials),
                "internalParameters": {"python": materials.python, "lockDigest": materials.lock},
                "resolvedDependencies": [*_dependencies(materials)],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"imagekit": __version__}},
                "metadata": _metadata(subject),
            },
        },
    }
    return (json.dumps(statement, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _external(materials: Materials) -> dict[str, Any]:
    found: dict[str, Any] = {
        "baseImage": materials.base.reference,
        "platform": materials.platform,
        # Names alone: a value may be what nobody else should read.
        "parameters": list(materials.parameters),
    }
    if materials.lock_file:
        found["lockFile"] = materials.lock_file
    if materials.instructions is not None:
        # BuildKit carried them out on the assembled image.
        found["instructions"] = {"sha256": _hex(materials.instructions)}
    return found


def _metadata(subject: Subject) -> dict[str, Any]:
    # No startedOn and no finishedOn, which are optional: they are times of the clock, the same image is to have the
    # same document on any day, and the time that the image says of itself is its source's or its base's.
    return {"invocationId": f"urn:uuid:{subject.identity(FORMAT)}"}


def _dependencies(materials: Materials) -> Iterator[dict[str, Any]]:
    """Resource descriptors: the base, the source, the files, and every wheel with what it was built from."""
    base = materials.base
    yield {
        "name": base.reference,
        "uri": _base_uri(base.reference, base.digest),
        "digest": {"sha256": _hex(base.digest or base.config)},
        # Where a base was never in a registry it has no manifest, and is known by its configuration.
        "annotations": {"digestOf": "manifest" if base.digest else "configuration", "configuration": base.config},
    }
    for recipe in materials.recipes:
        yield {
            "name": f"recipe:{recipe.name}",
            "digest": {"sha256": _hex(recipe.digest)},
            # What it took from the distribution on that day is in its layer.
            "annotations": {"digestOf": "recipe", **({"layer": recipe.layer} if recipe.layer else {})},
        }
    if materials.source is not None:
        yield {"name": "source", "digest": {"sha256": _hex(materials.source)}, "annotations": {"digestOf": "file tree"}}
    if materials.commit:
        repository = materials.repository
        yield {
            "name": "repository",
            "digest": {"gitCommit": materials.commit},
            **({"uri": f"git+{repository}@{materials.commit}"} if "://" in repository else {}),
            "annotations": {"workingTree": materials.state, "isExact": materials.state == "clean"}
            if materials.state != UNKNOWN
            else {"workingTree": UNKNOWN},
        }
    for target, digest in sorted(materials.files.items()):
        yield {"name": f"file:{target}", "digest": {"sha256": _hex(digest)}}
    for wheel in materials.wheels:
        if wheel.source is None:
            yield _file(wheel, wheel.file)
        else:
            yield _file(wheel, wheel.source, builtInto=f"{wheel.file.filename} {wheel.file.sha256}")
    yield from _tools(materials.wheels)


def _tools(wheels: Iterable[Wheel]) -> Iterator[dict[str, Any]]:
    """What sources were built with, each file once, with the wheels that it took part in."""
    made: dict[BuildTool, list[str]] = {}
    for wheel in wheels:
        for tool in wheel.tools:
            made.setdefault(tool, []).append(wheel.file.filename)
    for tool, built in sorted(made.items(), key=lambda each: each[0].filename):
        yield {
            "name": tool.filename,
            "digest": {"sha256": tool.sha256},
            "uri": f"pkg:pypi/{tool.name}@{tool.version}?file_name={tool.filename}",
            "annotations": {"builtWithIt": sorted(built)},
        }


def _file(wheel: Wheel, file: File, **annotations: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": file.filename}
    if file.commit:
        found["digest"] = {"gitCommit": file.commit}
        if file.repository:
            found["uri"] = f"git+{file.repository}@{file.commit}"
    elif file.is_directory:
        found["digest"] = {"sha256": file.sha256}
        annotations["digestOf"] = "file tree"
    else:
        found["digest"] = {"sha256": file.sha256}
        found["uri"] = f"pkg:pypi/{wheel.name}@{wheel.version}?file_name={file.filename}"
    if file.url:
        found["downloadLocation"] = file.url
    if annotations:
        found["annotations"] = annotations
    return found


def _base_uri(reference: str, digest: Digest | None) -> str:
    name = reference.partition("@")[0]
    return f"docker://{name}@{digest}" if digest else f"docker://{name}"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
