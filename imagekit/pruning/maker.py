"""Who made an image that has imagekit's labels: whatever is built ``FROM`` one of ours inherits them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagekit.engine.client import HistoryEntry
from imagekit.plan.config import MARK
from imagekit.plan.record import LABEL, Record

IMAGEKIT = "imagekit"
OTHERS = "others"  # another program, on an image of ours
# BuildKit, by imagekit's Dockerfile or by its instructions, or by somebody's on such an image.
UNSURE = "unsure"


def maker_of(labels: Mapping[str, str], history: Sequence[HistoryEntry]) -> str:
    """By the history, the lowest step first: the last step of what imagekit assembled is a layer of its own."""
    ours = [entry.created_by.startswith(MARK) for entry in history]
    if ours and ours[-1]:
        return IMAGEKIT
    record = Record.from_label(labels.get(LABEL))
    has_instructions = record is not None and bool(record.options.get("commands"))
    return OTHERS if any(ours) and not has_instructions else UNSURE
