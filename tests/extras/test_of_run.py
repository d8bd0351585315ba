"""The extra packages of a run: whose variable counts, and what is said of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from imagekit.errors import InputError
from imagekit.extras.of_run import wanted_by, with_extras
from imagekit.extras.values import Derived
from imagekit.pipeline import Pipeline

from ..lock.indexed import Telling
from .conftest import Machine

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras")


def added(machine: Machine, image: str, env: Mapping[str, str | None], told: Telling) -> Derived | None:
    settings = machine.settings()
    with Pipeline(settings, told) as pipeline:
        found = machine.engine.image(image)
        assert found is not None
        wanted = wanted_by(env, settings)
        # Nothing can be put into a container: the image is made at once.
        start = with_extras(
            machine.engine, lambda: pipeline, settings, image, found, env, wanted, lambda base, places: False
        )
        return None if start is None else start.derived


def test_whose_variable_counts(machine: Machine, make_image: Callable[..., str]) -> None:
    machine.add("plug", "1.0")
    machine.add("more", "1.0")
    image, told = make_image("ENV EXTRA_PIP_PACKAGES=plug\n"), Telling()
    packages = {
        text: found and found.packages
        for text in (None, "", "more")
        for found in [added(machine, image, {"EXTRA_PIP_PACKAGES": text}, told)]
    }
    assert packages == {None: None, "": None, "more": ("more==1.0",)}
    found = added(machine, image, {"OTHER": "x"}, told)
    assert found is not None
    assert found.packages == ("plug==1.0",)
    assert "set it where" not in " ".join(told.lines)


def test_an_index_for_the_container_is_none_for_us(machine: Machine, framed: str) -> None:
    told = Telling()
    env = {"EXTRA_PIP_PACKAGES": "frame", "PIP_INDEX_URL": "https://user:canary-31415@example.com/simple"}
    assert added(machine, framed, env, told) is not None
    assert [line for line in told.lines if line.startswith("PIP_INDEX_URL of the run's environment is not asked")]
    assert "canary" not in " ".join(told.lines)


def test_an_images_own_words_are_held_to_the_same(machine: Machine, make_image: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="is an option"):
        added(machine, make_image("ENV EXTRA_PIP_PACKAGES=--pre\n"), {}, Telling())
