"""What a process that is killed while recipes are put on a base leaves in the engine."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.export.engine_load import LOADING, sweep_loading

# Tells first what it leaves: once it is dead, another test's program may sweep it.
DYING = """
import os, signal, sys
from imagekit.engine.client import Engine
from imagekit.export.engine_load import LOADING

def die(*_):
    with Engine.connect(sys.argv[1]) as engine:
        print(*[name for name in engine.tags(LOADING) if f"-{os.getpid()}-" in name], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

"""
# Killed between BuildKit's image and its name.
PROGRAM = f"""
{DYING}
from types import SimpleNamespace
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.recipes.making import put_on
from imagekit.secrets.handed import NOTHING
from imagekit.stages.beneath import Beneath

address, image, mark = sys.argv[1:]
Engine.tag = die
base = SimpleNamespace(config=SimpleNamespace(platform=Platform.host()), place=image, reference=image)
with Engine.connect(address) as engine:
    steps = Beneath(lines=(f"LABEL mark={{mark}}",))
    put_on(engine, base, steps, f"imagekit-test/{{mark}}:1", handed=NOTHING, reporter=SilentReporter())
"""


# Killed while the check's program runs.
CHECK = f"""
{DYING}
from pathlib import Path
from imagekit.pipeline import Pipeline
from imagekit.recipes.declared import read_recipe
from imagekit.settings import Settings
from imagekit.verifying import recipe_check

_, image, mark = sys.argv[1:]
recipe_check._run = die
path = Path("mine.toml")
path.write_text(f"summary = 'a'\\n[env]\\nMARK = '{{mark}}'\\n[check]\\nprogram = '1'\\n")
with Pipeline(Settings.load()) as pipeline:
    recipe_check.check_recipe(pipeline, read_recipe(path), base_image=image)
"""


@pytest.mark.parametrize("program", [PROGRAM, CHECK], ids=["recipes", "check"])
def test_it_is_swept(engine: Engine, python_image: str, program: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", program, engine.address, python_image, secrets.token_hex(8)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr

    (left,) = done.stdout.split()
    sweep_loading(engine)
    assert left not in engine.tags(LOADING)
