"""Containers as the engine's API has them."""

from __future__ import annotations

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec


@pytest.mark.parametrize("keeps_output", [False, True])
def test_what_a_container_writes_is_kept_where_that_is_asked_for(
    engine: Engine, python_image: str, keeps_output: bool
) -> None:
    command = ["python3", "-c", "print('a line')"]
    spec = ContainerSpec(image=python_image, command=command, kind="test", network="none", keeps_output=keeps_output)
    with Container.create(engine, spec) as container:
        streams = container.attach()
        container.start()
        # Whoever is attached has it either way.
        assert b"".join(data for _, data in streams.frames()) == b"a line\n"
        streams.close()
        assert container.wait() == 0
        found = container.inspect()
        assert found is not None
        assert (found["HostConfig"]["LogConfig"]["Type"] == "none") is not keeps_output
