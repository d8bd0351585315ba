"""Loading ahead: of whom, and how it ends."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.export import load_ahead
from imagekit.export.load_ahead import LoadAhead
from imagekit.progress import SilentReporter
from imagekit.stages.probe import read_base

from .images import config_of, make_layers

REFERENCE = "imagekit-test/ahead:1"


@pytest.fixture
def ahead(engine: Engine, python_image: str, tmp_path: Path) -> LoadAhead:
    image = engine.image(python_image)
    assert image is not None
    base = read_base(engine, python_image, image.id, tmp_path / "cache", SilentReporter())
    # As another engine that speaks Docker's API says of itself.
    foreign = Engine(engine.address)
    foreign.info = replace(engine.info, is_docker=False)
    return LoadAhead(foreign, base, config_of, REFERENCE, SilentReporter())


def test_another_engine_than_dockers_is_sent_nothing_ahead(
    ahead: LoadAhead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_ahead, "BATCH", 1)
    layers = make_layers(tmp_path / "layers")
    with ahead:
        assert ahead.take(iter(layers), lambda: True) == layers
    assert (ahead.names, ahead.sent) == ([], 0)


def test_a_build_that_has_ended_sends_no_further_piece(ahead: LoadAhead) -> None:
    sent = ahead._held_back(itertools.repeat(b"piece"), None)
    assert [next(sent) for _ in range(3)] == [b"piece"] * 3
    with pytest.raises(ValueError, match="ended"), ahead:
        raise ValueError("ended")
    with pytest.raises(OSError, match="has ended"):
        next(sent)
