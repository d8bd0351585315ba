"""What a build would change, and why: the plan, an image that is there, the cache and the engine, brought together.

Nothing is built, tagged or written. Where there is no lock, requirements are resolved as a build would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.errors import EngineError, InputError
from imagekit.explaining.built_image import in_engine, previous
from imagekit.explaining.costs import costs_of
from imagekit.explaining.published import diff_ids_held, in_registry
from imagekit.export.presence import Relatives, held
from imagekit.layers.blobs import BlobCache
from imagekit.layers.cache import LayerCache
from imagekit.layers.source_files import changed_files
from imagekit.oci.digest import short
from imagekit.oci.manifest import Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.plan.changes import FileChanges
from imagekit.plan.cost import Cost
from imagekit.plan.image_facts import ImageFacts
from imagekit.plan.values import Plan
from imagekit.plan.why import Transfer, Why, explain, kept_layers, transfer
from imagekit.registry.access import Access
from imagekit.spec.base import BaseImage, real_directory
from imagekit.spec.source_tree import SourceTree

# Bytes of a compressed layer for each of an uncompressed one, roughly: for a base that an engine gave uncompressed.
_COMPRESSED = 0.4


def compare(
    engine: Engine,
    reference: Reference,
    plan: Plan,
    tree: SourceTree | None,
    cache_dir: Path,
    access: Access,
    *,
    since: Reference | None = None,
) -> Why:
    """``plan`` compared with the image ``since``; without one, with what ``reference`` or its name alone names.

    A registry is asked by ``access`` where its name is written in a reference. Raises ``EngineError`` where
    ``since`` is nowhere, ``RegistryError`` where its registry cannot be asked, ``InputError`` where imagekit
    did not assemble it.
    """
    cache = LayerCache(cache_dir / "layers")
    platform = plan.base.config.platform
    old = previous(engine, reference) if since is None else _since(engine, since, platform, access)
    costs = costs_of(plan, tree, cache, BlobCache(cache_dir / "blobs"))
    kept = kept_layers(old, plan, costs)
    costs = tuple(
        replace(cost, diff_id=layer.diff_id) if layer is not None and cost.diff_id is None else cost
        for cost, layer in zip(costs, kept, strict=True)
    )
    names = [str(reference), *([old.image_id] if old is not None else [])]
    there = held(engine, plan.base.config.diff_ids, [cost.diff_id for cost in costs], Relatives(engine, names))
    return explain(
        str(reference),
        old,
        plan,
        costs,
        load=transfer([cost for cost, is_held in zip(costs, there, strict=True) if not is_held], compressed=False),
        push=_push(reference, plan.base, old, costs, access),
        source=_source(old, plan, tree, cache),
    )


def _since(engine: Engine, since: Reference, platform: Platform, access: Access) -> ImageFacts:
    found = in_engine(engine, str(since))
    if found is None and since.registry is not None:
        found = in_registry(since, platform, access)
    if found is None:
        where = f"neither in the engine nor in {since.registry}" if since.registry else "not in the engine"
        raise EngineError(f"{since} is {where}", hint="name another image: docker images")
    if not found.layers:
        raise InputError(f"{since} was not assembled by imagekit", hint="name an image that imagekit build made")
    return found


def _push(
    reference: Reference, base: BaseImage, old: ImageFacts | None, costs: Sequence[Cost], access: Access
) -> Transfer:
    """What a push of the new image sends: what its repository lacks, or what is thought so."""
    to = replace(reference, tag=None, digest=None)
    known, there = "nothing", frozenset(old.diff_ids if old is not None else ())
    if old is not None:
        known = "pushed" if to.name in old.repositories else "since"
    if reference.registry is not None:
        asked = diff_ids_held(
            _tags(reference, old),
            [(cost.diff_id, cost.blob) for cost in costs if cost.diff_id is not None and cost.blob is not None],
            base.config.platform,
            access,
        )
        known, there = (known, there) if asked is None else ("asked", asked)
    below = [
        _compressed(layer)
        for diff_id, layer in zip(base.config.diff_ids, base.layers, strict=False)
        if diff_id not in there
    ]
    lacking = [cost for cost in costs if cost.diff_id is None or cost.diff_id not in there]
    return transfer(lacking, compressed=True, to=to.name, known=known, base=(len(below), sum(below)))


def _tags(reference: Reference, old: ImageFacts | None) -> list[Reference]:
    """What of the repository is looked at: the tag itself, and the image compared with where it is there, too."""
    found = [reference]
    if old is not None and not old.reference.startswith("sha256:"):
        before = Reference.parse(old.reference)
        if before.name == reference.name and before != reference:
            found.append(before)
    return found


def _compressed(layer: Descriptor) -> int:
    return int(layer.size * (_COMPRESSED if layer.media_type.endswith("tar") else 1))


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
