"""Connections to an engine that is there, and to one that hangs up."""

from __future__ import annotations

import gc
import os
import socket
import threading
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.wire import SocketWire
from imagekit.errors import EngineError, EngineLost

ATTACH = "/v1.44/containers/there-is-none-of-this-name/attach?stream=1"


def open_files() -> int:
    gc.collect()  # what earlier tests left open
    return len(os.listdir("/proc/self/fd"))


def test_a_connection_that_is_refused_is_closed(engine: Engine) -> None:
    before = open_files()
    # What is raised holds the frames that it came through, and what they hold.
    with pytest.raises(EngineError, match=r"attaching: .*there-is-none") as caught:
        SocketWire(engine.address, 60.0).hijack("attaching", ATTACH)
    assert open_files() <= before, caught


def test_a_connection_that_is_hung_up_is_closed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def hang_up() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.recv(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        before = open_files()
        with pytest.raises(EngineLost) as caught:
            SocketWire(f"unix://{tmp_path / 's'}", 60.0).hijack("attaching", ATTACH)
        thread.join()
        assert open_files() <= before, caught
