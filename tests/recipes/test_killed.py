"""What a process that is killed while recipes are put on a base leaves in the engine."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys

from imagekit.engine.client import Engine
from imagekit.export.engine_load import LOADING, sweep_loading

# Killed between BuildKit's image and its name.
PROGRAM = """
import os, signal, sys
from types import SimpleNamespace
from imagekit.engine.client import Engine
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.recipes.making import put_on
from imagekit.secrets.handed import NOTHING
from imagekit.stages.beneath import Beneath

address, image, mark = sys.argv[1:]
Engine.tag = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
base = SimpleNamespace(config=SimpleNamespace(platform=Platform.host()), place=image, reference=image)
print(os.getpid(), flush=True)
with Engine.connect(address) as engine:
    steps = Beneath(lines=(f"LABEL mark={mark}",))
    put_on(engine, base, steps, f"imagekit-test/{mark}:1", handed=NOTHING, reporter=SilentReporter())
"""


def test_it_is_swept(engine: Engine, python_image: str) -> None:
    words = [sys.executable, "-c", PROGRAM, engine.address, python_image, secrets.token_hex(8)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr

    def left() -> list[str]:
        return [name for name in engine.tags(LOADING) if f"-{done.stdout.strip()}-" in name]

    assert len(left()) == 1
    sweep_loading(engine)
    assert left() == []
