"""What planning and building a matrix come to; each value is what ``--json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.matrix.bases import Drift
from imagekit.matrix.values import Cell

# States of a cell that cannot be had: there are no versions that fit, or whoever knows of them could not be asked.
UNSATISFIABLE, UNAVAILABLE = "unsatisfiable", "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan:
    """A cell after it was resolved; ``reason`` is why it cannot be had."""

    cell: Cell
    tags: tuple[str, ...]
    packages: tuple[str, ...]  # name==version
    reason: str | None = None
    is_unsatisfiable: bool = False

    @property
    def state(self) -> str:
        if self.reason is None:
            return "ready"
        return UNSATISFIABLE if self.is_unsatisfiable else UNAVAILABLE

    def to_json(self) -> dict[str, Any]:
        return {
            **self.cell.to_json(),
            "state": self.state,
            "reason": self.reason,
            "tags": list(self.tags),
            "packages": list(self.packages),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPlan:
    """Every selected cell, and those that the file excludes."""

    name: str
    cells: tuple[CellPlan, ...]
    excluded: tuple[tuple[Cell, str], ...]
    platforms: tuple[str, ...] = ()
    drifted: tuple[Drift, ...] = ()  # pinned bases whose tags have moved

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "platforms": list(self.platforms),
            "drifted": [drift.to_json() for drift in self.drifted],
            "cells": [cell.to_json() for cell in self.cells],
            "excluded": [{**cell.to_json(), "reason": reason} for cell, reason in self.excluded],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What became of a cell."""

    plan: CellPlan
    result: Mapping[str, Any] | None = None  # a BuildResult as JSON
    error: tuple[str, str | None, str | None] | None = None  # message, hint, details
    pushed: Mapping[str, str] = field(default_factory=dict)  # digest of the manifest by reference

    @property
    def state(self) -> str:
        """``built``, ``unchanged``, ``written`` (elsewhere than in an engine), ``failed``, or why it was not tried:
        ``unsatisfiable``, ``unavailable``, ``unnamed``."""
        if self.error is not None:
            return "failed"
        if self.result is None:
            return self.plan.state if self.plan.reason is not None else "unnamed"
        if "written" in self.result:
            return "written"
        return "unchanged" if self.result["up_to_date"] else "built"

    @property
    def layers(self) -> tuple[Mapping[str, Any], ...]:
        """Its layers above the base, of all platforms: ``digest``, ``size`` (bytes), ``cached``."""
        if self.result is None:
            return ()
        return tuple(layer for image in self.result.get("images", [self.result]) for layer in image["layers"])

    def to_json(self) -> dict[str, Any]:
        message, hint, details = self.error or (None, None, None)
        return {
            **self.plan.to_json(),
            "state": self.state,
            "result": dict(self.result) if self.result is not None else None,
            "error": {"message": message, "hint": hint, "details": details} if self.error else None,
            "pushed": dict(self.pushed),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixResult:
    """What became of every selected cell."""

    plan: MatrixPlan
    cells: tuple[CellResult, ...]
    seconds: float = 0.0

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes of all layers above the bases, each counted once, and once for every image that has it."""
        layers = [layer for cell in self.cells for layer in cell.layers]
        return sum({layer["digest"]: layer["size"] for layer in layers}.values()), sum(x["size"] for x in layers)

    @property
    def failed(self) -> tuple[CellResult, ...]:
        """Those that could be had and were not built."""
        return tuple(cell for cell in self.cells if cell.state in ("failed", UNAVAILABLE))

    def to_json(self) -> dict[str, Any]:
        once, in_all = self.sizes
        return {
            **self.plan.to_json(),
            "cells": [cell.to_json() for cell in self.cells],
            "layer_bytes": once,
            "image_bytes": in_all,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeResult:
    """A bake file, and the cells that it has as targets."""

    plan: MatrixPlan
    file: str
    targets: tuple[tuple[str, str], ...]  # cell's label, name of the target
    failed: tuple[tuple[str, tuple[str, str | None, str | None]], ...] = ()  # label; message, hint, details

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "targets": [{"label": label, "target": target} for label, target in self.targets],
            "failed": [
                {"label": label, "message": message, "hint": hint, "details": details}
                for label, (message, hint, details) in self.failed
            ],
            "plan": self.plan.to_json(),
        }
