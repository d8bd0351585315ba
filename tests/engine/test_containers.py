"""Containers as the engine's API has them."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from contextlib import suppress

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import EngineError, EngineLost


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


def test_whoever_reads_what_is_closed_goes_on(engine: Engine, python_image: str) -> None:
    spec = ContainerSpec(image=python_image, entrypoint=["sleep"], command=["600"], kind="test")
    # It would look up after that, and find the socket closed.
    with Engine.connect(engine.address, deadline=600) as own, Container.create(own, spec) as container:
        streams = container.attach()
        container.start()

        def read() -> None:
            with suppress(EngineLost, ValueError):
                list(streams.frames())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        # Most likely it waits by then; where it does not, nothing is seen.
        time.sleep(0.2)
        streams.close()
        reader.join(timeout=120)
        assert not reader.is_alive()


def test_a_file_is_read_up_to_a_size(engine: Engine, python_image: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, size in (("small", 10), ("large", 1 << 18)):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(b"x" * size))
    with Container.create(engine, ContainerSpec(image=python_image, command=["true"], kind="test")) as container:
        container.put("/tmp", archive.getvalue())  # the container's own
        assert container.get("/tmp/small", largest=100) == b"x" * 10
        assert container.get("/tmp/large") == b"x" * (1 << 18)
        assert container.get("/tmp/none") is None
        with pytest.raises(EngineError, match="/tmp/large in the container has more than"):
            container.get("/tmp/large", largest=100)
