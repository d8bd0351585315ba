"""An image of an engine, layer by layer; of ours, with the packages in each."""

from __future__ import annotations

from imagekit.engine.client import Engine
from imagekit.errors import EngineError
from imagekit.explaining.built_image import steps
from imagekit.explaining.results import BuiltLayer, ImageReport
from imagekit.plan.config import packages_of


def image_report(engine: Engine, reference: str) -> ImageReport:
    """The report of the image that ``reference`` names in ``engine``."""
    image = engine.image(reference)
    if image is None:
        raise EngineError(f"{reference} is not in the engine", hint=f"build it, or docker pull {reference}")
    layers = []
    for diff_id, step in zip(image.diff_ids, steps(engine.history(image.id), len(image.diff_ids)), strict=True):
        title, packages = packages_of(step.created_by)
        layers.append(BuiltLayer(digest=diff_id, size=step.size, title=title, packages=packages))
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
