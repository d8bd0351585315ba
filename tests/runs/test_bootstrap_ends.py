"""What the bootstrap tells of a flow that raised, called as in a container, in a directory of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.runs.request import Request

FLOW = """
def own():
    return 1 + "1"


def deeper():
    own()


def asked(n):
    return n


import imagekit


@imagekit.flow
def decorated():
    own()
"""


@pytest.fixture(params=["source", "source/project", "elsewhere"])
def call(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """``call("own")``: the error of the outcome; the source is beside the bootstrap, where a run puts one, or not."""
    beside, source = tmp_path / ".imagekit", tmp_path / ".imagekit" / request.param
    if request.param == "elsewhere":
        source = tmp_path / "elsewhere"
    source.mkdir(parents=True)
    (source / "flow.py").write_text(FLOW)

    def called(function: str, **parameters: Any) -> dict[str, Any]:
        wanted = replace(Request.of(f"flow.py:{function}", parameters), root=str(source))
        for name, content in wanted.files().items():
            (beside / name).parent.mkdir(exist_ok=True)
            (beside / name).write_bytes(content)
        (beside / "out").mkdir(exist_ok=True)
        # None of this machine's packages: as in an image without imagekit.
        done = subprocess.run([sys.executable, "-S", str(beside / "bootstrap.py")], cwd=tmp_path)
        assert done.returncode == 1
        error: dict[str, Any] = json.loads((beside / "out/outcome.json").read_text())["error"]
        return {**error, "source": str(source / "flow.py")}

    return called


@pytest.mark.parametrize("function", ["own", "deeper", "decorated"])
def test_the_flows_own_lines_are_told_wherever_it_lies(call: Any, function: str) -> None:
    error = call(function)
    # A fault of the flow's own is no fault of who called it.
    assert (error["kind"], error["type"]) == ("flow", "TypeError")
    assert (error["file"], error["line"]) == (error["source"], 3)
    assert 'return 1 + "1"' in error["traceback"]
    assert f"in {function}" in error["traceback"]
    assert "bootstrap" not in error["traceback"]


def test_a_call_that_does_not_fit_is_told_as_one(call: Any) -> None:
    assert call("asked", m=1)["kind"] == "parameters"
