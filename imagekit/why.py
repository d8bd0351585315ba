"""What a build would change, and why: the plan, an image that is there, the cache and the engine, brought together.

Nothing is built, tagged or written. Where there is no lock, requirements are resolved as a build would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imagekit.built_image import in_engine, previous
from imagekit.costs import costs_of
from imagekit.engine.client import Engine
from imagekit.errors import EngineError, InputError
from imagekit.export.presence import held
from imagekit.layers.cache import LayerCache
from imagekit.layers.source_files import changed_files
from imagekit.oci.digest import short
from imagekit.oci.reference import Reference
from imagekit.plan.changes import FileChanges
from imagekit.plan.cost import Cost
from imagekit.plan.image_facts import ImageFacts
from imagekit.plan.values import Plan
from imagekit.plan.why import Transfer, Why, explain, kept_layers, transfer
from imagekit.spec.base import BaseImage, real_directory
from imagekit.spec.source_tree import SourceTree

# Bytes of a compressed layer for each of an uncompressed one, roughly: for the base, which is not compressed here.
_COMPRESSED = 0.4


def compare(
    engine: Engine,
    reference: Reference,
    plan: Plan,
    tree: SourceTree | None,
    cache_dir: Path,
    *,
    since: Reference | None = None,
) -> Why:
    """``plan`` compared with the image ``since``; without one, with what ``reference`` or its name alone names.

    Raises ``EngineError`` where ``since`` is not there, ``InputError`` where imagekit did not build it.
    """
    cache = LayerCache(cache_dir / "layers")
    old = previous(engine, reference) if since is None else _since(engine, since)
    costs = costs_of(plan, cache, tree)
    kept = kept_layers(old, plan, costs)
    digests = [
        cost.diff_id or (layer.diff_id if layer is not None else None) for cost, layer in zip(costs, kept, strict=True)
    ]
    names = [str(reference), *([old.image_id] if old is not None else [])]
    there = held(engine, plan.base.config.diff_ids, digests, names)
    return explain(
        str(reference),
        old,
        plan,
        costs,
        load=transfer([cost for cost, is_held in zip(costs, there, strict=True) if not is_held], compressed=False),
        push=_push(
            reference, plan.base, old, [c for c, layer in zip(costs, kept, strict=True) if layer is None], costs
        ),
        source=_source(old, plan, tree, cache),
    )


def _since(engine: Engine, since: Reference) -> ImageFacts:
    found = in_engine(engine, str(since)) or _in_registry(since)
    if found is None:
        raise EngineError(f"{since} is not in the engine", hint=f"docker pull {since}, or name another image")
    if not found.layers:
        raise InputError(f"{since} was not built by imagekit", hint="name an image that imagekit build made")
    return found


def _in_registry(since: Reference) -> ImageFacts | None:
    """The image as a registry has it: not read from there yet."""
    return None


def _push(
    reference: Reference, base: BaseImage, old: ImageFacts | None, lacking: Sequence[Cost], every: Sequence[Cost]
) -> Transfer:
    """What a push of the new image sends: ``lacking`` where the registry has the old one, else ``every`` layer."""
    to = replace(reference, tag=None, digest=None).name
    below = base.config.diff_ids
    whole = (len(below), int(sum(layer.size for layer in base.layers) * _COMPRESSED))
    if old is None:
        return transfer(every, compressed=True, to=to, known="nothing", base=whole)
    known = "pushed" if to in old.repositories else "since"
    has_base = old.diff_ids[: len(below)] == below
    return transfer(lacking, compressed=True, to=to, known=known, base=(0, 0) if has_base else whole)


def _source(old: ImageFacts | None, plan: Plan, tree: SourceTree | None, cache: LayerCache) -> FileChanges | None:
    """Which files of the source changed: told where the cache still has the layer that the image had of it."""
    layer = next((each for each in old.layers if each.kind == "source"), None) if old is not None else None
    now = next((each for each in plan.layers if each.kind == "source"), None)
    if layer is None or now is None or tree is None or not layer.key or layer.key == short(now.key):
        return None
    entry = cache.look_up(layer.key)
    if entry is None or entry.diff_id != layer.diff_id:
        return None
    return changed_files(entry.path, real_directory(plan.workdir, plan.base).strip("/"), tree)
