"""What befalls a run from outside, done with real parts."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import LABEL_OWNER, Container, ContainerSpec, host_id, sweep
from imagekit.engine.wire import SocketWire
from imagekit.errors import ContainerNameTaken, EngineError
from imagekit.runs import following
from imagekit.runs.own_directory import archive
from imagekit.runs.reconcile import reconcile
from imagekit.runs.values import RunResult
from imagekit.store.store import Store

from ..own_engine import OwnEngine
from .ordering import run_flow

SCRIPT = Path(__file__).parent / "script.py"


class Script:
    """``script.py`` under way in a process of its own."""

    def __init__(
        self, address: str, image: str, entrypoint: str, parameters: dict[str, Any], grace: int, *store: str
    ) -> None:
        self.mark = secrets.token_hex(4)
        self.address = address
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.runs.script", address, image, entrypoint),
                *(json.dumps(parameters), str(grace), self.mark, *store),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=SCRIPT.parents[2],
        )

    def until_asleep(self) -> None:
        assert self.process.stderr is not None
        assert self.process.stderr.readline() == b"asleep\n"

    def result(self) -> dict[str, Any]:
        out, err = self.process.communicate()
        assert self.process.returncode == 0, err.decode()
        found: dict[str, Any] = json.loads(out)
        return found

    def containers(self) -> list[Any]:
        with Engine.connect(self.address) as engine:
            found: list[Any] = engine.api.containers(all=True, filters={"label": f"imagekit.test={self.mark}"})
            return found


@pytest.fixture
def script(engine: Engine, flow_image: str) -> Iterator[Callable[..., Script]]:
    started: list[Script] = []

    def start(entrypoint: str, parameters: dict[str, Any], *, grace: int = 10, address: str = engine.address) -> Script:
        started.append(Script(address, flow_image, entrypoint, parameters, grace))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize(("number", "cause"), [(signal.SIGINT, "interrupt"), (signal.SIGTERM, "terminate")])
def test_one_signal_stops_the_flow_and_lets_it_tidy_up(
    script: Callable[..., Script], number: signal.Signals, cause: str
) -> None:
    run = script("flow.py:sleeping", {"seconds": 3600})
    run.until_asleep()
    run.process.send_signal(number)
    assert run.process.stderr is not None
    assert run.process.stderr.readline() == b"tidied\n"
    result = run.result()
    assert (result["state"], result["cause"], result["result"]) == ("cancelled", cause, None)
    assert result["error"]["kind"] == "cancelled"
    assert run.containers() == []


def test_a_second_signal_ends_it_at_once(script: Callable[..., Script]) -> None:
    run = script("flow.py:deaf", {}, grace=600)
    run.until_asleep()
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    result = run.result()
    assert (result["state"], result["cause"]) == ("cancelled", "interrupt")
    assert run.containers() == []


def test_what_a_killed_runner_leaves_is_swept(script: Callable[..., Script], engine: Engine) -> None:
    run = script("flow.py:sleeping", {"seconds": 3600})
    alive = script("flow.py:sleeping", {"seconds": 3600})
    run.until_asleep()
    alive.until_asleep()
    assert len(run.containers()) == 1
    run.process.kill()
    run.process.communicate()
    # Another test's program may have come before, and swept it.
    sweep(engine)
    assert run.containers() == []
    assert len(alive.containers()) == 1
    alive.process.send_signal(signal.SIGTERM)
    assert alive.result()["state"] == "cancelled"


@contextmanager
def running(engine: Engine, image: str, entrypoint: str, **more: Any) -> Iterator[dict[str, Any]]:
    """A flow under way in a thread, once it has said its first word; ``["result"]`` after the block."""
    said, state = threading.Event(), dict[str, Any](output=b"")

    def heard(stream: int, data: bytes) -> None:
        state["output"] += data
        said.set()

    def work() -> None:
        state["result"] = run_flow(engine, entrypoint, image=image, on_output=heard, **more)

    # Where the block fails, nobody waits for it.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    said.wait()
    yield state
    thread.join()


def go_on(engine: Engine, container: str) -> None:
    """What the flow ``waiting`` waits for."""
    Container(engine, container).put("/.imagekit/out", archive("go", {}))


@pytest.fixture
def name() -> str:
    return f"imagekit-test-{secrets.token_hex(4)}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state") as store:
        yield store


def recorded(store: Store) -> tuple[str, str | None]:
    (run,) = store.runs()
    return run.state, run.end.cause if run.end else None


def test_a_container_removed_from_outside(engine: Engine, flow_image: str, name: str, store: Store) -> None:
    parameters = {"seconds": 3600}
    with running(engine, flow_image, "flow.py:sleeping", parameters=parameters, name=name, store=store) as state:
        engine.api.remove_container(name, force=True)
    result: RunResult = state["result"]
    assert (result.state, result.cause, result.result) == ("crashed", "removed", None)
    assert recorded(store) == ("crashed", "removed")


def test_a_container_stopped_from_outside(engine: Engine, flow_image: str, name: str, store: Store) -> None:
    parameters = {"seconds": 3600}
    with running(engine, flow_image, "flow.py:sleeping", parameters=parameters, name=name, store=store) as state:
        engine.api.stop(name)
    result: RunResult = state["result"]
    assert (result.state, result.cause, result.exit_code) == ("cancelled", "signal", 143)
    assert state["output"].endswith(b"tidied\n")
    assert recorded(store) == ("cancelled", "signal")


def test_a_flow_that_finishes_when_it_is_asked_to_stop_has_completed(
    engine: Engine, flow_image: str, name: str
) -> None:
    with running(engine, flow_image, "flow.py:finishing_when_asked", name=name) as state:
        engine.api.stop(name)
    assert (state["result"].state, state["result"].result) == ("completed", "finished")


def test_what_a_run_uses_stays(engine: Engine, build_image: Callable[..., str], python_image: str, name: str) -> None:
    """Its image and its volume are to go in the middle of it."""
    from docker.errors import APIError

    flow = f"# {name}\n" + (SCRIPT.parent / "flows" / "flow.py").read_text()
    image = build_image(f"FROM {python_image}\nCOPY flow.py /app/flow.py\nWORKDIR /app\n", {"flow.py": flow})
    found = engine.image(image)
    assert found is not None
    engine.api.create_volume(name)
    try:
        parameters, volumes = {"path": "/kept/hostname"}, [f"{name}:/kept"]
        seeded = run_flow(
            engine, "flow.py:keeping", image=image, parameters={**parameters, "text": "x"}, volumes=volumes, user="root"
        )
        assert seeded.result == "x"
        more = {"parameters": parameters, "volumes": volumes, "name": name}
        with running(engine, image, "flow.py:reading", **more) as state:
            with pytest.raises(APIError, match="volume is in use"):
                engine.api.remove_volume(name)
            with pytest.raises(APIError, match="is being used"):
                engine.api.remove_image(found.id, force=True)
            # Its name may go.
            engine.api.remove_image(image, force=True)
            go_on(engine, name)
        assert (state["result"].state, state["result"].result) == ("completed", "x")
        with pytest.raises(EngineError, match="is not in the engine"):
            run_flow(engine, "flow.py:reading", image=image, parameters=parameters)
    finally:
        engine.api.remove_volume(name)


def test_a_name_is_of_one_run_at_a_time(engine: Engine, flow_image: str, name: str, store: Store) -> None:
    begun, said, told = threading.Barrier(4), threading.Event(), list[object]()

    def one() -> None:
        begun.wait()
        try:
            run = run_flow(
                engine, "flow.py:waiting", image=flow_image, name=name, store=store, on_output=lambda *_: said.set()
            )
            told.append(run.state)
        except ContainerNameTaken as error:
            told.append(error.hint)
        except Exception as error:
            told.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    # One has the name until the others have been told.
    while not said.is_set() or len(told) < 3:
        assert len(told) < 4, told
        time.sleep(0.01)
    go_on(engine, name)
    for thread in threads:
        thread.join()
    assert sorted(map(str, told)) == [*["choose another name, or: docker rm -f " + name] * 3, "completed"]
    kinds = [(run.state, run.end and run.end.error and run.end.error["kind"]) for run in store.runs()]
    assert sorted(kinds, key=str) == [("completed", None), *[("failed", "name")] * 3]
    assert engine.api.containers(all=True, filters={"name": name}) == []


def load(own: OwnEngine, engine: Engine, image: str) -> Engine:
    """``own``, with the test image on it."""
    there = own.connect()
    if there.image(image) is None:
        there.load(engine.save(image))
    return there


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is gone is waited for 2 seconds."""
    monkeypatch.setattr(following, "RECONNECT_SECONDS", 2.0)


@pytest.fixture
def long_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is gone is waited for until it is there again, however long a busy machine takes to start it."""
    monkeypatch.setattr(following, "RECONNECT_SECONDS", 600.0)


@pytest.mark.soak
@pytest.mark.xdist_group("own_engine")
@pytest.mark.usefixtures("short_patience")
def test_an_engine_that_is_killed_and_stays_away(
    own_engine: Callable[..., OwnEngine], engine: Engine, flow_image: str, store: Store
) -> None:
    own = own_engine()
    there = load(own, engine, flow_image)
    with running(there, flow_image, "flow.py:sleeping", parameters={"seconds": 3600}, store=store) as state:
        own.kill()
    result: RunResult = state["result"]
    assert (result.state, result.cause, result.exit_code) == ("crashed", "engine", None)
    assert recorded(store) == ("crashed", "engine")
    # What could not be removed without an engine goes with the next run, and with no other program's.
    own.start()
    again = own.connect()
    assert sweep(again) == 0
    assert len(again.api.containers(all=True)) == 1
    assert reconcile(store, again) == 0
    assert again.api.containers(all=True) == []


@pytest.mark.xdist_group("own_engine")
@pytest.mark.usefixtures("long_patience")
@pytest.mark.parametrize(
    ("entrypoint", "state", "cause", "value"),
    [
        ("flow.py:waiting", "crashed", "engine", None),
        # The result was written down before the engine, on its way up, ended the container.
        ("flow.py:lingering", "completed", None, "kept"),
    ],
)
def test_an_engine_that_is_killed_and_comes_back(
    own_engine: Callable[..., OwnEngine],
    engine: Engine,
    flow_image: str,
    store: Store,
    entrypoint: str,
    state: str,
    cause: str | None,
    value: str | None,
) -> None:
    own = own_engine()
    there = load(own, engine, flow_image)
    with running(there, flow_image, entrypoint, store=store) as seen:
        own.kill()
        own.start()
    result: RunResult = seen["result"]
    assert (result.state, result.cause, result.result) == (state, cause, value)
    assert recorded(store) == (state, cause)
    assert own.connect().api.containers(all=True) == []


@pytest.mark.xdist_group("own_engine")
@pytest.mark.usefixtures("long_patience")
def test_a_run_outlives_an_engine_with_live_restore(
    own_engine: Callable[..., OwnEngine], engine: Engine, flow_image: str, store: Store
) -> None:
    own = own_engine(live_restore=True)
    there = load(own, engine, flow_image)
    with running(there, flow_image, "flow.py:waiting", store=store) as state:
        own.kill()
        own.start()
        again = own.connect()
        (container,) = again.api.containers()
        go_on(again, container["Id"])
    result: RunResult = state["result"]
    assert (result.state, result.result) == ("completed", "told")
    assert recorded(store) == ("completed", None)
    assert own.connect().api.containers(all=True) == []


@pytest.mark.xdist_group("own_engine")
@pytest.mark.parametrize("containerd_store", [False, True])
def test_a_frozen_engine_only_delays(
    own_engine: Callable[..., OwnEngine], engine: Engine, flow_image: str, containerd_store: bool
) -> None:
    own = own_engine(containerd_store=containerd_store)
    there = load(own, engine, flow_image)
    with running(there, flow_image, "flow.py:ticking", parameters={"times": 12, "pause": 0.5}) as state:
        own.freeze()
        time.sleep(2)
        assert "result" not in state
        own.thaw()
    result: RunResult = state["result"]
    assert (result.state, result.result) == ("completed", 12)
    assert state["output"] == b"".join(b"tick %d\n" % n for n in range(12))
    assert there.api.containers(all=True) == []


@pytest.mark.xdist_group("own_engine")
def test_ctrl_c_ends_even_when_the_engine_is_gone(
    own_engine: Callable[..., OwnEngine], engine: Engine, flow_image: str, script: Callable[..., Script]
) -> None:
    own = own_engine()
    load(own, engine, flow_image)
    run = Script(own.address, flow_image, "flow.py:sleeping", {"seconds": 3600}, 10)
    run.until_asleep()
    own.kill()
    os.kill(run.process.pid, signal.SIGINT)
    result = run.result()
    assert (result["state"], result["cause"]) == ("cancelled", "interrupt")
    own.start()
    assert sweep(own.connect()) == 1
    assert run.containers() == []


@pytest.mark.xdist_group("own_engine")
@pytest.mark.usefixtures("short_patience")
@pytest.mark.parametrize(
    ("timeout", "state", "cause"),
    [(None, "crashed", "engine"), pytest.param(10.0, "timed-out", "timeout", marks=pytest.mark.soak)],
)
def test_an_engine_that_stays_frozen_ends_the_run(
    own_engine: Callable[..., OwnEngine],
    engine: Engine,
    flow_image: str,
    timeout: float | None,
    state: str,
    cause: str,
) -> None:
    own = own_engine()
    load(own, engine, flow_image).close()
    hasty = Engine.connect(own.address)
    # Of the streams' silence; where there is a time limit, that is what is over first.
    hasty.deadline = 2 if timeout is None else 600
    more = {"parameters": {"seconds": 3600}, "timeout": timeout, "stop_grace": 1}
    try:
        with running(hasty, flow_image, "flow.py:silent", **more) as found:
            # Of answers: until the flow is under way a busy machine's may come later.
            hasty._wire = SocketWire(own.address, 2)
            own.freeze()
    finally:
        own.thaw()
    result: RunResult = found["result"]
    assert (result.state, result.cause, result.exit_code) == (state, cause, None)
    again = own.connect()
    for entry in again.api.containers(all=True):
        # A removal that was asked for while it was frozen may be under way.
        Container(again, entry["Id"]).remove()


def test_a_flow_may_be_silent_for_longer_than_the_deadline(engine: Engine, flow_image: str) -> None:
    with Engine.connect(engine.address) as hasty:
        # That of a container's streams alone: to a question a busy engine may answer later.
        hasty.deadline = 1
        with running(hasty, flow_image, "flow.py:silent", parameters={"seconds": 2.5}) as state:
            pass
    assert (state["result"].state, state["result"].result) == ("completed", 2.5)


def test_a_sweep_leaves_what_it_does_not_know(engine: Engine, flow_image: str) -> None:
    dead = "999999999"
    owners = [f"{host_id()}:\u00b2:1", f"{host_id()}:{'9' * 5000}:1", "", ":::", f"elsewhere:{dead}:1", "x", "a:-1:2"]
    kept = [
        Container.create(
            engine, ContainerSpec(image=flow_image, command=["true"], kind="test", labels={LABEL_OWNER: owner})
        )
        for owner in owners
    ]
    gone = Container.create(
        engine,
        ContainerSpec(image=flow_image, command=["true"], kind="test", labels={LABEL_OWNER: f"{host_id()}:{dead}:1"}),
    )
    try:
        sweep(engine)
        assert gone.inspect() is None
        assert all(one.inspect() is not None for one in kept)
    finally:
        for one in (*kept, gone):
            one.remove()
