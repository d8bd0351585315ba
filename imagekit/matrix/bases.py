"""The bare Python that cells are built on: what it is called, seen to be there, and whether its tag has moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import (
    BaseNotFound,
    EngineError,
    EngineNotFound,
    EnginePermission,
    ImagekitError,
    InputError,
    NotAnEngine,
)
from imagekit.matrix.checks import PYTHON
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.values import DEBIAN, REGISTRY
from imagekit.oci.digest import short
from imagekit.oci.reference import Reference
from imagekit.spec.image import OCI_LAYOUT
from imagekit.stages.debian import DebianBase
from imagekit.stages.declared import SLIM

if TYPE_CHECKING:
    from imagekit.matrix.destination import Destination
    from imagekit.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A pinned base whose tag names another image by now; ``now`` is ``None`` where that could not be asked."""

    reference: str
    pinned: str
    now: str | None
    reason: str | None = None

    @property
    def line(self) -> str:
        if self.now is None:
            return f"{self.reference}: whether it has moved cannot be told ({self.reason})"
        return f"{self.reference} has moved: pinned is {short(self.pinned)}, it names {short(self.now)} now"

    def to_json(self) -> dict[str, Any]:
        return {"reference": self.reference, "pinned": self.pinned, "now": self.now, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """The bases of some Pythons: by each its reference, or why there is none."""

    references: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def with_more(self, more: Bases) -> Bases:
        """These, and ``more``."""
        return Bases(references={**self.references, **more.references}, missing={**self.missing, **more.missing})


def ensure(
    table: MatrixTable, directory: Path, pythons: Iterable[str], where: Destination, pipeline: Pipeline
) -> Bases:
    """Make sure of the base of each of ``pythons``; ``directory`` is that of the matrix's file.

    One of Debian's packages is made where it is missing, a registry's is pulled into the engine that builds on it.
    Raises ``EngineError`` where there is no engine at all and one is needed.
    """
    references, missing = {}, {}
    for python in sorted(set(pythons), key=table.python.index):
        try:
            references[python] = _ensured(table, directory, python, where, pipeline)
        except (EngineNotFound, EnginePermission, NotAnEngine):
            raise  # no cell's own: none can be had
        except ImagekitError as error:
            missing[python] = f"{error.message} ({error.hint})" if error.hint else error.message
    return Bases(references=references, missing=missing)


def unpinned(table: MatrixTable, python: str) -> Reference:
    """The registry's image for ``python`` by its tag."""
    assert table.base is not None
    assert table.base.image is not None
    reference = Reference.parse(table.base.image.replace(PYTHON, python))
    return reference if reference.tag else reference.with_tag("latest")


def drifts(table: MatrixTable, pythons: Iterable[str], pipeline: Pipeline) -> tuple[Drift, ...]:
    """Which pinned bases have moved in their registry; nothing is asked offline."""
    if table.base is None or table.base.source != REGISTRY or pipeline.settings.offline:
        return ()
    found = []
    pins = table.base.digest or {}
    for python in sorted(set(pythons) & set(pins), key=table.python.index):
        reference, pinned = unpinned(table, python), pins[python]
        try:
            now = newest_digest(reference, pipeline)
        except ImagekitError as error:
            found.append(Drift(reference=str(reference), pinned=pinned, now=None, reason=error.message))
            continue
        if now != pinned:
            found.append(Drift(reference=str(reference), pinned=pinned, now=now))
    return tuple(found)


def newest_digest(reference: Reference, pipeline: Pipeline) -> str:
    """The digest of what ``reference`` names in its registry now. Raises ``RegistryError``, ``BaseNotFound``."""
    from imagekit.registry.client import Registry
    from imagekit.registry.hosts import repository_of

    with Registry(reference.registry, pipeline.settings.registry_access()) as registry:
        digest = registry.manifest_digest(repository_of(reference), reference.tag or "latest")
    if digest is None:
        raise BaseNotFound(f"there is no image {reference} in its registry", hint=f"check it: docker pull {reference}")
    return digest


def _ensured(table: MatrixTable, directory: Path, python: str, where: Destination, pipeline: Pipeline) -> str:
    base = table.base
    if base is None or base.source == DEBIAN:
        return _of_packages(python, (base.variant if base else None), where, pipeline)
    assert base.image is not None
    if base.source == REGISTRY:
        return _pinned(table, python, where, pipeline)
    name = base.image.replace(PYTHON, python)
    if name.startswith(OCI_LAYOUT):
        # As the file's other readers would have it: from where it lies.
        return f"{OCI_LAYOUT}{directory / name.removeprefix(OCI_LAYOUT)}"
    if pipeline.engine.image(name) is None:
        raise BaseNotFound(f"the engine has no image {name}", hint=f'docker pull {name}, or source = "{REGISTRY}"')
    return name


def _pinned(table: MatrixTable, python: str, where: Destination, pipeline: Pipeline) -> str:
    assert table.base is not None
    digest = (table.base.digest or {}).get(python)
    if digest is None:
        raise InputError(
            f"the base for Python {python} is not pinned: {unpinned(table, python)}", hint="imagekit matrix pin FILE"
        )
    reference = f"{unpinned(table, python)}@{digest}"
    if where.is_engine and pipeline.engine.image(reference) is None:
        if pipeline.settings.offline:
            raise BaseNotFound(f"offline, and the engine does not have {reference}", hint=f"docker pull {reference}")
        with pipeline.reporter.task(f"pulling {reference}"):
            pipeline.engine.pull(reference, where.platforms[0])
    return reference


def _of_packages(python: str, variant: str | None, where: Destination, pipeline: Pipeline) -> str:
    base = DebianBase(python=python, variant=variant or SLIM)
    if where.is_native:
        try:
            if pipeline.engine.image(base.reference) is None:
                pipeline.base(python, remake=True, variant=base.variant)
            return base.reference
        except EngineError:
            if where.is_engine:
                raise
    return _laid_out(base, where, pipeline)


def _laid_out(base: DebianBase, where: Destination, pipeline: Pipeline) -> str:
    """The base for each platform in a layout of the cache's own, as it was made the first time."""
    from imagekit.building import bases
    from imagekit.export.layout_read import find_image

    place = pipeline.cache_directory / "matrix-bases"
    try:
        for platform in where.platforms:
            find_image(place, base.reference, platform)
    except (ImagekitError, OSError):
        bases.lay_out(
            base.python,
            where.platforms,
            place,
            pipeline.cache_directory,
            pipeline.reporter,
            variant=base.variant,
        )
    return f"{OCI_LAYOUT}{place}:{base.reference}"
