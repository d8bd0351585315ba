"""A lock on an image → the plan of the image with more layers on top. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagekit.errors import BaseUnusable
from imagekit.extras.bytecode import KIND
from imagekit.lock.values import Lock
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.plan.config import created_by
from imagekit.plan.layering import LAYER_LIMIT, LEAST, arrange
from imagekit.plan.make import planned_wheel, wheels_layer
from imagekit.plan.prefix import Prefix
from imagekit.plan.user import choose_user
from imagekit.plan.values import Plan, PlannedWheel
from imagekit.spec.base import BaseImage, real_directory


def extra_plan(lock: Lock, base: BaseImage, labels: dict[str, str]) -> Plan:
    """The wheels of ``lock`` on ``base``, whose user, working directory and environment stay as they are.

    ``BaseUnusable`` where ``base`` has no room for another layer.
    """
    prefix = Prefix.of(base)
    wheels = [_with_own_key(planned_wheel(package, base, prefix)) for package in lock.packages]
    groups = _groups(wheels, LAYER_LIMIT - len(base.config.diff_ids), base)
    path = base.config.path
    on_path = prefix.scripts_path in {real_directory(place, base) for place in path.split(":")}
    return Plan(
        base=base,
        prefix=prefix,
        user=choose_user(base),
        layers=tuple(wheels_layer(group) for group in groups),
        env={} if on_path else {"PATH": f"{prefix.scripts_path}:{path}"},
        labels=labels,
        workdir=str(base.config.settings.get("WorkingDir") or "/"),
        created=None,
        kept=tuple(f"{name}=={version}" for name, version in sorted(lock.kept.items())),
    )


def extra_config(plan: Plan, diff_ids: Sequence[Digest]) -> ImageConfig:
    """The configuration of an image of the lowest layers of ``plan``, which have ``diff_ids``; they may be all."""
    layers = zip(diff_ids, plan.layers, strict=False)
    return plan.base.config.extended(
        layers=[(diff_id, History(created_by(layer))) for diff_id, layer in layers],
        settings={},
        env=plan.env,
        labels=plan.labels,
        created=plan.created,
    )


def _with_own_key(wheel: PlannedWheel) -> PlannedWheel:
    return replace(wheel, key=digest_of_json([wheel.key, KIND]))


def _groups(wheels: Sequence[PlannedWheel], free: int, base: BaseImage) -> Sequence[Sequence[PlannedWheel]]:
    """``wheels`` in at most ``free`` layers."""
    if free < 1:
        raise BaseUnusable(
            f"{base.reference} has {len(base.config.diff_ids)} layers, and an image may have {LAYER_LIMIT} in all",
            hint="take an image with fewer layers: those that imagekit builds leave room for EXTRA_PIP_PACKAGES",
        )
    if len(wheels) <= free or free >= LEAST:
        return arrange(wheels, free)
    # So few that grouping by name would leave some empty and others full.
    return [sorted(wheels, key=lambda wheel: wheel.name)]
