"""From a record back to the values that a build works with, and from those to a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.planned import Resolved
from imagekit.codec import decode, encode
from imagekit.network.urls import has_login
from imagekit.recall.record import Record
from imagekit.recall.seen import Sights
from imagekit.spec.image import ImageSpec

if TYPE_CHECKING:
    from imagekit.explaining.results import BuildResult
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.base import BaseImage


def remember(
    path: Path,
    pipeline: Pipeline,
    settings: Settings,
    spec: ImageSpec,
    result: BuildResult,
    sights: Sights,
    *,
    shown: Mapping[str, Any],
    asked: Sequence[str | None],
    before: Record | None = None,
) -> None:
    """Keep a record of a build at ``path``. What goes by a secret is not kept.

    ``before`` is the record that the build went by, whose specification and lock are still the same.
    """
    if _has_secrets(spec):
        return
    resolved = pipeline.resolved(spec)
    document = {**result.to_json(), "up_to_date": True, "sent": 0}
    document["layers"] = [{**layer, "cached": True} for layer in document["layers"]]
    Record(
        sights=sights,
        engine=settings.engine_address,
        deadline=settings.engine_deadline,
        reference=result.reference,
        image_id=result.image_id,
        bases=bases_of(resolved.base),
        lacking=_before(spec, resolved.base.reference),
        may_lose=pipeline.engine.info.containerd_store,
        result=document,
        shown=shown,
        asked=asked,
        resolved=_encoded(spec, resolved) if before is None else before.resolved,
    ).write(path)


def bases_of(base: BaseImage) -> dict[str, str]:
    """The IDs of ``base`` and of all that it was made of here, by their names in the engine: each may move."""
    return {each.place: each.image_id for each in (base.lowest, base.named, base)}


def _before(spec: ImageSpec, chosen: str) -> list[str]:
    """The base images that are taken before ``chosen`` where the engine has them."""
    from imagekit.stages.probe import default_references

    names = default_references(spec.python or "") if spec.base_image is None else ()
    return list(names[: names.index(chosen)]) if chosen in names else []


def _encoded(spec: ImageSpec, resolved: Resolved) -> Any:
    return None if spec.builds_project else encode([spec, resolved])


def resolved_of(record: Record) -> tuple[ImageSpec, Resolved]:
    """The specification of a recorded build, and what it was resolved to."""
    spec, resolved = decode(record.resolved, known_classes())
    return spec, resolved


def _has_secrets(spec: ImageSpec) -> bool:
    """Whether an index has credentials in its URL, which are not to lie about."""
    indexes = spec.indexes
    urls = [*indexes.extra, *indexes.supplemental, *indexes.find_links, indexes.default or ""]
    return any(map(has_login, urls))


def known_classes() -> Mapping[str, type[Any]]:
    """Whatever a specification and what it was resolved to may hold, by name."""
    from imagekit.lock import values
    from imagekit.oci.config import ImageConfig
    from imagekit.oci.manifest import Descriptor
    from imagekit.oci.platform import Platform
    from imagekit.spec import base, conda, image, installed

    found: list[type[Any]] = [ImageConfig, Descriptor, Platform, Resolved]
    for module in (values, base, conda, image, installed):
        found += [value for value in vars(module).values() if hasattr(value, "__dataclass_fields__")]
    return {one.__name__: one for one in found}
