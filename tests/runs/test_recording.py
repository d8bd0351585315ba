"""Runs as the record of runs has them, also where the process that saw to them is gone."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine, EngineImage
from imagekit.engine.containers import sweep
from imagekit.errors import (
    BaseUnusable,
    ContainerNameTaken,
    DiskFull,
    EngineError,
    EngineLost,
    InputError,
    InvalidParameters,
    StoreError,
)
from imagekit.oci.platform import Platform
from imagekit.runs.order import RunOrder
from imagekit.runs.reconcile import reconcile
from imagekit.runs.recording import Recording
from imagekit.runs.request import Request
from imagekit.runs.settings import RunSettings
from imagekit.store.store import Store
from imagekit.store.values import StoredRun, new_run_id

from .conftest import Ran
from .ordering import run_flow
from .test_faults import Script, go_on


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state") as store:
        yield store


def test_a_run_is_recorded_with_all_that_is_known_of_it(run: Ran, store: Store, engine: Engine) -> None:
    canary = secrets.token_hex(8)
    result = run(
        "flow.py:total", parameters={"n": 3}, env={"TOKEN": canary}, mem_limit="200m", store=store,
        registry_credentials={"username": "u", "password": canary, "registry_url": "registry.example.com"},
    )  # fmt: skip
    stored = store.run(result.id)
    end = stored.end
    assert end is not None
    assert (stored.state, end.result, end.exit_code, end.python) == ("completed", result.result, 0, result.python)
    assert stored.record.image_id == engine.image(run.image).id  # type: ignore[union-attr]
    assert stored.record.parameters == {"n": 3}
    assert stored.record.reference == run.image
    assert stored.record.settings["mem_limit"] == "200m"
    assert stored.record.env_names == ("TOKEN",)
    assert stored.record.source == {"kind": "baked"}
    assert (end.cpu_seconds, end.peak_memory) == (result.cpu_seconds, result.peak_memory)
    assert b"".join(piece.data for piece in store.log(result.id) if piece.stream == 1) == b"hello x\n"
    for path in store.directory.rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("entrypoint", "settings", "state", "cause"),
    [
        ("flow.py:raising", {}, "failed", None),
        ("hanging.py:flow", {"timeout": 3}, "timed-out", "timeout"),
        ("flow.py:greedy", {"mem_limit": "64m", "memswap_limit": "64m"}, "crashed", "oom"),
        ("flow.py:greedy_child", {"mem_limit": "64m", "memswap_limit": "64m"}, "failed", "oom"),
        ("flow.py:segfault", {}, "crashed", "signal"),
        ("flow.py:vanishing", {}, "crashed", "exit"),
    ],
)
def test_each_end_is_recorded(
    run: Ran, store: Store, entrypoint: str, settings: dict[str, object], state: str, cause: str | None
) -> None:
    stored = store.run(run(entrypoint, store=store, **settings).id)
    assert stored.end is not None
    assert (stored.state, stored.end.cause) == (state, cause)
    assert stored.end.error is not None


def test_a_run_that_comes_to_no_container_has_ended(engine: Engine, run: Ran, store: Store) -> None:
    with pytest.raises(InputError, match="no-such-network"):
        run_flow(engine, "flow.py:total", image=run.image, networks=["no-such-network"], store=store)
    (stored,) = store.runs()
    assert (stored.state, stored.end and stored.end.cause) == ("failed", "refused")


@pytest.mark.parametrize(
    ("error", "is_started", "state", "cause", "kind"),
    [
        (ContainerNameTaken("x"), False, "failed", "refused", "name"),
        (InvalidParameters("x"), False, "failed", "refused", "parameters"),
        (BaseUnusable("x"), False, "failed", "refused", "refused"),
        (EngineLost("x"), False, "crashed", "engine", "crash"),
        (EngineError("x"), True, "crashed", "engine", "crash"),
        (KeyError("x"), True, "crashed", "imagekit", "crash"),
    ],
)
def test_why_a_run_came_to_nothing_is_told_truly(
    store: Store, error: Exception, is_started: bool, state: str, cause: str, kind: str
) -> None:
    platform = Platform(os="linux", architecture="amd64")
    image = EngineImage(id="", diff_ids=(), tags=(), repo_digests=(), platform=platform, size=0, settings={})
    order = RunOrder(
        request=Request.of("flow.py:f", {}), settings=RunSettings(), image=image, reference="x", name="taken"
    )
    recording = Recording(store, order)
    recording.begin()
    if is_started:
        recording.started("c", "2026-01-01T10:00:00.000+00:00")
    recording.failed(error)
    end = store.run(order.run_id).end
    assert end is not None
    assert end.error is not None
    assert (end.state, end.cause, end.error["kind"]) == (state, cause, kind)


def test_nothing_is_started_that_cannot_be_recorded(engine: Engine, run: Ran, tmp_path: Path) -> None:
    name = f"imagekit-test-{secrets.token_hex(4)}"
    (tmp_path / "state").write_text("a file in its place")
    with Store.open(tmp_path / "state") as store, pytest.raises((StoreError, DiskFull, OSError)):
        run_flow(engine, "flow.py:total", image=run.image, name=name, store=store)
    assert engine.api.containers(all=True, filters={"name": name}) == []


def test_the_same_run_is_taken_over_and_not_begun_twice(engine: Engine, run: Ran) -> None:
    name, run_id = f"imagekit-test-{secrets.token_hex(4)}", new_run_id()
    first = run_flow(engine, "flow.py:give", image=run.image, name=name, run_id=run_id, parameters={"value": 1},
                     auto_remove=False)  # fmt: skip
    again = run("flow.py:give", name=name, run_id=run_id, parameters={"value": 2})
    assert (again.state, again.result, again.container_id) == ("completed", 1, first.container_id)


@pytest.fixture
def killed(engine: Engine, flow_image: str, store: Store) -> Iterator[Callable[[str, dict[str, object]], Script]]:
    started: list[Script] = []

    def start(entrypoint: str, parameters: dict[str, object]) -> Script:
        started.append(Script(engine.address, flow_image, entrypoint, parameters, 10, str(store.directory)))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def ended(store: Store) -> StoredRun:
    (stored,) = store.runs()
    return stored


def under_way(script: Script, store: Store) -> None:
    """It has said its first word, and its start is recorded, which another thread of its process sees to."""
    script.until_asleep()
    while ended(store).state != "running":
        time.sleep(0.01)


def test_a_run_whose_process_was_killed_is_stopped_and_recorded(
    killed: Callable[..., Script], engine: Engine, store: Store
) -> None:
    script = killed("flow.py:sleeping", {"seconds": 3600})
    under_way(script, store)
    script.process.send_signal(signal.SIGKILL)
    script.process.communicate()
    assert ended(store).state == "running"
    sweep(engine)
    assert len(script.containers()) == 1, "what it left behind is read before it goes"
    assert reconcile(store, engine) == 1
    stored = ended(store)
    assert (stored.state, stored.end and stored.end.cause) == ("crashed", "worker")
    assert script.containers() == []
    assert reconcile(store, engine) == 0


def test_a_run_that_ended_after_its_process_was_killed_is_what_it_says(
    killed: Callable[..., Script], engine: Engine, store: Store
) -> None:
    script = killed("flow.py:waiting", {})
    under_way(script, store)
    script.process.send_signal(signal.SIGKILL)
    script.process.communicate()
    (container,) = script.containers()
    go_on(engine, container["Id"])
    engine.api.wait(container["Id"])
    assert reconcile(store, engine) == 1
    stored = ended(store)
    assert (stored.state, stored.end and stored.end.result) == ("completed", "told")
    assert script.containers() == []


def test_a_run_whose_container_is_gone_as_well(killed: Callable[..., Script], engine: Engine, store: Store) -> None:
    script = killed("flow.py:sleeping", {"seconds": 3600})
    under_way(script, store)
    script.process.send_signal(signal.SIGKILL)
    script.process.communicate()
    for each in script.containers():
        engine.api.remove_container(each["Id"], force=True)
    assert reconcile(store, engine) == 1
    stored = ended(store)
    assert (stored.state, stored.end and stored.end.cause) == ("crashed", "removed")
