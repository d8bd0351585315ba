"""An image of an engine, layer by layer; of ours, with the packages in each."""

from __future__ import annotations

from imagekit.engine.client import Engine
from imagekit.errors import EngineError
from imagekit.plan.config import packages_of
from imagekit.results import BuiltLayer, ImageReport


def image_report(engine: Engine, reference: str) -> ImageReport:
    """The report of the image that ``reference`` names in ``engine``."""
    image = engine.image(reference)
    if image is None:
        raise EngineError(f"{reference} is not in the engine", hint=f"build it, or docker pull {reference}")
    entries = [entry for entry in engine.history(image.id) if not entry.is_empty]
    # Engines do not say which steps are empty; those of no size that are none too many are.
    surplus = len(entries) - len(image.diff_ids)
    layers = []
    diff_ids = iter(image.diff_ids)
    for entry in entries:
        if surplus > 0 and entry.size == 0:
            surplus -= 1
            continue
        title, packages = packages_of(entry.created_by)
        layers.append(BuiltLayer(digest=next(diff_ids), size=entry.size, title=title, packages=packages))
    return ImageReport(
        reference=reference,
        image_id=image.id,
        digest=next((digest.partition("@")[2] for digest in image.repo_digests), None),
        platform=str(image.platform),
        size=image.size,
        layers=tuple(layers),
        labels=image.labels,
        user=str(image.settings.get("User") or "root"),
        workdir=str(image.settings.get("WorkingDir") or "/"),
    )
