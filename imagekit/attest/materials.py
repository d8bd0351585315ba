"""What an image was made from, as far as others may know it: kept with the image, and told by its provenance.

No value of an argument, no credential and no path of a host is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.plan.record import LABEL, Record
from imagekit.plan.values import FilesLayer, Plan, SourceLayer

CLEAN, DIRTY, UNKNOWN = "clean", "dirty", "unknown"
_OWN_LABELS = ("imagekit.", "org.opencontainers.image.")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A wheel or a source distribution."""

    filename: str
    sha256: str  # 64 hex digits
    url: str = ""  # without credentials and query; empty where it came from this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package that went into an image."""

    name: str  # normalized
    version: str
    file: File
    source: File | None = None  # the source distribution that it was built from


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The image that another one was built on."""

    reference: str
    config: Digest  # of its configuration as canonical JSON: the same wherever the image lies
    digest: Digest | None = None  # of its manifest or index, where it is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What one image was made from."""

    base: Base
    python: str  # full version
    platform: str
    site: str  # where the packages went: /opt/venv/lib/python3.11/site-packages
    wheels: tuple[Wheel, ...]
    lock: Digest
    lock_file: str = ""  # the name of the project's own
    source: Digest | None = None  # of the project's files that went in
    files: Mapping[str, str] = field(default_factory=dict)  # target → digest of what was copied there
    repository: str = ""  # URL, without credentials
    commit: str = ""
    state: str = UNKNOWN  # of the working tree at that commit
    parameters: tuple[str, ...] = ()  # names of what was set: "env:TZ", "base-image"; never a value


def materials_of(plan: Plan, lock: Lock, state: str) -> Materials:
    """The materials of the image that ``plan`` makes of the wheels of ``lock``.

    ``state`` is that of the working tree, for who has looked.
    """
    base = plan.base
    record = Record.from_label(plan.labels.get(LABEL))
    files = {target: f"sha256:{digest.rpartition(':')[2]}" for target, digest in _files(plan)}
    names = [f"env:{name}" for name in plan.env]
    names += [f"label:{name}" for name in plan.labels if not name.startswith(_OWN_LABELS)]
    names += [f"file:{target}" for target in files]
    names += [f"option:{name}" for name in record.options] if record is not None else []
    return Materials(
        base=Base(reference=base.reference, config=base.config.digest, digest=base.digest),
        python=base.python.version,
        platform=str(base.config.platform),
        site=plan.prefix.site_path,
        wheels=tuple(_wheel(package) for package in lock.packages),
        lock=lock.digest,
        lock_file=record.lock_file if record is not None else "",
        source=next((Digest(layer.digest) for layer in plan.layers if isinstance(layer, SourceLayer)), None),
        files=files,
        repository=plan.labels.get("org.opencontainers.image.source", ""),
        commit=plan.labels.get("org.opencontainers.image.revision", ""),
        state=state,
        parameters=tuple(sorted(names)),
    )


def _files(plan: Plan) -> Iterator[tuple[str, str]]:
    for layer in plan.layers:
        if isinstance(layer, FilesLayer):
            yield from layer.digests


def _wheel(package: LockedPackage) -> Wheel:
    source = package.built_from
    return Wheel(
        name=package.name,
        version=package.version,
        file=_file(package.artifact),
        source=_file(source) if source is not None else None,
    )


def _file(artifact: Artifact) -> File:
    return File(filename=artifact.filename, sha256=artifact.sha256, url=bare_url(artifact.url))


def bare_url(url: str) -> str:
    """``url`` without user information, query and fragment; empty where it names a path of a machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
