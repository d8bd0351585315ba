"""Looking at an engine, and taking away what was chosen."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from imagekit.building.commands import made_by_commands
from imagekit.building.made_images import made_image
from imagekit.engine.client import Engine, EngineImage
from imagekit.engine.containers import LABEL_OWNER, Container, is_abandoned
from imagekit.engine.listing import ListedContainer, list_containers, list_images
from imagekit.explaining.built_image import steps
from imagekit.export.presence import LABEL
from imagekit.moments import parse_rfc3339
from imagekit.progress import Reporter
from imagekit.pruning.choose import choose
from imagekit.pruning.maker import IMAGEKIT, OTHERS, maker_of
from imagekit.pruning.values import Found, FoundContainer, FoundImage, PrunedEngine
from imagekit.pruning.weigh import unique_sizes
from imagekit.runs.runner import LABEL_RUN
from imagekit.sharing.flock import LocksUnavailable
from imagekit.sharing.leases import Busy, closed_gate
from imagekit.store.store import Store
from imagekit.store.values import StoredRun


def prune_engine(
    engine: Engine,
    store: Store,
    cache: Path,
    reporter: Reporter,
    *,
    since: float,
    keep_last: int,
    needed: Collection[str] = (),
    elsewhere: bool = False,
    dry_run: bool = False,
) -> PrunedEngine:
    """Take away images and containers of ours that nobody needs (``choose.choose`` has the rules).

    Nothing is forced: what something began to use meanwhile stays, and is in ``in_use``.
    """
    runs = store.runs()
    builds_run = is_building(cache)
    with reporter.task("looking at the engine's images"):
        found = _found(engine, runs, cache)
        chosen = choose(
            found,
            runs,
            since=since,
            keep_last=keep_last,
            needed=needed,
            builds_run=builds_run,
            elsewhere=elsewhere,
        )
        sizes = {image.id: _sizes(engine, image) for image in chosen.images}
    containers, gone, in_use = list(chosen.containers), list(chosen.images), []
    if not dry_run:
        containers = [each for each in containers if _remove_container(engine, each)]
        for image in chosen.images:
            if not _remove_image(engine, image):
                gone.remove(image)
                in_use.append(image.id)
    staying = [image for image in found.images if image not in gone]
    return PrunedEngine(
        containers=tuple(containers),
        images=tuple(gone),
        sizes=unique_sizes(gone, staying, sizes, containerd_store=engine.info.containerd_store),
        in_use=tuple(in_use),
        kept=chosen.kept,
        elsewhere=chosen.elsewhere,
    )


def is_building(cache: Path) -> bool:
    """Whether a process may be building with ``cache``; while it is looked at, none begins."""
    try:
        if not cache.is_dir():
            return False
        with closed_gate(cache) as gate:
            return gate.used_since is not None
    except (Busy, LocksUnavailable):
        return True


def _found(engine: Engine, runs: list[StoredRun], cache: Path) -> Found:
    # Containers first: one that is made of an image meanwhile is seen when that is to be removed.
    containers = tuple(_container(each) for each in list_containers(engine))
    ran = {run.record.image_id for run in runs} | {run.end.image_id for run in runs if run.end is not None}
    images, commanded = [], made_by_commands(cache / "commands")
    for listed in list_images(engine):
        image = engine.image(listed.id)
        if image is not None:
            noted = listed.id in commanded or made_image(cache, listed.id) is not None
            maker = (
                IMAGEKIT if noted or LABEL not in image.labels else maker_of(image.labels, engine.history(listed.id))
            )
            known = noted or (listed.id in ran and maker == IMAGEKIT)
            images.append(_image(image, listed.id, listed.tags, known, is_child=maker == OTHERS))
    # The one named longest ago goes first; engines tell them in any order.
    images.sort(key=lambda image: (image.tagged, image.id))
    return Found(images=tuple(images), containers=containers)


def _container(listed: ListedContainer) -> FoundContainer:
    run_id = listed.labels.get(LABEL_RUN)
    parts = listed.labels.get(LABEL_OWNER, "").split(":")
    return FoundContainer(
        id=listed.id,
        name=listed.name,
        image_id=listed.image_id,
        is_running=listed.is_running,
        run_id=run_id,
        is_ours=run_id is not None and len(parts) == 3 and is_abandoned(*parts),
    )


def _image(image: EngineImage, image_id: str, tags: tuple[str, ...], known: bool, *, is_child: bool) -> FoundImage:
    return FoundImage(
        id=image_id,
        tags=tags,
        labels=image.labels,
        diff_ids=image.diff_ids,
        tagged=_seconds(image.tagged),
        is_known=known,
        is_child=is_child,
    )


def _seconds(text: str) -> float:
    """Of the epoch; 0 for the year 1 that engines write where they know none."""
    try:
        return max(parse_rfc3339(text).timestamp(), 0.0)
    except (ValueError, OverflowError):
        return 0.0


def _sizes(engine: Engine, image: FoundImage) -> list[int]:
    """Bytes of each layer; 0 where the history of an image does not tell of it."""
    return [step.size for step in steps(engine.history(image.id), len(image.diff_ids))]


def _remove_container(engine: Engine, container: FoundContainer) -> bool:
    handle = Container(engine, container.id)
    found = handle.inspect()
    if found is not None and (found.get("State") or {}).get("Running"):
        return False
    handle.remove()
    return True


def _remove_image(engine: Engine, image: FoundImage) -> bool:
    """Whether it is gone: its names are as they were when it was chosen, and the engine lets go of it."""
    now = engine.image(image.id)
    if now is None:
        return True
    if {*now.tags} != {*image.tags} or _seconds(now.tagged) != image.tagged:
        return False
    # Without force, an engine refuses the last name of what a container, running or not, was made of.
    for number, tag in enumerate(image.tags):
        if not engine.remove_image(tag):
            for taken in image.tags[:number]:
                engine.tag(image.id, taken)
            return False
    return engine.image(image.id) is None or engine.remove_image(image.id)
