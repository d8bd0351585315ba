"""The plan: an image's layers in order, each with the key of all that goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagekit.oci.digest import Digest
from imagekit.plan.prefix import Prefix
from imagekit.spec.base import BaseImage
from imagekit.spec.image import FileMapping, Project
from imagekit.spec.installed import Distribution

# Part of every key: a change of how layers are written must not meet layers written before it.
FORMAT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWheel:
    """One wheel that is installed, by its hash."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int  # bytes of the wheel file; 0 where it is not known
    direct: bool
    key: Digest
    from_source: bool = False  # a source distribution that is built first: then the hash is that one's

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who runs in the image."""

    name: str
    uid: int
    gid: int
    home: str
    exists: bool  # in the base already


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLayer:
    """One layer that will be there: what it is for, what is in it, and the key of that."""

    kind: str
    title: str
    key: Digest

    @property
    def packages(self) -> tuple[str, ...]:
        """``name==version`` of what is installed in it."""
        return ()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self.title, "key": self.key, "packages": list(self.packages)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A package of the base that another version takes the place of."""

    name: str
    old: str
    new: str
    why: str | None  # one line

    @property
    def line(self) -> str:
        """``rich 13.9 of the base is replaced by 14.0: requirements.txt:2 asks for rich==14.0``"""
        why = f": {self.why}" if self.why else ""
        return f"{self.name} {self.old} of the base is replaced by {self.new}{why}"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "old": self.old, "new": self.new, "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedLayer(PlannedLayer):
    """What of the base is hidden: the files of the distributions that are replaced."""

    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentLayer(PlannedLayer):
    """The virtual environment without packages where there is to be one; the user, the working directory."""

    prefix: Prefix
    user: User
    workdir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelsLayer(PlannedLayer):
    """One wheel, or a few that share a layer."""

    wheels: tuple[PlannedWheel, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(wheel.pin for wheel in self.wheels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLayer(PlannedLayer):
    """The project itself, installed by its metadata; its modules are in the source layer."""

    project: Project
    prefix: Prefix
    workdir: str

    @property
    def packages(self) -> tuple[str, ...]:
        return (f"{self.project.name}=={self.project.version}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesLayer(PlannedLayer):
    """Files that were asked for by name."""

    files: tuple[FileMapping, ...]
    digests: tuple[tuple[str, str], ...]  # (target, content digest) that the key has


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLayer(PlannedLayer):
    """The project's source."""

    workdir: str
    user: User
    digest: str  # of the tree, that the key has


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An image before any layer of it is made."""

    base: BaseImage
    prefix: Prefix
    user: User
    layers: tuple[PlannedLayer, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    workdir: str
    created: str | None  # RFC 3339, from SOURCE_DATE_EPOCH alone
    entrypoint: tuple[str, ...] | None = None  # in place of the base's
    commands: tuple[str, ...] = ()  # instructions that BuildKit runs on the image of these layers
    kept: tuple[str, ...] = ()  # name==version of what is needed and left to the base, which has it
    replaced: tuple[Replacement, ...] = ()  # what the base has and another version takes the place of

    @property
    def removed(self) -> tuple[Distribution, ...]:
        """The distributions of the base that are not in the image."""
        return tuple(d for layer in self.layers if isinstance(layer, RemovedLayer) for d in layer.distributions)

    @property
    def conda(self) -> tuple[str, ...]:
        """``name=version=build`` of conda's packages in the base."""
        from imagekit.plan.config import conda_packages

        return conda_packages(self.base.config)

    def to_json(self) -> dict[str, Any]:
        return {
            "base": {
                "reference": self.base.reference,
                "image_id": self.base.image_id,
                "python": self.base.python.version,
                **({"recipes": [recipe.name for recipe in self.base.recipes]} if self.base.recipes else {}),
                "conda": list(self.conda),
                "kept": list(self.kept),
                "replaced": [replacement.to_json() for replacement in self.replaced],
            },
            "prefix": self.prefix.root,
            "user": self.user.name,
            "workdir": self.workdir,
            "env": dict(self.env),
            "labels": dict(self.labels),
            "layers": [layer.to_json() for layer in self.layers],
            "commands": list(self.commands),
        }
