"""Flows on the real engine: what they return, how they end, what they see."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container
from imagekit.errors import (
    BaseUnusable,
    EngineError,
    FlowFailed,
    InputError,
    InvalidEntrypoint,
    InvalidParameters,
    ResultNotSerializable,
    RunCrashed,
)

from .conftest import Ran
from .ordering import run_flow
from .test_faults import go_on


def test_a_flow_completes_with_its_result_and_output(run: Ran, engine: Engine) -> None:
    result = run("flow.py:total", parameters={"n": 3, "text": "wörld"})
    assert result.state == "completed"
    assert result.result == {"n": 3, "pair": [1, 2.5], "none": None, "text": "é😀"}
    assert result.exit_code == 0
    assert result.error is None
    assert run.output == {1: "hello wörld\n".encode(), 2: b"careful\n"}
    image = engine.image(run.image)
    assert image is not None
    assert result.image == image.id
    assert result.python is not None
    assert result.python.startswith("3.")
    assert re.fullmatch(r"imagekit-run-total-[0-9a-f]{6}", result.name)
    assert 0 < result.seconds < 60
    document = result.to_json()
    assert document["state"] == "completed"
    assert document["exit_code"] == 0
    assert document["result"]["n"] == 3
    assert {"image", "seconds", "started", "ended", "name", "reference"} <= document.keys()


def test_json_goes_there_and_back(run: Ran) -> None:
    value = [True, 0, -1.5, 10**30, "", "\x00\n\u2028", [], {}, [[{"a": [None]}]], {"": "x"}, "x" * 300_000]
    result = run("flow.py:give", parameters={"value": value})
    assert (result.state, result.result) == ("completed", value)


@pytest.mark.parametrize(
    ("entrypoint", "parameters", "expected"),
    [
        ("flow.py:later", {"n": 4}, 8),
        ("decorated.py:etl", {"n": 5}, 10),
        ("package/inner/relative.py:flow", {}, [42, "package.inner.relative"]),
        ("json.py:flow", {}, '{"a": 1}'),
        ("flow.py:exiting", {"code": 0}, None),
        ("flow.py:orphans", {}, 0),
        ("flow.py:result_and_then_crash", {}, "kept"),
        ("collecting_itself.py:found", {}, [[123, 4], False]),
    ],
)
def test_callables_of_all_kinds(run: Ran, entrypoint: str, parameters: dict[str, object], expected: object) -> None:
    result = run(entrypoint, parameters=parameters)
    assert (result.state, result.result) == ("completed", expected)


def test_what_is_imported_is_not_searched_for_cycles_all_the_time(run: Ran) -> None:
    found = run("collecting.py:found").result
    assert found["meanwhile"][0] > 100 * found["usual"][0]
    assert found["in the flow"] == found["usual"]
    assert found["on"] is True


def test_a_flow_that_raises(run: Ran) -> None:
    result = run("flow.py:raising")
    assert (result.state, result.exit_code, result.result, result.cause) == ("failed", 1, None, None)
    error = result.error
    assert error is not None
    assert (error.kind, error.type, error.message) == ("flow", "ValueError", "no such order\nsecond line")
    assert error.file == "/app/flow.py"
    assert error.traceback is not None
    assert "in raising" in error.traceback
    assert ".imagekit" not in error.traceback
    # The flow's own streams stay its own.
    assert run.output == {1: b"", 2: b""}


@pytest.mark.parametrize(
    ("entrypoint", "parameters", "kind", "words"),
    [
        ("missing.py:flow", {}, "import", "no_such_module_anywhere"),
        ("leaving.py:flow", {}, "import", "ended the program while it was imported: sys.exit(4)"),
        ("flow.py:lazily_missing", {}, "flow", "cv2"),
        ("decorated.py:by_others", {"other": 1}, "parameters", "other"),
        ("flow.py:nothing", {}, "entrypoint", "/app/flow.py has no function nothing"),
        ("flow.py:not_a_function", {}, "entrypoint", "not_a_function"),
        ("gone.py:flow", {}, "entrypoint", "there is no file /app/gone.py"),
        ("flow.py:exiting", {"code": 3}, "exit", "sys.exit(3)"),
        ("flow.py:exiting", {"code": "words"}, "exit", "words"),
    ],
)
def test_failures_are_told_apart(
    run: Ran, entrypoint: str, parameters: dict[str, object], kind: str, words: str
) -> None:
    result = run(entrypoint, parameters=parameters)
    assert result.state == "failed"
    assert result.error is not None
    assert result.error.kind == kind
    assert words in result.error.message
    assert result.exit_code == {"leaving.py:flow": 4}.get(entrypoint, 3 if parameters.get("code") == 3 else 1)


def test_parameters_are_held_to_the_signature_before_the_start(run: Ran) -> None:
    for parameters in ({"other": 1}, {}, {"value": 1, "other": 1}):
        with pytest.raises(InvalidParameters, match=r"value|other"):
            run("flow.py:give", parameters=parameters)
    assert run.output == {1: b"", 2: b""}


def test_a_missing_module_is_named_with_its_place(run: Ran) -> None:
    error = run("missing.py:flow").error
    assert error is not None
    assert (error.module, error.file, error.line) == ("no_such_module_anywhere", "/app/missing.py", 3)
    assert error.hint is not None
    assert "no_such_module_anywhere" in error.hint


def test_a_result_that_json_cannot_hold(run: Ran) -> None:
    result = run("flow.py:unserializable", parameters={"kind": "object"})
    assert result.state == "failed"
    assert result.error is not None
    assert (result.error.kind, result.error.where) == ("result-not-serializable", "result[0]")
    assert result.error.type == "flow.unserializable.<locals>.Order"
    assert "result[0]" in result.error.message


@pytest.mark.parametrize(
    ("entrypoint", "cause", "code", "words"),
    [
        ("flow.py:vanishing", "exit", 7, "exit code 7"),
        ("flow.py:segfault", "signal", 139, "SIGSEGV"),
        # How a flow went is its own process's to say, and not that of a child which came back from it.
        ("flow.py:forking", "exit", 3, "exit code 3"),
    ],
)
def test_a_process_that_dies_without_a_word(run: Ran, entrypoint: str, cause: str, code: int, words: str) -> None:
    result = run(entrypoint)
    assert (result.state, result.cause, result.exit_code) == ("crashed", cause, code)
    assert result.error is not None
    assert words in result.error.message


def test_out_of_memory_is_told_from_a_kill(run: Ran) -> None:
    limits = {"mem_limit": "64m", "memswap_limit": "64m"}
    result = run("flow.py:greedy", **limits)
    assert (result.state, result.cause) == ("crashed", "oom")
    child = run("flow.py:greedy_child", **limits)
    assert (child.state, child.cause) == ("failed", "oom")
    assert child.error is not None
    assert child.error.hint is not None
    assert "memory" in child.error.hint


def test_the_time_limit_ends_a_flow_with_its_finally_blocks(run: Ran) -> None:
    # Before it has said its first word there is nothing to tidy up.
    result = run("flow.py:sleeping_async", parameters={"seconds": 3600}, timeout=10.0)
    assert (result.state, result.cause) == ("timed-out", "timeout")
    assert run.output[1] == b"asleep\ntidied\n"
    assert result.error is not None
    assert result.error.message == "the flow was still running after 10 s"


def test_a_flow_that_is_deaf_is_killed_after_the_grace(run: Ran) -> None:
    began = time.monotonic()
    result = run("flow.py:deaf", timeout=10.0, stop_grace=1)
    assert (result.state, result.exit_code) == ("timed-out", 137)
    assert time.monotonic() - began >= 11


def test_output_comes_while_the_flow_runs(run: Ran, engine: Engine) -> None:
    name = f"imagekit-test-{secrets.token_hex(4)}"

    def heard(stream: int, data: bytes) -> None:
        if b"asleep" in data:
            go_on(engine, name)

    # It ends when somebody has heard of it, and does nothing for being heard.
    result = run("flow.py:waiting", parameters={"flush": False}, name=name, on_output=heard)
    assert (result.state, result.result) == ("completed", "told")


def test_any_bytes_in_any_amount(run: Ran) -> None:
    result = run("flow.py:any_bytes", parameters={"megabytes": 4})
    assert result.state == "completed"
    assert run.output == {1: bytes(range(256)) * 4096 * 4, 2: b"\xff\xfe no newline"}


def test_a_closed_terminal_does_not_end_the_flow(run: Ran) -> None:
    def closed(stream: int, data: bytes) -> None:
        raise BrokenPipeError

    assert run("flow.py:ticking", parameters={"times": 3, "pause": 0}, on_output=closed).result == 3


def test_what_else_a_sink_raises_comes_out_when_the_container_is_gone(run: Ran, engine: Engine) -> None:
    def faulty(stream: int, data: bytes) -> None:
        raise LookupError("a fault of the caller's")

    with pytest.raises(LookupError, match="caller's"):
        run("flow.py:total", on_output=faulty, name="imagekit-test-faulty-sink")
    assert engine.api.containers(all=True, filters={"name": "imagekit-test-faulty-sink"}) == []


@pytest.mark.parametrize(("name", "state"), [("a", "completed"), ("outcome.json", "crashed")])
def test_what_a_flow_leaves_beside_its_outcome_is_not_fetched(run: Ran, name: str, state: str) -> None:
    result = run("flow.py:sparse", parameters={"name": name})
    assert (result.state, result.result) == (state, name if state == "completed" else None)


def test_a_result_of_some_size(run: Ran) -> None:
    assert run("flow.py:give", parameters={"value": "é" * (1 << 16)}).result == "é" * (1 << 16)
    assert len(run("flow.py:long", parameters={"n": 3 << 20}).result) == 3 << 20


def test_what_a_flow_sees(run: Ran) -> None:
    result = run("flow.py:surroundings", env={"GREETING": "a=b $HOME 'x' é", "EMPTY": ""})
    seen = result.result
    assert seen["env"]["GREETING"] == "a=b $HOME 'x' é"
    assert seen["env"]["EMPTY"] == ""
    assert seen["cwd"] == "/app"
    assert seen["uid"] == 1234
    assert int(seen["capabilities"], 16) == 0
    assert seen["no_new_privileges"] == "1"
    assert seen["socket"] is False
    assert seen["argv"] == ["flow.py"]
    assert seen["main_thread"] is True
    assert seen["path"][0] == "/app"


def test_a_read_only_root_filesystem(run: Ran, engine: Engine) -> None:
    name, mounted = f"imagekit-test-{secrets.token_hex(4)}", set[str]()

    def look(stream: int, data: bytes) -> None:
        # While it is there: runs of other tests have volumes of their own.
        found = Container(engine, name).inspect()
        assert found is not None
        mounted.update(mount["Name"] for mount in found["Mounts"] if mount["Type"] == "volume")

    assert run("flow.py:total", read_only=True, name=name, on_output=look).state == "completed"
    assert mounted
    assert not mounted & {volume["Name"] for volume in engine.api.volumes()["Volumes"] or ()}


def test_an_image_that_has_only_python3(run: Ran, engine: Engine, python_image: str) -> None:
    result = run("gone.py:flow", image=python_image)
    assert result.error is not None
    assert result.error.kind == "entrypoint"


def test_an_image_without_python(run: Ran, build_image) -> None:  # type: ignore[no-untyped-def]
    empty = build_image('FROM scratch\nCOPY flow.py /flow.py\nCMD ["x"]\n', {"flow.py": ""})
    with pytest.raises(BaseUnusable, match="no Python"):
        run("flow.py:flow", image=empty)


@pytest.mark.parametrize(
    ("entrypoint", "error", "words"),
    [
        ("flow.py:raising", FlowFailed, "ValueError: no such order"),
        ("flow.py:vanishing", RunCrashed, "exit code 7"),
    ],
)
def test_raising_instead_of_returning(run: Ran, entrypoint: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(entrypoint, raise_on_failure=True)


def test_raising_for_a_result(run: Ran) -> None:
    with pytest.raises(ResultNotSerializable, match="is of the type set"):
        run("flow.py:unserializable", parameters={"kind": "set"}, raise_on_failure=True)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"entrypoint": "flow.py"}, InvalidEntrypoint),
        ({"entrypoint": "../flow.py:f"}, InvalidEntrypoint),
        ({"parameters": {"x": float("nan")}}, InvalidParameters),
        ({"parameters": {"x": {1}}}, InvalidParameters),
        ({"env": {"A=B": "1"}}, InputError),
        ({"env": {"": "1"}}, InputError),
        ({"env": {"A": "\0"}}, InputError),
        ({"name": "-x"}, InputError),
        ({"name": "a b"}, InputError),
        ({"timeout": 0}, InputError),
        ({"timeout": float("nan")}, InputError),
        ({"stop_grace": -1}, InputError),
    ],
)
def test_bad_input_is_refused_before_the_engine_is_called(settings: dict[str, object], error: type[Exception]) -> None:
    nowhere = Engine("unix:///nowhere")
    with pytest.raises(error):
        run_flow(nowhere, **{"image": "x", "entrypoint": "flow.py:f", **settings})  # type: ignore[arg-type]


def test_the_bootstrap_keeps_to_old_syntax_and_the_standard_library() -> None:
    import ast

    from imagekit.runs.request import program_sources

    programs = program_sources()
    for source in programs.values():
        tree = ast.parse(source, feature_version=(3, 8))
        imported = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        own = {name.removesuffix(".py") for name in programs}
        assert {name.partition(".")[0] for name in imported} - own <= set(sys.stdlib_module_names)


def test_importing_the_runner_is_quick() -> None:
    code = "import sys, imagekit.runs.runner; print([m for m in ('docker', 'requests', 'rich') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -float("inf"), 0, -1])
def test_time_limits_that_are_none(run: Ran, timeout: float) -> None:
    with pytest.raises(InputError, match=r"time limit|number of seconds"):
        run("flow.py:give", parameters={"value": 1}, timeout=timeout)


def test_a_time_limit_longer_than_any_clock(run: Ran) -> None:
    assert run("flow.py:give", parameters={"value": 1}, timeout=1e12).result == 1


def test_an_image_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(EngineError, match=r"(?m)^imagekit-test/nosuch:1 is not in the engine$") as caught:
        run_flow(engine, "flow.py:give", image="imagekit-test/nosuch:1")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("build it, or docker pull imagekit-test/nosuch:1")
    assert caught.value.exit_code == 3


def test_the_command_says_it_in_one_line(engine: Engine, flow_image: str) -> None:
    argv = [sys.executable, "-m", "imagekit", "run", "flow.py:raising_controls", "--image", flow_image]
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "IMAGEKIT_ENGINE": engine.address})
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("error:")] == ["error: ValueError: one\\x1b[2J"]
    assert lines[-1] == "error: ValueError: one\\x1b[2J"
    assert "\x1b" not in done.stderr
    assert "    raise ValueError" in done.stderr


def test_the_flow_outranks_a_reader_that_went_away(engine: Engine, flow_image: str) -> None:
    argv = [sys.executable, "-m", "imagekit", "run", "flow.py:any_bytes", "-p", "megabytes=1", "--image", flow_image]
    read, write = os.pipe()
    os.close(read)
    environ = {**os.environ, "IMAGEKIT_ENGINE": engine.address}
    assert subprocess.run(argv, stdout=write, stderr=subprocess.DEVNULL, env=environ).returncode == 0
    os.close(write)
