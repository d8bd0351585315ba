"""Why the layers of a plan are as they are: who shares one, and at which height each lies. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.plan.cost import Cost
from imagekit.plan.layering import HEAVY, LAYER_LIMIT, RESERVED, wheel_budget, zones
from imagekit.plan.values import Plan, PlannedLayer, WheelsLayer

_FIXED = {
    "removed": "below all that replaces it",
    "environment": "below every package",
    "project": "above what it needs",
    "files": "above every package",
    "source": "on top: edited most",
}
# Of wheels, as they lie from the lowest on.
ORDER = "large ones lie low and small ones high; direct requirements, which people move, higher than their size"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNote:
    """One planned layer explained."""

    layer: PlannedLayer
    zone: str  # own, heavy, light (of wheels: alone, or shared with others of that weight); empty for what is no wheel
    height: str  # direct, large, small; the layer's kind for what is no wheel
    reason: str  # in words
    cost: Cost

    def to_json(self) -> dict[str, Any]:
        return {
            **self.layer.to_json(),
            "zone": self.zone or None,
            "height": self.height,
            "reason": self.reason,
            "size": self.cost.size,
            "cached": self.cost.is_cached,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A plan explained."""

    plan: Plan
    notes: tuple[LayerNote, ...]  # one for each layer, the lowest first
    budget: int  # layers that wheels may have

    @property
    def counts(self) -> dict[str, int]:
        """Wheels, their layers, and how many wheels have one alone, or share one of how many."""
        groups = [note.layer.wheels for note in self.notes if isinstance(note.layer, WheelsLayer)]
        alone = sum(note.zone == "own" for note in self.notes)
        wheels = sum(map(len, groups))
        return {
            "wheels": wheels,
            "layers": len(groups),
            "budget": self.budget,
            "alone": alone,
            "sharing": wheels - alone,
            "shared": len(groups) - alone,
            "reserved": RESERVED,
            "base_layers": len(self.plan.base.config.diff_ids),
            "limit": LAYER_LIMIT,
        }

    @property
    def summary(self) -> str:
        """``118 wheels in 97 layers (budget 111): 90 alone, 28 in 7 shared``"""
        counts = self.counts
        shared = (
            f": {counts['alone']} alone, {counts['sharing']} in {counts['shared']} shared" if counts["shared"] else ""
        )
        return (
            f"{_count(counts['wheels'], 'wheel')} in {_count(counts['layers'], 'layer')} (budget {self.budget}){shared}"
        )

    def to_json(self) -> dict[str, Any]:
        document = self.plan.to_json()
        return {
            **document,
            "layers": [note.to_json() for note in self.notes],
            "strategy": {**self.counts, "summary": self.summary, "order": ORDER},
        }


def strategy(plan: Plan, costs: Sequence[Cost]) -> Strategy:
    """``plan`` explained; ``costs`` has one for each of its layers."""
    wheels = [wheel for layer in plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels]
    others = sum(not isinstance(layer, WheelsLayer) for layer in plan.layers)
    budget = wheel_budget(len(plan.base.config.diff_ids), others)
    zone_of = zones(wheels, budget)
    return Strategy(
        plan=plan,
        budget=budget,
        notes=tuple(_note(layer, zone_of, cost) for layer, cost in zip(plan.layers, costs, strict=True)),
    )


def _note(layer: PlannedLayer, zone_of: dict[str, str], cost: Cost) -> LayerNote:
    if not isinstance(layer, WheelsLayer):
        reason = _FIXED.get(layer.kind, "")
        return LayerNote(layer=layer, zone="", height=layer.kind, reason=reason, cost=cost)
    zone = zone_of[layer.wheels[0].name]
    size = sum(wheel.size for wheel in layer.wheels)
    direct = any(wheel.direct for wheel in layer.wheels)
    height = "direct" if direct else "large" if size >= HEAVY else "small"
    return LayerNote(layer=layer, zone=zone, height=height, reason=f"{_ZONES[zone]}; {height}", cost=cost)


_ZONES = {"own": "alone", "heavy": "shared, heavy", "light": "shared, light"}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
