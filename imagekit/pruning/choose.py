"""Which images and containers nobody needs. Pure.

An image of ours goes when no container has it, no deployment and no recent run needs it, it got no name of late,
no other image that stays is built on it, and no process is about to make something of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from imagekit.building.bases import LAID_OUT
from imagekit.building.engine_bases import DERIVED
from imagekit.export.engine_load import LOADING
from imagekit.export.presence import LABEL
from imagekit.pruning.values import Chosen, Found, FoundImage
from imagekit.recipes.making import FOR_BUILDS, REPOSITORY
from imagekit.store.values import StoredRun

# The image that extra packages were put on (extras); it is wanted as long as what came of it.
ORIGIN = "imagekit.extras.image"
# Bases that a build makes again where they are gone: out of layouts, with conda's packages or recipes on them.
_BASES = (LAID_OUT, DERIVED, REPOSITORY, FOR_BUILDS)


def choose(
    found: Found,
    runs: Sequence[StoredRun],
    *,
    since: float,
    keep_last: int,
    needed: Collection[str] = (),
    builds_run: bool = False,
    elsewhere: bool = False,
) -> Chosen:
    """What may go. ``runs`` are all that are recorded, the last first.

    ``since``: what was built or run at this time (seconds since 1970) or later stays, and so do the images of the
    last ``keep_last`` runs, and those of ``needed`` (IDs: what deployments pin). ``builds_run``: a process is
    building, so bases stay. ``elsewhere``: also images that another machine, or another user's imagekit, made.
    """
    recent = [run for n, run in enumerate(runs) if run.end is None or n < keep_last or _moment(run) >= since]
    recent_ids = {run.id for run in recent}
    containers = tuple(
        each
        for each in found.containers
        if each.is_ours and not each.is_running and each.run_id is not None and each.run_id not in recent_ids
    )
    going = {each.id for each in containers}
    in_containers = {each.image_id for each in found.containers if each.id not in going}
    in_runs = {run.record.image_id for run in recent} | {run.end.image_id for run in recent if run.end is not None}
    names_in_runs = {run.record.reference for run in recent if run.record.image_id is None}

    kept: dict[str, str] = {}
    candidates: list[FoundImage] = []
    others = 0
    for image in found.images:
        if not _is_ours(image):
            continue
        why = ""
        if image.id in in_containers:
            why = "a container has it"
        elif image.id in needed:
            why = "a deployment needs it"
        elif image.id in in_runs or names_in_runs & {*image.tags}:
            why = "a recent run had it"
        elif any(_repository(tag) == LOADING for tag in image.tags):
            why = "it is being built"
        elif builds_run and _is_base(image):
            why = "a build may be using it"
        elif image.tagged >= since:
            why = "it was built or named of late"
        if why:
            kept[image.id] = why
        elif not (image.is_known or elsewhere or _is_base(image)):
            others += 1
            kept[image.id] = "it was made elsewhere"
        else:
            candidates.append(image)
    candidates = _without_those_below(candidates, found, kept)
    return Chosen(images=tuple(candidates), containers=containers, kept=kept, elsewhere=others)


def _without_those_below(candidates: Sequence[FoundImage], found: Found, kept: dict[str, str]) -> list[FoundImage]:
    """Without what an image that stays is built on: that costs nothing, and is wanted when it is built again."""
    chosen = {image.id: image for image in candidates}
    while True:
        staying = [image for image in found.images if image.id not in chosen]
        origins = {image.labels.get(ORIGIN) for image in staying}
        tops = {image.diff_ids for image in staying}
        # Instructions that make no layer leave those of the image that they are on.
        of_children = {image.diff_ids for image in staying if image.is_child}
        below = {
            image.id
            for image in chosen.values()
            if image.id in origins
            or image.diff_ids in of_children
            or any(len(top) > len(image.diff_ids) and top[: len(image.diff_ids)] == image.diff_ids for top in tops)
        }
        if not below:
            return list(chosen.values())
        for image_id in below:
            kept[image_id] = "an image that stays is built on it"
            del chosen[image_id]


def _is_ours(image: FoundImage) -> bool:
    return (LABEL in image.labels and not image.is_child) or _is_base(image)


def _is_base(image: FoundImage) -> bool:
    return any(_repository(tag) in _BASES for tag in image.tags)


def _repository(tag: str) -> str:
    return tag.rpartition(":")[0].removeprefix("docker.io/")


def _moment(run: StoredRun) -> float:
    return datetime.fromisoformat(run.end.ended if run.end is not None else run.record.created).timestamp()
