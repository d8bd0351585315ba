"""Plan + layer digests → image configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest
from imagekit.plan.user import user_setting
from imagekit.plan.values import Plan, PlannedLayer

# How `imagekit inspect` knows our layers again, and what `docker history` shows.
MARK = "imagekit "
_WITH_PACKAGES = frozenset({"wheels", "project", "conda"})


def image_config(plan: Plan, diff_ids: Sequence[Digest]) -> ImageConfig:
    """The configuration of the planned image, whose own layers have ``diff_ids``, the lowest first."""
    layers = [(diff_id, History(created_by(layer))) for diff_id, layer in zip(diff_ids, plan.layers, strict=True)]
    return plan.base.config.extended(
        layers=layers,
        settings={
            "User": user_setting(plan.base, plan.user),
            "WorkingDir": plan.workdir,
            **({"Entrypoint": list(plan.entrypoint)} if plan.entrypoint is not None else {}),
        },
        env=plan.env,
        labels=plan.labels,
        created=plan.created,
    )


def created_by(layer: PlannedLayer) -> str:
    """The history entry of a layer: ``imagekit wheels: rich==13.7.1``."""
    return f"{MARK}{layer.kind}: {' '.join(layer.packages) or layer.title}"


def layer_of(created_by: str) -> tuple[str, str, tuple[str, ...]]:
    """Kind, title and packages of a layer by its history entry; the kind is empty where it is not ours."""
    kind, separator, rest = created_by.removeprefix(MARK).partition(": ")
    if not created_by.startswith(MARK) or not separator or not kind.isalpha():
        return "", created_by, ()
    packages = tuple(rest.split()) if kind in _WITH_PACKAGES else ()
    return kind, f"{len(packages)} packages" if len(packages) > 1 else rest, packages


def conda_packages(config: ImageConfig) -> tuple[str, ...]:
    """``name=version=build`` of conda's packages in an image, or a base, that imagekit put there; in name order."""
    steps = (layer_of(str(entry.get("created_by") or "")) for entry in config.history if not entry.get("empty_layer"))
    return tuple(sorted(pin for kind, _, packages in steps if kind == "conda" for pin in packages))


def packages_of(created_by: str) -> tuple[str, tuple[str, ...]]:
    """Title and packages of a layer by its history entry; no packages where it is not ours."""
    _, title, packages = layer_of(created_by)
    return title, packages
