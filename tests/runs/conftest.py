from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.runs.values import RunResult

from .ordering import run_flow

FLOWS = Path(__file__).parent / "flows"
FILES = {f"app/{path.relative_to(FLOWS)}": path.read_text() for path in FLOWS.rglob("*.py")}
# python where the base has only python3, and a user that is not root.
DOCKERFILE = """
FROM {base}
RUN command -v python || ln -s "$(command -v python3)" /usr/local/bin/python
COPY app /app
WORKDIR /app
USER 1234:1234
"""


@pytest.fixture(scope="session")
def flow_image(build_image: Callable[..., str], python_image: str) -> str:
    return build_image(DOCKERFILE.format(base=python_image), FILES)


class Ran:
    """``run("flow.py:f", parameters={…})`` on the test image, its output kept."""

    def __init__(self, engine: Engine, image: str) -> None:
        self.engine, self.image = engine, image
        self.output = {1: b"", 2: b""}

    def __call__(self, entrypoint: str, **more: Any) -> RunResult:
        def keep(stream: int, data: bytes) -> None:
            self.output[stream] += data

        result = run_flow(self.engine, entrypoint, **{"image": self.image, "on_output": keep, **more})
        assert Engine.connect(self.engine.address).api.containers(all=True, filters={"name": result.name}) == []
        return result


@pytest.fixture
def run(engine: Engine, flow_image: str) -> Ran:
    return Ran(engine, flow_image)
