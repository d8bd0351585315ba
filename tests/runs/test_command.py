"""``imagekit run`` as a process: its ends, its streams, and what it leaves behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from imagekit.cli.run import say
from imagekit.engine.client import Engine
from imagekit.errors import InputError, RunCrashed
from imagekit.running import DockerFlowRunner, run
from imagekit.runs.settings import RunSettings

from .conftest import FLOWS


class Command:
    """``imagekit run …`` with a record of runs of its own."""

    def __init__(self, address: str, image: str, state: Path) -> None:
        self.image = image
        self.env = {**os.environ, "IMAGEKIT_ENGINE": address, "XDG_STATE_HOME": str(state)}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "imagekit", "run", "--image", self.image, "--network-mode", "none", *arguments]

    def __call__(self, *arguments: str) -> Any:
        return subprocess.run(self.argv(*arguments), capture_output=True, env=self.env)

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(self.argv(*arguments), env=self.env, **pipes)

    def recorded(self) -> dict[str, Any]:
        argv = [sys.executable, "-m", "imagekit", "flow-run", "ls", "--json"]
        found = json.loads(subprocess.run(argv, capture_output=True, env=self.env, check=True).stdout)
        (only,) = found if isinstance(found, list) else found["runs"]
        return dict(only)


@pytest.fixture
def command(engine: Engine, flow_image: str, tmp_path: Path) -> Command:
    return Command(engine.address, flow_image, tmp_path)


def test_all_of_it_by_the_command(command: Command, tmp_path: Path) -> None:
    done = command("flow.py:limits", "-m", "100m", "--pids", "64", "--shm-size", "8m", "--cpus", "1", "--json",
                   "--read-only", "--user", "1000", "--label", "team=data", "--stop-grace", "3")  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["result"] == {"memory": 100 << 20, "pids": 64, "shm": 8 << 20}
    recorded = command.recorded()
    assert (recorded["id"], recorded["state"]) == (document["id"], "completed")


def test_a_result_in_a_file(command: Command, tmp_path: Path) -> None:
    import pickle

    kept = tmp_path / "result"
    arguments = ("-p", "number=3", "--serializer", "pickle", "--result-file", str(kept))
    assert command("flow.py:no_json", *arguments).returncode == 0
    assert pickle.loads(kept.read_bytes()) == {3: 3 + 1j}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--memory", "512x"], "512x"),
        (["--volume", "/:/host"], "all of the host's files"),
        (["--env", "A B=1"], "environment variable's name"),
        (["--network", "a", "--user", "a b"], "is not a user"),
        (["--create-arg", "hostnaem=x"], "hostnaem"),
        (["--registry-credentials", "/nowhere.json"], "/nowhere.json"),
    ],
)
def test_bad_settings_end_at_once(flow_image: str, tmp_path: Path, arguments: list[str], words: str) -> None:
    done = Command("unix:///nowhere/dead.sock", flow_image, tmp_path)("flow.py:give", *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert not (tmp_path / "imagekit").exists()


@pytest.mark.parametrize(
    ("end", "quiet", "has_result", "said"),
    [
        ({"state": "completed", "result": [3]}, False, True, "completed in 0.5 s (x:1)\nresult: [3]\n"),
        ({"state": "completed", "result": [3]}, True, True, "result: [3]\n"),
        ({"state": "completed", "result": [3]}, True, False, ""),
        (
            {"state": "failed", "error": {"kind": "flow", "type": "KeyError", "message": "'x'", "traceback": "at\n"}},
            True, True, "  at\nerror: KeyError: 'x'\n",
        ),
        ({"state": "crashed", "error": {"kind": "crash", "message": "m", "hint": "h"}}, True, True,
         "error: m\nhint: h\n"),
        ({"state": "cancelled"}, True, True, "cancelled in 0.5 s (x:1)\n"),
    ],
)  # fmt: skip
def test_quiet_is_its_result_or_error_alone(
    capsys: pytest.CaptureFixture[str], end: dict[str, Any], quiet: bool, has_result: bool, said: str
) -> None:
    say({"seconds": 0.5, "reference": "x:1", "result": None, **end}, quiet=quiet, has_result=has_result)
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_is_a_wish(command: Command, number: signal.Signals, code: int) -> None:
    process = command.start("flow.py:sleeping", "-p", "seconds=3600")
    assert process.stdout is not None
    assert process.stdout.readline() == b"asleep\n"
    process.send_signal(number)
    out, _ = process.communicate()
    assert (out, process.returncode) == (b"tidied\n", code)
    assert command.recorded()["state"] == "cancelled"


def test_two_signals_are_an_order(command: Command, engine: Engine) -> None:
    name = f"imagekit-test-{secrets.token_hex(4)}"
    process = command.start("flow.py:deaf", "--stop-grace", "600", "--name", name)
    assert process.stdout is not None
    assert process.stdout.readline() == b"asleep\n"
    process.send_signal(signal.SIGINT)
    while command.recorded()["state"] in ("pending", "running"):
        process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert command.recorded()["state"] == "cancelled"
    assert engine.api.containers(all=True, filters={"name": name}) == []


def test_a_closed_pipe_does_not_end_the_flow(command: Command) -> None:
    process = command.start("flow.py:ticking", "-p", "times=2000", "-p", "pause=0")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    assert process.wait() == 0, errors
    assert b"Traceback" not in errors
    assert command.recorded()["state"] == "completed"


def peak_memory(command: Command, megabytes: int) -> int:
    """KiB of the command's largest resident set while the flow writes that much, without a newline, to nowhere."""
    program = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    argv = [sys.executable, "-c", program, *command.argv("flow.py:any_bytes", "-p", f"megabytes={megabytes}")]
    done = subprocess.run(argv, capture_output=True, env=command.env, check=True)
    code, peak = map(int, done.stdout.split())
    assert code == 0
    return peak


def test_much_output_takes_little_memory(command: Command) -> None:
    # Pieces of 256 KiB are held, whatever comes.
    assert peak_memory(command, 30) < peak_memory(command, 1) + 8 * 1024


@pytest.mark.soak
def test_a_gigabyte_of_output_takes_little_memory(command: Command) -> None:
    assert peak_memory(command, 1024) < peak_memory(command, 1) + 8 * 1024


def many(command: Command, engine: Engine, count: int) -> None:
    """``count`` runs, 4 at once, in this process: no container, descriptor or thread more than before."""
    label = secrets.token_hex(6)
    run("flow.py:give", image=command.image, parameters={"value": 0}, network_mode="none")
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    results: list[Any] = []

    def one(numbers: range) -> None:
        for n in numbers:
            more = {"labels": {"test": label}, "network_mode": "none"}
            results.append(run("flow.py:give", image=command.image, parameters={"value": n}, **more).result)

    threads = [threading.Thread(target=one, args=(range(n, count, 4),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(count))
    descriptors = len(os.listdir("/proc/self/fd"))
    assert descriptors <= before[0]
    assert threading.active_count() <= before[1]
    assert engine.api.containers(all=True, filters={"label": f"test={label}"}) == []


@pytest.fixture
def here(command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name in ("IMAGEKIT_ENGINE", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, command.env[name])
    return command


def test_many_runs_leave_nothing(here: Command, engine: Engine) -> None:
    many(here, engine, 8)


@pytest.mark.soak
def test_fifty_runs_leave_nothing(here: Command, engine: Engine) -> None:
    many(here, engine, 50)


def test_a_runner_has_its_settings_for_each_run(here: Command, capfd: pytest.CaptureFixture[str]) -> None:
    runner = DockerFlowRunner(image=here.image, env={"A": "1"}, network_mode="none", mem_limit="100m")
    seen = runner.run("flow.py:surroundings", env={"B": "2"}).result["env"]
    assert (seen["A"], seen["B"]) == ("1", "2")
    assert runner.run("flow.py:limits", mem_limit="50m").result["memory"] == 50 << 20
    runner.run("flow.py:total", stream_output=False)
    assert capfd.readouterr().out == ""
    with pytest.raises(RunCrashed):
        runner.run("flow.py:vanishing")


def test_what_a_runner_is_made_of() -> None:
    from imagekit.runs.here import entrypoint_of

    assert entrypoint_of(test_what_a_runner_is_made_of) == "tests/runs/test_command.py:test_what_a_runner_is_made_of"
    with pytest.raises(InputError, match="the flow must be a function"):
        entrypoint_of(3)  # type: ignore[arg-type]


def nested() -> Any:
    return lambda: None


@pytest.mark.parametrize(
    ("entrypoint", "given", "words"),
    [
        (None, {}, "the flow must be a function, or its place as a string, not None"),
        (nested(), {}, "no function's name"),
        ("flow.py:f", {"parameters": [1]}, "parameters must be a dict, not a list"),
        ("flow.py:f", {"parameters": "n=1"}, "parameters must be a dict, not a string"),
        ("flow.py:f", {"parameters": {"n": [10**5000]}}, "parameters.n[0] has more digits"),
        ("flow.py:f", {"image": 5}, "image must be an image's name or a DockerImage, not 5"),
        ("flow.py:f", {"settings": {"mem_limit": "1g"}}, "settings must be a RunSettings, not a dict"),
        ("flow.py:f", {"source": 5}, "source must be a directory"),
    ],
)
def test_what_is_no_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, entrypoint: Any, given: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/dead.sock")
    runner = DockerFlowRunner(image="x:1")
    for call in (lambda: run(entrypoint, **{"image": "x:1", **given}), lambda: runner.run(entrypoint, **given)):
        with pytest.raises(InputError) as caught:
            call()
        assert words in caught.value.message
        assert caught.value.hint


def test_a_function_is_a_flow_and_a_runners_own_gives_way(here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    monkeypatch.chdir(FLOWS.parent)
    give = runpy.run_path(str(FLOWS / "flow.py"))["give"]
    more: dict[str, Any] = {"parameters": {"value": 3}, "network_mode": "none", "source": FLOWS.parent}
    runner = DockerFlowRunner(image="nowhere:1", source="nowhere", timeout=1e-3)
    found = runner.run(give, image=here.image, settings=RunSettings(), **more)
    assert (found.result, found.reference) == (3, here.image)
    assert run(give, image=here.image, settings=None, **more).result == 3


@pytest.mark.parametrize(
    ("installed", "image"),
    [
        (None, None),
        ("3.8.8", "prefecthq/prefect:3.8.8-python"),
        ("3.9.0rc1", "prefecthq/prefect:3.9.0rc1-python"),
        ("3.8.8+4.gabc1234", "prefecthq/prefect:sha-abc1234-python"),
    ],
)
def test_a_runner_without_an_image_takes_that_of_the_versions_in_use(
    installed: str | None, image: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installed is not None:
        info = tmp_path / "prefect-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: prefect\nVersion: {installed}\n")
    monkeypatch.syspath_prepend(tmp_path)
    expected = None if image is None else f"{image}{sys.version_info[0]}.{sys.version_info[1]}"
    assert DockerFlowRunner().image == expected
