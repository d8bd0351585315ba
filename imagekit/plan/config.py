"""Plan + layer digests → image configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest
from imagekit.plan.user import user_setting
from imagekit.plan.values import Plan, PlannedLayer

# How `imagekit inspect` knows our layers again, and what `docker history` shows.
MARK = "imagekit "


def image_config(plan: Plan, diff_ids: Sequence[Digest]) -> ImageConfig:
    """The configuration of the planned image, whose own layers have ``diff_ids``, the lowest first."""
    layers = [(diff_id, History(created_by(layer))) for diff_id, layer in zip(diff_ids, plan.layers, strict=True)]
    return plan.base.config.extended(
        layers=layers,
        settings={"User": user_setting(plan.base, plan.user), "WorkingDir": plan.workdir},
        env=plan.env,
        labels=plan.labels,
        created=plan.created,
    )


def created_by(layer: PlannedLayer) -> str:
    """The history entry of a layer: ``imagekit wheels: rich==13.7.1``."""
    return f"{MARK}{layer.kind}: {' '.join(layer.packages) or layer.title}"


def packages_of(created_by: str) -> tuple[str, tuple[str, ...]]:
    """Title and packages of a layer by its history entry; no packages where it is not ours."""
    kind, _, rest = created_by.removeprefix(MARK).partition(": ")
    if not created_by.startswith(MARK) or kind not in ("wheels", "project"):
        return (rest if created_by.startswith(MARK) and rest else created_by), ()
    packages = tuple(rest.split())
    return (packages[0] if len(packages) == 1 else f"{len(packages)} packages"), packages
