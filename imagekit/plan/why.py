"""What a build would do to an image that is there, and why. Pure: the values of ``changes`` and ``cost`` decide.

A layer is *made* when the image had none of its key. In an engine, layers form a chain: those
above a changed one are unpacked again, although they are not made again. A registry has no
chain: there, only layers that it lacks are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.oci.digest import Digest, short
from imagekit.plan.changes import FileChanges, InputChange, input_changes, versions
from imagekit.plan.cost import Cost
from imagekit.plan.image_facts import ImageFacts, LayerFacts
from imagekit.plan.values import FORMAT, Plan, PlannedLayer, WheelsLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """A layer that the image does not have yet."""

    kind: str
    title: str
    packages: tuple[str, ...]
    key: Digest
    cause: str  # first, format, python, base, package, group, project, file, source, setting
    reason: str  # in words
    cost: Cost

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": self.title,
            "packages": list(self.packages),
            "key": self.key,
            "cause": self.cause,
            "reason": self.reason,
            "size": self.cost.size,
            "cached": self.cost.is_cached,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What goes somewhere: into an engine, or to a registry."""

    layers: int
    size: int  # bytes
    is_measured: bool  # no part of ``size`` is an estimate
    to: str = ""  # ``registry/repository``; empty for the engine
    # What is thought to be there: asked; pushed: what the image compared with has, which came from there or went
    # there; since: the same, as nothing is known of it; nothing.
    known: str = "asked"

    def to_json(self) -> dict[str, Any]:
        return {
            "to": self.to or None,
            "layers": self.layers,
            "bytes": self.size,
            "is_measured": self.is_measured,
            "known": self.known,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What changed since an image, and what that comes to."""

    reference: str  # of the image that would be built
    since: str | None  # the image compared with; ``None``: the first build
    since_id: str | None
    inputs: tuple[InputChange, ...]
    source: FileChanges | None  # ``None``: nothing of the source changed, or it cannot be told what
    made: tuple[LayerChange, ...]  # the lowest first
    unpacked: tuple[str, ...]  # titles of layers that are there and lie above a changed one
    uncached: tuple[str, ...]  # titles of layers that are there, but not in the cache: made again if a build makes any
    removed: tuple[str, ...]  # titles of layers that are no longer part
    layers: int  # how many of ours the image will have
    load: Transfer
    push: Transfer

    @property
    def is_up_to_date(self) -> bool:
        """Whether the image compared with is the one that a build would make."""
        return self.since is not None and not (self.inputs or self.made or self.unpacked or self.removed)

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "since": None if self.since is None else {"reference": self.since, "image_id": self.since_id},
            "up_to_date": self.is_up_to_date,
            "inputs": [change.to_json() for change in self.inputs],
            "source": None if self.source is None else self.source.to_json(),
            "layers": self.layers,
            "made": [change.to_json() for change in self.made],
            "unpacked": list(self.unpacked),
            "uncached": list(self.uncached),
            "removed": list(self.removed),
            "load": self.load.to_json(),
            "push": self.push.to_json(),
        }


def explain(
    reference: str,
    old: ImageFacts | None,
    new: Plan,
    costs: Sequence[Cost],
    *,
    load: Transfer,
    push: Transfer,
    source: FileChanges | None = None,
) -> Why:
    """``new`` compared with ``old``; ``costs`` has one for each of its layers."""
    inputs = input_changes(old, new) if old is not None else ()
    kept = kept_layers(old, new, costs)
    changes = {change.input for change in inputs} | {change.name for change in inputs if change.input == "setting"}
    made = tuple(
        _change(layer, cost, old, changes)
        for layer, cost, known in zip(new.layers, costs, kept, strict=True)
        if known is None
    )
    return Why(
        reference=reference,
        since=old.reference if old is not None else None,
        since_id=old.image_id if old is not None else None,
        inputs=inputs,
        source=source,
        made=made,
        unpacked=_unpacked(old, new, kept) if old is not None else (),
        uncached=tuple(
            layer.title
            for layer, cost, known in zip(new.layers, costs, kept, strict=True)
            if known is not None and not cost.is_cached
        ),
        removed=_removed(old, new) if old is not None else (),
        layers=len(new.layers),
        load=load,
        push=push,
    )


def kept_layers(old: ImageFacts | None, new: Plan, costs: Sequence[Cost]) -> tuple[LayerFacts | None, ...]:
    """For each layer of ``new`` the one of ``old`` that it is: by its key, or by its digest where that is known."""
    keys: dict[str, LayerFacts] = {}
    digests: dict[Digest | None, LayerFacts] = {}
    for layer in old.layers if old is not None else ():
        digests[layer.diff_id] = layer
        if layer.key:
            keys[layer.key] = layer
    return tuple(
        keys.get(short(layer.key)) or digests.get(cost.diff_id) for layer, cost in zip(new.layers, costs, strict=True)
    )


def transfer(
    costs: Iterable[Cost], *, compressed: bool, to: str = "", known: str = "asked", base: tuple[int, int] = (0, 0)
) -> Transfer:
    """Layers of ``costs`` sent; ``base`` is how many layers of the base go along, and an estimate of their bytes."""
    costs = tuple(costs)
    return Transfer(
        layers=len(costs) + base[0],
        size=sum(cost.blob_size if compressed else cost.size for cost in costs) + base[1],
        is_measured=base[0] == 0 and all(cost.blob is not None if compressed else cost.is_cached for cost in costs),
        to=to,
        known=known,
    )


def _unpacked(old: ImageFacts, new: Plan, kept: Sequence[LayerFacts | None]) -> tuple[str, ...]:
    """Layers that ``old`` has, but not on the same layers."""
    intact = old.diff_ids[: len(old.diff_ids) - len(old.layers)] == new.base.config.diff_ids
    found = []
    for n, (layer, known) in enumerate(zip(new.layers, kept, strict=True)):
        intact = intact and known is not None and n < len(old.layers) and old.layers[n] is known
        if known is not None and not intact:
            found.append(layer.title)
    return tuple(found)


def _removed(old: ImageFacts, new: Plan) -> tuple[str, ...]:
    """Titles of layers whose packages, or whose purpose, the new image has nowhere."""
    names = {name for layer in new.layers for name in versions(layer.packages)}
    kinds = {layer.kind for layer in new.layers}
    return tuple(
        layer.title
        for layer in old.layers
        if layer.kind not in kinds or (layer.packages and not names & set(versions(layer.packages)))
    )


def _change(layer: PlannedLayer, cost: Cost, old: ImageFacts | None, changes: set[str]) -> LayerChange:
    cause, reason = _cause(layer, old, changes)
    return LayerChange(
        kind=layer.kind,
        title=layer.title,
        packages=layer.packages,
        key=layer.key,
        cause=cause,
        reason=reason,
        cost=cost,
    )


def _cause(layer: PlannedLayer, old: ImageFacts | None, changes: set[str]) -> tuple[str, str]:
    if old is None:
        return "first", "the first build"
    record = old.record
    if record is not None and record.layer_format != FORMAT:
        return "format", "imagekit writes layers differently now"
    if isinstance(layer, WheelsLayer):
        return _wheels_cause(layer, old, changes)
    if layer.kind not in {known.kind for known in old.layers}:
        return layer.kind, "there was none"
    if layer.kind == "project":
        return "project", "the project's name, version, scripts or metadata changed"
    if layer.kind == "files" and "file" in changes:
        return "file", "files changed"
    if layer.kind == "source" and "source" in changes:
        return "source", "the source changed"
    if "python" in changes and layer.kind == "environment":
        return "python", "another Python"
    if changes & {"user", "workdir"}:
        return "setting", "the user or the working directory changed"
    return "base", "the base's directories, accounts, links or Python are others"


def _wheels_cause(layer: WheelsLayer, old: ImageFacts, changes: set[str]) -> tuple[str, str]:
    before = versions(pin for known in old.layers if known.kind == "wheels" for pin in known.packages)
    moved = {
        wheel.name: (before.get(wheel.name), wheel.version)
        for wheel in layer.wheels
        if before.get(wheel.name) != wheel.version
    }
    if "python" in changes:
        return "python", "bytecode of another Python"
    words = [f"{name} is new" if was is None else f"{name} {was} → {now}" for name, (was, now) in sorted(moved.items())]
    if len(layer.wheels) == 1 and words:
        return "package", words[0]
    names = {wheel.name for wheel in layer.wheels}
    mates = _mates(names, old)
    words += [f"{name} comes from another layer" for name in sorted(names - set(moved) - mates)]
    words += [f"{name} is gone" for name in sorted(mates - names)]
    if words:
        return "group" if not moved else "package", ", ".join(words)
    if any(wheel.from_source for wheel in layer.wheels):
        return "package", "built from source first"
    if "option" in changes:
        return "option", "another installation prefix, or another file of the same version"
    return "package", "another file of the same version"


def _mates(names: set[str], old: ImageFacts) -> set[str]:
    """The names in the old layer that shares the most with ``names``."""
    groups: Mapping[int, set[str]] = {
        n: set(versions(layer.packages)) for n, layer in enumerate(old.layers) if layer.kind == "wheels"
    }
    best = max(groups.values(), key=lambda group: (len(group & names), -len(group)), default=set())
    return best if best & names else set()
