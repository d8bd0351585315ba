"""Images that an engine has, read as facts to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imagekit.engine.client import Engine, EngineImage, HistoryEntry
from imagekit.oci.reference import Reference
from imagekit.plan.image_facts import ImageFacts, image_facts

# Every image of ours has it.
LABEL = "imagekit.version"


def in_engine(engine: Engine, reference: str) -> ImageFacts | None:
    """The image that ``reference`` (or an ID) names in ``engine``, ours or not; ``None`` where there is none."""
    image = engine.image(reference)
    return _facts(engine, image, reference) if image is not None else None


def previous(engine: Engine, reference: Reference) -> ImageFacts | None:
    """What ``reference`` names in ``engine``; else the image of ours with that name that was tagged last."""
    named = in_engine(engine, str(reference))
    if named is not None and named.layers:
        return named
    known = [(tag, engine.image(tag)) for tag in engine.tags(replace(reference, tag=None).familiar)]
    ours = [
        (image.tagged.rstrip("Z"), tag, image) for tag, image in known if image is not None and LABEL in image.labels
    ]
    for _, tag, image in sorted(ours, key=lambda each: each[:2], reverse=True):
        facts = _facts(engine, image, tag)
        if facts.layers:
            return facts
    return None


def steps(entries: Sequence[HistoryEntry], count: int) -> list[HistoryEntry]:
    """Those of an image's history that made its ``count`` layers, the lowest first.

    A history may be left out (image-spec config.md): it is filled up at its end.
    """
    found = [entry for entry in entries if not entry.is_empty]
    # Engines do not say which steps are empty; those of no size that are none too many are.
    surplus = len(found) - count
    kept = []
    for entry in found:
        if surplus > 0 and entry.size == 0:
            surplus -= 1
        else:
            kept.append(entry)
    return [*kept, *(HistoryEntry("", 0, False) for _ in range(count - len(kept)))][:count]


def _facts(engine: Engine, image: EngineImage, reference: str) -> ImageFacts:
    made = steps(engine.history(image.id), len(image.diff_ids))
    return image_facts(
        reference,
        image.id,
        image.diff_ids,
        [entry.created_by for entry in made],
        image.settings,
        # The containerd store has a digest for every name, pushed or not.
        frozenset()
        if engine.info.containerd_store
        else frozenset(digest.partition("@")[0] for digest in image.repo_digests),
    )
