"""Run settings on the real engine: what a flow finds of them."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import ContainerNameTaken, EngineError, InputError, RunError
from imagekit.runs.values import SerializedResult

from .conftest import FILES, Ran
from .ordering import run_flow

# As a foreign image is: root's, and its files for all to read.
ROOTS = """
FROM {base}
RUN command -v python || ln -s "$(command -v python3)" /usr/local/bin/python
COPY app /app
RUN chmod 700 /root
USER root
WORKDIR /app
"""


@pytest.fixture(scope="session")
def roots_image(build_image: Callable[..., str], python_image: str) -> str:
    return build_image(ROOTS.format(base=python_image), FILES)


@pytest.fixture
def network(engine: Engine) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        name = f"imagekit-test-{secrets.token_hex(4)}"
        made.append(engine.api.create_network(name)["Id"])
        return name

    yield make
    for each in made:
        engine.api.remove_network(each)


def test_a_flow_in_an_image_of_roots_is_not_root_unless_it_is_said(run: Ran, roots_image: str) -> None:
    assert run("flow.py:home", image=roots_image).result == [65534, "/.imagekit/home"]
    assert run("flow.py:home", image=roots_image, user="root").result == [0, "/root"]
    assert run("flow.py:home", image=roots_image, user=4321, env={"HOME": "/tmp"}).result == [4321, "/tmp"]


def test_what_root_alone_may_write_says_who_runs(run: Ran, roots_image: str) -> None:
    parameters = {"path": "/app/kept", "text": "x"}
    error = run("flow.py:keeping", image=roots_image, parameters=parameters).error
    assert error is not None
    assert error.type == "PermissionError"
    assert "--user root" in str(error.hint)
    assert run("flow.py:keeping", image=roots_image, parameters=parameters, user="root").result == "x"


def test_limits(run: Ran) -> None:
    found = run("flow.py:limits", mem_limit="100m", pids=64, shm_size="8m", cpus=0.5).result
    assert found == {"memory": 100 << 20, "pids": 64, "shm": 8 << 20}


def test_what_a_run_took_is_measured(run: Ran) -> None:
    result = run("flow.py:busy")
    assert result.result == 100 << 20
    assert result.cpu_seconds is not None
    assert 0.5 <= result.cpu_seconds < 60
    assert result.peak_memory is not None
    assert result.peak_memory > 100 << 20


def test_mounts(run: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    monkeypatch.chdir(tmp_path)
    kept = {"path": "/data/kept", "text": "from the flow"}
    assert run("flow.py:keeping", parameters=kept, volumes=["./data:/data"]).result == "from the flow"
    assert (tmp_path / "data" / "kept").read_text() == "from the flow"
    error = run("flow.py:keeping", parameters=kept, volumes=["./data:/data:ro"]).error
    assert error is not None
    assert "Read-only" in error.message
    with pytest.raises(InputError, match="does not exist"):
        run("flow.py:keeping", parameters=kept, volumes=["./nowhere:/data"])
    assert not (tmp_path / "nowhere").exists()


def test_networks(run: Ran, network: Callable[[], str]) -> None:
    assert run("flow.py:interfaces").result == ["lo"]
    assert run("flow.py:interfaces", networks=[network(), network()]).result == ["eth0", "eth1", "lo"]
    # Those of other tests' containers come and go.
    stay = {name for name in os.listdir("/sys/class/net") if not name.startswith(("veth", "br-"))}
    assert stay <= set(run("flow.py:interfaces", network_mode="host").result)
    with pytest.raises(InputError, match="no-such-network"):
        run("flow.py:interfaces", networks=["no-such-network"])


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"cap_add": ["FOO"]}, "capabilities(7)"),
        ({"cpus": 5000}, "at most"),
        ({"user": "nosuch"}, "one that the image has"),
        ({"network_mode": "container:no-such-container"}, "docker ps"),
        ({"container_create_kwargs": {"security_opt": ["x"]}}, "correct"),
    ],
)
def test_settings_that_the_engine_alone_knows_to_be_wrong(run: Ran, settings: dict[str, Any], hint: str) -> None:
    with pytest.raises(InputError, match="the engine refused the run's settings") as caught:
        run("flow.py:total", **settings)
    assert hint in str(caught.value.hint)


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']}{self.path}".encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server on all of this machine's addresses."""
    with ThreadingHTTPServer(("0.0.0.0", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("mode", ["bridge", "host"])
def test_localhost_in_a_known_variable_is_this_machine(run: Ran, port: int, mode: str) -> None:
    env = {"PREFECT_API_URL": f"http://localhost:{port}/api"}
    found = run("flow.py:asking", parameters={"variable": "PREFECT_API_URL"}, env=env, network_mode=mode).result
    assert found == f"{'localhost' if mode == 'host' else 'host.docker.internal'}:{port}/api"


def test_gpus_where_there_are_none(run: Ran) -> None:
    with pytest.raises(EngineError, match="nothing that gives GPUs") as caught:
        run("flow.py:limits", gpus="all")
    assert "could not select device driver" in str(caught.value.details)


def test_a_result_by_another_serializer_is_loaded_when_it_is_asked_for(run: Ran) -> None:
    result = run("flow.py:no_json", parameters={"number": 3}, serializer="pickle").result
    assert isinstance(result, SerializedResult)
    assert result.load() == {3: 3 + 1j}
    assert result.to_json() == {"serializer": "pickle", "bytes": len(result.data)}
    with pytest.raises(RunError, match="cannot be read by pickle"):
        SerializedResult(serializer="pickle", data=b"x").load()
    by_name = run("flow.py:no_json", parameters={"number": 3}, serializer="marshal:dumps")
    assert (by_name.state, by_name.error and by_name.error.kind) == ("failed", "result-not-serializable")
    failed = run("flow.py:unpicklable", serializer="pickle")
    assert failed.error is not None
    assert (failed.error.kind, failed.error.type) == ("result-not-serializable", "function")
    assert "pickle" in failed.error.message


def test_a_command_of_ones_own(run: Ran) -> None:
    assert run("flow.py:give", parameters={"value": 3}, command="python -u /.imagekit/bootstrap.py").result == 3
    plain = run("flow.py:give", parameters={"value": 3}, command=["python", "-c", "print('mine')"])
    assert (plain.state, plain.result, run.output[1]) == ("completed", None, b"mine\n")
    failed = run("flow.py:give", parameters={"value": 3}, command=["python", "-c", "raise SystemExit(3)"])
    assert (failed.state, failed.exit_code, failed.error and failed.error.kind) == ("failed", 3, "exit")


def test_a_container_that_is_to_stay(engine: Engine, flow_image: str) -> None:
    from imagekit.engine.containers import KEPT, sweep

    from .ordering import run_flow

    result = run_flow(engine, "flow.py:total", image=flow_image, auto_remove=False)
    try:
        # Other tests' runs have this engine as well: those are not over.
        sweep(engine, lambda recorded: recorded in (KEPT, result.id))
        found = engine.api.inspect_container(result.container_id)
        assert (found["State"]["Status"], found["State"]["ExitCode"]) == ("exited", 0)
        assert engine.api.logs(result.container_id, stderr=False) == b"hello x\n"
    finally:
        engine.api.remove_container(result.container_id, force=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"command": "nosuchprogram"}, "has no program 'nosuchprogram'"),
        ({"command": ["/etc/hostname"]}, "does not let this user execute '/etc/hostname'"),
        ({"container_create_kwargs": {"entrypoint": ["/nosuch/tini", "--"]}}, "has no program '/nosuch/tini'"),
    ],
)
def test_a_command_that_the_image_does_not_have(
    engine: Engine, flow_image: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=rf"(?m)^{flow_image} {words}$"):
        run_flow(engine, "flow.py:total", image=flow_image, **settings)


def test_a_name_that_is_taken(run: Ran, engine: Engine) -> None:
    name = f"imagekit-test-{secrets.token_hex(4)}"
    taken = engine.api.create_container(run.image, ["true"], name=name)["Id"]
    try:
        with pytest.raises(ContainerNameTaken, match="already in use") as caught:
            run("flow.py:total", name=name)
        assert caught.value.hint == f"choose another name, or: docker rm -f {name}"
        assert engine.api.inspect_container(name)["Id"] == taken
    finally:
        engine.api.remove_container(taken)
