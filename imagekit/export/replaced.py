"""Images of ours that lost their name to a newer one: what was dear to unpack stays for an hour.

Whoever goes back to the other branch finds it there, and an engine spends no time on removing thousands of files
between two builds (ext4 then looks for free inodes past all that were just freed, which made the next build three
times as slow). Such an image has a name that tells when it lost its own, so any later build on the engine takes
it away. What differs in its uppermost layers alone, as after an edit of the code, goes at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from imagekit.engine.client import Engine, EngineImage
from imagekit.export.presence import LABEL
from imagekit.oci.digest import Digest

REPLACED = "imagekit/replaced"
_KEPT_SECONDS = 3600.0
# As many layers as an edit of the project's own files changes.
_CHEAP_LAYERS = 3


def let_go(engine: Engine, image_id: str, diff_ids: Sequence[Digest]) -> None:
    """``image_id`` lost a name to an image of ``diff_ids``: unless it has another, or is not ours, see to its end."""
    image = engine.image(image_id)
    if image is None or LABEL not in image.labels:
        return
    if given_names(image):
        return
    going = [*image.tags] or [image_id]
    if len(image.diff_ids) - _common(image.diff_ids, diff_ids) > _CHEAP_LAYERS:
        name = f"{REPLACED}:{int(time.time())}-{image_id.rpartition(':')[2][:12]}"
        engine.tag(image_id, name)
        going = [tag for tag in image.tags if tag != name]
    # Without force: an engine refuses while a container or another image uses it.
    for each in going:
        engine.remove_image(each)
    _sweep(engine)


def drop_replaced(engine: Engine) -> int:
    """Remove all that :func:`let_go` kept: room is wanted. How many names went."""
    return sum(engine.remove_image(name) for name in engine.tags(REPLACED))


def given_names(image: EngineImage) -> tuple[str, ...]:
    """The names of ``image`` but those that :func:`let_go` gave."""
    return tuple(tag for tag in image.tags if not tag.startswith(f"{REPLACED}:"))


def _common(one: Sequence[Digest], other: Sequence[Digest]) -> int:
    """How many layers lie on the same ones in both: an engine has unpacked those once."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _sweep(engine: Engine) -> None:
    for name in engine.tags(REPLACED):
        lost = name.rpartition(":")[2].partition("-")[0]
        if lost.isdigit() and int(lost) <= time.time() - _KEPT_SECONDS:
            engine.remove_image(name)
