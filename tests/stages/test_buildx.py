"""A buildx process ends when imagekit does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import BuildxMissing, DiskFull, EngineLost
from imagekit.stages.buildx import BuildxFailed, buildx_fault, buildx_lines


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_no_process_and_no_tag(
    engine: Engine, python_image: str, tmp_path: Path, number: int, code: int
) -> None:
    reference = f"imagekit-test/interrupted-{code}:1"
    (tmp_path / "Dockerfile").write_text(f"FROM {python_image}\nRUN echo begun-{time.time_ns()} && sleep 20\n")
    command = [sys.executable, "-m", "imagekit", "build", str(tmp_path), "-f", "Dockerfile", "-t", reference, "-v"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True, env=os.environ
    ) as build:
        assert build.stderr is not None
        while "begun-" not in build.stderr.readline() or not (children := _children(build.pid)):
            assert build.poll() is None
        # To the one process alone, as a CI system does it; a terminal's Ctrl-C reaches the whole group.
        build.send_signal(number)
        build.stderr.read()
        assert build.wait() == code
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert engine.image(reference) is None


def test_the_words_of_a_failure(engine: Engine) -> None:
    with pytest.raises(BuildxFailed):
        list(buildx_lines(["buildx", "build", "--file", "/nonexistent", "--", "/nonexistent"], engine=engine.address))
    assert buildx_fault("RUN pip install: connection refused") is None
    assert isinstance(buildx_fault("write /x: no space left on device"), DiskFull)
    assert isinstance(buildx_fault("rpc error: code = Unavailable desc = error reading from server: EOF"), EngineLost)
    assert isinstance(buildx_fault("docker: 'buildx' is not a docker command."), BuildxMissing)
