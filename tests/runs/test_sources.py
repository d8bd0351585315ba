"""Flows whose source is not the image's: mounted, fetched, copied in; in the record, and refused with no engine."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import ImagekitError, InvalidEntrypoint, InvalidParameters
from imagekit.running import DockerFlowRunner, run
from tests.own_repositories import Repository

FLOW = """
import os
import sys

from helper import value


def etl(n: int = 1):
    return [n, value, os.getcwd(), sys.path[:1]]


def packaged():
    from orders import price
    return price


def writes():
    for name in ("here", __file__):
        try:
            open(name, "w")
        except OSError as error:
            print(error.strerror)
"""
SOURCE = "/.imagekit/source"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "orders")
    found.commit({"flow.py": FLOW, "helper.py": "value = 'one'\n", "src/orders/__init__.py": "price = 3\n"})
    return found


class Command:
    """``imagekit …`` in a directory, with a state and a cache of its own."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.directory = directory
        own = {"XDG_STATE_HOME": str(directory / ".state"), "IMAGEKIT_CACHE_DIR": str(directory / ".cache")}
        self.env = {**os.environ, **own, **env}

    def __call__(self, *arguments: str, before: tuple[str, ...] = (), **more: Any) -> subprocess.CompletedProcess[str]:
        argv = [*before, sys.executable, "-m", "imagekit", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, env=self.env, cwd=self.directory, **more)

    def json(self, *arguments: str, **more: Any) -> Mapping[str, Any]:
        done = self(*arguments, "--json", **more)
        assert done.returncode == 0, done.stderr
        found: Mapping[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def command(engine: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, IMAGEKIT_ENGINE=engine.address)


@pytest.fixture
def here(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process with a state and a cache of the test's own."""
    monkeypatch.setenv("IMAGEKIT_ENGINE", engine.address)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    monkeypatch.setenv("IMAGEKIT_CACHE_DIR", str(tmp_path / ".cache"))


@contextmanager
def elsewhere(engine: Engine) -> Iterator[str]:
    """The address of the engine as one of another machine: it has its own files, as far as its client knows."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def pipe(source: socket.socket, target: socket.socket) -> None:
            try:
                while data := source.recv(1 << 16):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                return

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                there = socket.socket(socket.AF_UNIX)
                there.connect(engine.address.removeprefix("unix://"))
                for pair in ((client, there), (there, client)):
                    threading.Thread(target=pipe, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_working_tree_and_what_is_recorded(command: Command, repository: Repository, flow_image: str) -> None:
    own = ("run", "flow.py:etl", "--image", flow_image, "--network-mode", "none", "--source", "orders")
    first = command.json(*own, "-p", "n=3")
    assert first["result"] == [3, "one", SOURCE, [SOURCE]]
    commit = repository.git("rev-parse", "HEAD")
    assert first["source"]["commit"] == commit
    assert first["source"]["dirty"] is False
    (repository.path / "helper.py").write_text("value = 'two'\n")
    second = command.json(*own)
    assert second["result"][:2] == [1, "two"]
    inspected = command.json("flow-run", "inspect", second["id"])
    path = str(repository.path)
    assert inspected["source"] == {"kind": "mounted", "path": path, "url": None, "commit": commit, "dirty": True}
    shown = command("flow-run", "inspect", second["id"]).stdout
    assert commit in shown
    assert '"dirty": true' in shown
    # Nobody writes there, and the image's own files are as they were.
    written = command.json("run", "flow.py:writes", *own[2:])
    assert command("flow-run", "logs", written["id"]).stdout == "Read-only file system\n" * 2
    assert not (repository.path / "here").exists()


def test_a_commit_and_another(here: None, repository: Repository, flow_image: str) -> None:
    repository.git("tag", "v1")
    repository.commit({"helper.py": "value = 'two'\n", "deep/flow.py": FLOW, "deep/helper.py": "value = 'deep'\n"})
    runner = DockerFlowRunner(flow_image, network_mode="none")
    url = f"git+{repository.url}"
    first = runner.run("flow.py:etl", source=f"{url}@v1", read_only=True)
    second = runner.run("flow.py:etl", source=url, workdir="/tmp")
    deep = runner.run("flow.py:etl", source=f"{url}@main#subdirectory=deep")
    assert first.result == [1, "one", SOURCE, [SOURCE]]
    assert second.result == [1, "two", "/tmp", [SOURCE]]
    assert deep.result == [1, "deep", f"{SOURCE}/deep", [f"{SOURCE}/deep"]]
    commits = [each.source["commit"] for each in (first, second)]
    assert commits == [repository.git("rev-parse", "v1"), repository.git("rev-parse", "HEAD")]
    assert (deep.source["ref"], deep.source["subdirectory"]) == ("main", "deep")
    # The packages below src are found, as they are where the project is installed.
    assert runner.run("flow.py:packaged", source=f"{url}@v1").result == 3


def test_an_engine_elsewhere_gets_a_copy(
    engine: Engine, here: None, repository: Repository, flow_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.path / ".venv").mkdir()
    (repository.path / ".venv" / "pyvenv.cfg").touch()
    (repository.path / "helper.py").chmod(0o600)
    written: list[bytes] = []
    runner = DockerFlowRunner(flow_image, network_mode="none")
    with elsewhere(engine) as address:
        monkeypatch.setenv("IMAGEKIT_ENGINE", address)
        mounted = runner.run("flow.py:etl", source=repository.path)
        fetched = runner.run("flow.py:etl", source=f"git+{repository.url}", read_only=True)
        runner.run("flow.py:writes", source=repository.path, on_output=lambda _, data: written.append(data))
    assert mounted.result == fetched.result == [1, "one", SOURCE, [SOURCE]]
    assert b"".join(written) == b"Permission denied\n" * 2


def test_an_engine_that_has_other_files_than_this_process(
    command: Command, repository: Repository, flow_image: str, tmp_path: Path
) -> None:
    """As behind a socket that was handed into a container: what is to be mounted is not there."""
    own = tmp_path / "own"
    own.mkdir()
    script = f'mount -t tmpfs tmpfs {own} && cp -r {repository.path} {own}/orders && exec "$@"'
    found = command.json(
        *("run", "flow.py:etl", "--image", flow_image, "--network-mode", "none", "--source", str(own / "orders")),
        before=("unshare", "--mount", "sh", "-c", script, "sh"),
    )
    assert found["result"] == [1, "one", SOURCE, [SOURCE]]


def test_files_that_the_containers_user_may_not_read(command: Command, repository: Repository, flow_image: str) -> None:
    repository.path.chmod(0o700)
    own = ("run", "flow.py:etl", "--image", flow_image, "--network-mode", "none", "--source", "orders", "--json")
    found = json.loads(command(*own).stdout)
    assert found["error"]["message"].startswith(f"the user 1234 may not read {SOURCE}/flow.py")


def test_from_python(here: None, repository: Repository, flow_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("flow.py:etl", image=flow_image, source=repository.path, network_mode="none")
    assert found.result[1] == "one"
    assert found.source["kind"] == "mounted"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    repository.commit({"helper.py": "value = 'two'\n", "data.bin": pointer})
    runner = DockerFlowRunner(flow_image, source=f"git+{repository.url}@main", network_mode="none")
    fetched = runner.run("flow.py:etl", parameters={"n": 2})
    assert fetched.result[:2] == [2, "two"]
    assert fetched.warnings == ("Git LFS keeps the content of data.bin, which is not fetched: flows see the pointers",)
    assert runner.run("flow.py:etl", source=repository.path).source["kind"] == "mounted"
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere.sock")
    with pytest.raises(InvalidParameters, match="takes no parameter 'm'"):
        runner.run("flow.py:etl", {"m": 1})
    with pytest.raises(InvalidEntrypoint, match=r"nope.py is not there \(source: file://.* at [0-9a-f]{12}\)"):
        runner.run("nope.py:etl")


def test_without_an_image_the_sources_project_is_built(command: Command, repository: Repository) -> None:
    """What it needs goes into an image, and its files come along."""
    name = f"orders-{secrets.token_hex(4)}"
    repository.commit({"pyproject.toml": f'[project]\nname = "{name}"\nversion = "1"\ndependencies = []\n'})
    done = command("run", "flow.py:etl", "--source", f"git+{repository.url}@main", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    try:
        assert found["reference"].startswith(name)
        assert found["result"] == [1, "one", SOURCE, [SOURCE]]
        assert found["source"]["kind"] == "git"
    finally:
        subprocess.run(["docker", "rmi", found["reference"]], check=True, capture_output=True)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"source": "nowhere"}, "nowhere is not there"),
    ({"source": "/"}, "source: / is all of the host's files"),
    ({"source": "/run"}, "hands the engine's socket"),
    # All of the host's files, or what not even root may follow.
    ({"source": "/proc/1/root"}, "source: "),
    ({"volumes": ["/proc/1/root:/h"]}, "volumes: "),
    ({"source": "--upload-pack=x"}, "looks like an option"),
    ({"source": "ext::sh -c true"}, "would start a program of git's"),
    ({"source": "git+https://me:canary@example.com/r"}, "has a user or password in it"),
    ({"source": "git+https://example.com/r", "source_secret": "no-such-one"}, "there is no secret 'no-such-one'"),
    ({"source": "orders", "source_secret": "token"}, "a directory takes no secret"),
    ({"source_secret": "token"}, "goes with source, and none is given"),
    ({"source": "orders", "parameters": {"m": 1}}, "takes no parameter 'm'"),
    ({"source": "git+file:orders@nowhere"}, "no branch, tag or commit 'nowhere'"),
    ({"source": "git+file:orders#subdirectory=flow.py"}, "has no directory 'flow.py'"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refused_with_no_engine(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "IMAGEKIT_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / f".{name}"))
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere.sock")
    with pytest.raises(ImagekitError) as caught:
        run("flow.py:etl", image="orders:v1", **given)
    assert words in caught.value.message
    assert caught.value.hint
    assert "canary" not in str(caught.value.to_json())


def test_a_refusal_by_the_command(tmp_path: Path) -> None:
    command = Command(tmp_path, IMAGEKIT_ENGINE="unix:///nowhere.sock")
    own = ("run", "flow.py:etl", "--image", "orders:v1", "--source-secret", "token")
    done = command(*own, "--source", "git+https://me:canary@example.com/r")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 2
    assert "canary" not in done.stderr
    assert "imagekit secret set NAME; then --source-secret NAME" in done.stderr
    assert "--source-secret goes with --source" in command(*own).stderr
