"""An image that was built, as far as it is compared with a plan. Values; whoever reads images makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.oci.digest import Digest
from imagekit.plan.config import layer_of
from imagekit.plan.record import LABEL, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """One layer of ours in an image."""

    diff_id: Digest
    kind: str
    title: str
    packages: tuple[str, ...]
    key: str  # the first hex digits; empty where the image was built before keys were recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image: its layers above the base, its settings, and the record of its inputs."""

    reference: str
    image_id: str
    diff_ids: tuple[Digest, ...]  # the base's too, the lowest first
    layers: tuple[LayerFacts, ...]
    settings: Mapping[str, Any]  # the config object: Env, Labels, User, WorkingDir …
    record: Record | None
    repositories: frozenset[str] = frozenset()  # ``registry/repository`` names that it was pushed to, or pulled from
    conda: tuple[str, ...] = ()  # name=version=build of conda's packages in its base, in name order

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.settings.get("Labels") or {})

    @property
    def env(self) -> dict[str, str]:
        return {k: v for k, _, v in (e.partition("=") for e in self.settings.get("Env") or ())}


def image_facts(
    reference: str,
    image_id: str,
    diff_ids: Sequence[Digest],
    steps: Sequence[str],
    settings: Mapping[str, Any],
    repositories: frozenset[str] = frozenset(),
) -> ImageFacts:
    """The facts of an image; ``steps`` has the history entry of each layer (``created_by``), the lowest first."""
    record = Record.from_label((settings.get("Labels") or {}).get(LABEL))
    found = [(diff_id, *layer_of(step)) for diff_id, step in zip(diff_ids, steps, strict=True)]
    own = found[_start([kind for _, kind, _, _ in found], record) :]
    keys = record.layers if record is not None and len(record.layers) == len(own) else ("",) * len(own)
    return ImageFacts(
        reference=reference,
        image_id=image_id,
        diff_ids=tuple(diff_ids),
        layers=tuple(
            LayerFacts(diff_id=diff_id, kind=kind, title=title, packages=packages, key=key)
            for (diff_id, kind, title, packages), key in zip(own, keys, strict=True)
        ),
        settings=settings,
        record=record,
        repositories=repositories,
        conda=tuple(sorted(pin for _, kind, _, packages in found if kind == "conda" for pin in packages)),
    )


def _start(kinds: Sequence[str], record: Record | None) -> int:
    """Where the layers of ours begin. A base may be an image of ours itself, so they are as many as were recorded."""
    if record is not None:
        start = len(kinds) - len(record.layers)
        # The same record is in what BuildKit made of the equivalent Dockerfile; its layers are others.
        return start if start >= 0 and all(kinds[start:]) else len(kinds)
    starts = [n for n, kind in enumerate(kinds) if kind == "environment"]
    return starts[-1] if starts else len(kinds)
