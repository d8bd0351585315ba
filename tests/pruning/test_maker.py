"""Whose an image is that has imagekit's labels."""

from __future__ import annotations

import json

import pytest

from imagekit.engine.client import HistoryEntry
from imagekit.pruning.maker import IMAGEKIT, OTHERS, UNSURE, maker_of

BASE, OURS, OTHER = "/bin/sh -c #(nop) ADD file", "imagekit wheels: rich==14.0", "RUN apt-get update # buildkit"
EMPTY = "LABEL team=data"


def label(**options: object) -> dict[str, str]:
    base = {"digest": "d", "layers": 1, "python": "3.11.2", "prefix": "/opt/venv"}
    return {"imagekit.inputs": json.dumps({"v": 1, "format": 3, "base": base, "options": options})}


@pytest.mark.parametrize(
    ("history", "labels", "maker"),
    [
        ([BASE, OURS], label(), IMAGEKIT),
        ([BASE, OURS, OURS], {}, IMAGEKIT),
        ([BASE, OURS, OTHER], label(), OTHERS),
        ([BASE, OURS, EMPTY], label(), OTHERS),
        # Instructions of the project's own lie above, too.
        ([BASE, OURS, OTHER], label(commands=["RUN apt-get update"]), UNSURE),
        ([BASE, OTHER], label(), UNSURE),  # of the equivalent Dockerfile
        ([], label(), UNSURE),
        ([BASE, OURS, OTHER], {"imagekit.inputs": "{"}, OTHERS),
    ],
)
def test_by_its_history(history: list[str], labels: dict[str, str], maker: str) -> None:
    assert maker_of(labels, [HistoryEntry(words, 0, False) for words in history]) == maker
