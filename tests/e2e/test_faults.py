"""Faults, produced on real engines: what is said, what is left, and that the next build works."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.export.engine_load import LOADING

from ..own_engine import OwnEngine
from .conftest import PROGRAM, Imagekit, WriteProject
from .wheels import write_wheel

MakeEngine = Callable[..., OwnEngine]
HANGING = "import time\n\n{mark}\nprint('importing', flush=True)\ntime.sleep({seconds})\n\n\ndef etl():\n    return 1\n"


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read what ``process`` says on stderr up to a line with ``words``."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return
    raise AssertionError(f"it ended without {words!r}:\n{said}")


@pytest.fixture
def started(imagekit: Imagekit) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start(*words: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        processes.append(imagekit.start(*words, env=env))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def containers_of(engine: Engine, process: subprocess.Popen[str]) -> list[str]:
    found = engine.api.containers(all=True, filters={"label": "imagekit.owner"})
    return [c["Id"] for c in found if f":{process.pid}:" in c["Labels"]["imagekit.owner"]]


def loading_tags(engine: Engine, process: subprocess.Popen[str]) -> list[str]:
    """Temporary names of images that ``process`` gave."""
    return [tag for tag in engine.tags(LOADING) if f"-{process.pid}-" in tag]


def images_marked(engine: Engine, mark: str) -> list[str]:
    return [image["Id"] for image in engine.api.images(all=True, filters={"label": f"tests.mark={mark}"})]


@pytest.fixture
def hanging(project: WriteProject, no_index: str) -> Path:
    """A project whose flow does not end being imported, so that the health check is there to be met."""
    return project(
        {
            "requirements.txt": f"{no_index}alpha==1.0\n",
            "flow.py": HANGING.format(seconds=3600, mark=f"# {secrets.token_hex(8)}"),
            "imagekit.toml": 'entrypoints = ["flow.py:etl"]\n',
        }
    )


@pytest.fixture
def large(project: WriteProject, tmp_path: Path) -> Path:
    """A project whose one wheel takes seconds to become a layer."""
    body = "".join(f"def f{n}(a, b={n}):\n    return [a + {n}, b, '{n}'] if a else {{b: a}}\n" for n in range(120))
    mark = secrets.token_hex(8)
    files = {f"large/m{n}.py": f"MARK = {mark!r}\n{body}" for n in range(600)}
    write_wheel(tmp_path / "large", "large", "1.0", files)
    return project({"requirements.txt": "--no-index\n--find-links ../large\nlarge\n"})


def test_three_ways_of_having_no_engine(imagekit: Imagekit, project: WriteProject, tmp_path: Path) -> None:
    root = project({"requirements.txt": "six\n"})

    def error(address: Path, *before: str) -> tuple[str, str]:
        done = subprocess.run(
            [*before, PROGRAM, "build", str(root)],
            capture_output=True,
            text=True,
            env={**imagekit.env, "IMAGEKIT_ENGINE": f"unix://{address}", "IMAGEKIT_DEBUG": "0"},
        )
        assert (done.returncode, done.stdout) == (3, ""), done.stderr
        lines = done.stderr.splitlines()
        assert "Traceback" not in done.stderr
        assert lines[0].startswith("error: ")
        return lines[0], lines[-1]

    missing, hint = error(tmp_path / "missing.sock")
    assert "does not exist" in missing
    assert "imagekit doctor" in hint

    closed = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(closed))
        listening.listen()
        closed.chmod(0)
        # Root without the capability to pass over permissions, as any user is.
        unprivileged = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
        forbidden, hint = error(closed, *unprivileged)
    assert "no permission" in forbidden
    assert "group 'docker'" in hint

    stale, hint = error(closed)
    assert "is not running" in stale
    assert "start" in hint


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_what_answers_is_no_engine(imagekit: Imagekit, project: WriteProject, tmp_path: Path, answer: bytes) -> None:
    root = project({"requirements.txt": "six\n"})
    address = tmp_path / "junk.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(ConnectionError):
                    asked = connection.recv(65536)
                    if asked == b"end":
                        return
                    connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        try:
            error = imagekit.refused("build", root, env={"IMAGEKIT_ENGINE": f"unix://{address}"})
        finally:
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(address))
                last.sendall(b"end")
            server.join()
    assert (error["error"], error["exit_code"]) == ("NotAnEngine", 3)
    assert error["hint"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("phase", ["layers", "check"])
def test_a_signal_in_a_build_leaves_nothing(
    imagekit: Imagekit,
    started: Callable[..., subprocess.Popen[str]],
    engine: Engine,
    request: pytest.FixtureRequest,
    phase: str,
    number: signal.Signals,
    code: int,
) -> None:
    root: Path = request.getfixturevalue("large" if phase == "layers" else "hanging")
    reference, mark = f"{imagekit.name()}:v1", secrets.token_hex(8)
    words = ("build", root, "--tag", reference, "--label", f"tests.mark={mark}")
    process = started(*words)
    until(process, {"layers": "making layers", "check": "checking the image"}[phase])
    if phase == "check":
        while not containers_of(engine, process):
            time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (code, ""), err
    assert "Traceback" not in err
    assert containers_of(engine, process) == []
    assert images_marked(engine, mark) == []
    assert list((imagekit.cwd / "tmp").iterdir()) == []
    cache = Path(imagekit.env["IMAGEKIT_CACHE_DIR"])
    assert [str(path) for path in cache.rglob(".new-*")] == []

    if phase == "check":
        (root / "flow.py").write_text("def etl():\n    return 1\n")
    assert imagekit.json(*words)["reference"] == reference


def test_what_sigkill_leaves_is_swept_by_the_next_build(
    imagekit: Imagekit, started: Callable[..., subprocess.Popen[str]], engine: Engine, hanging: Path
) -> None:
    reference = f"{imagekit.name()}:v1"
    process = started("build", hanging, "--tag", reference)
    until(process, "checking the image")
    while not containers_of(engine, process):
        time.sleep(0.02)
    # Looked at before: once it is dead, another test's program may sweep what it left.
    assert len(containers_of(engine, process)) == 1
    assert len(loading_tags(engine, process)) == 1
    process.kill()
    process.communicate()
    assert engine.image(reference) is None
    (hanging / "flow.py").write_text("def etl():\n    return 1\n")
    assert imagekit.json("build", hanging, "--tag", reference)["up_to_date"] is False
    assert containers_of(engine, process) == []
    assert loading_tags(engine, process) == []


def test_sigkill_while_layers_are_made(
    imagekit: Imagekit, started: Callable[..., subprocess.Popen[str]], engine: Engine, large: Path, tmp_path: Path
) -> None:
    reference = f"{imagekit.name()}:v1"
    # A cache of its own: half a layer is left in it, which the next test would find.
    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(tmp_path / "cache")
    process = started("build", large, "--tag", reference)
    until(process, "making layers")
    process.kill()
    process.communicate()
    assert engine.image(reference) is None
    built = imagekit.json("build", large, "--tag", reference)
    (layer,) = [layer for layer in built["layers"] if layer["packages"]]
    assert (layer["packages"], layer["cached"]) == (["large==1.0"], False)
    assert containers_of(engine, process) == []


def test_a_signal_in_a_dockerfiles_step(
    imagekit: Imagekit,
    started: Callable[..., subprocess.Popen[str]],
    project: WriteProject,
    engine: Engine,
    python_image: str,
) -> None:
    mark = secrets.token_hex(8)
    root = project({"Dockerfile": f"FROM {python_image}\nRUN : {mark}; echo asleep-$((40+2)) && sleep 3600\n"})
    reference = f"{imagekit.name()}:v1"
    process = started("build", root, "--tag", reference, "--dockerfile", "Dockerfile")
    until(process, "asleep-42")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert engine.image(reference) is None
    assert processes_with(reference) == []
    while processes_with(mark):
        # The engine hears of it by the connection that was closed.
        time.sleep(0.1)


def processes_with(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_text(errors="replace")
            except OSError:
                continue
            if word in line:
                found.append(line.replace("\0", " "))
    return found


@pytest.mark.xdist_group("own_engine")
class TestOwnEngine:
    """Faults of an engine that may be harmed."""

    @pytest.fixture
    def ours(self, own_engine: MakeEngine, engine: Engine, python_image: str) -> OwnEngine:
        ours = own_engine()
        with ours.connect() as connected:
            if connected.image(python_image) is None:
                connected.load(engine.save(python_image))
        return ours

    def test_killed_in_a_build_step(
        self,
        imagekit: Imagekit,
        started: Callable[..., subprocess.Popen[str]],
        ours: OwnEngine,
        project: WriteProject,
        python_image: str,
    ) -> None:
        text = f"FROM {python_image}\nRUN --network=none echo finished > /first\nCOPY seconds /seconds\n"
        text += "RUN --network=none echo asleep-$((40+2)) && sleep $(cat /seconds)\n"
        root = project({"Dockerfile": text, "seconds": "3600"})
        env = {"IMAGEKIT_ENGINE": ours.address}
        words = ("build", root, "--tag", f"{imagekit.name()}:v1", "--dockerfile", "Dockerfile")
        process = started(*words, env=env)
        until(process, "asleep-42")
        ours.kill()
        _, err = process.communicate()
        assert process.returncode == 3, err
        assert "went away" in err
        assert "hint: start it" in err
        (root / "seconds").write_text("0")
        ours.start()
        again = imagekit(*words, env=env)
        assert again.returncode == 0, again.stderr
        steps = again.stderr.splitlines()
        (first,) = [line.split()[0] for line in steps if "echo finished" in line]
        assert f"{first} CACHED" in steps

    @pytest.mark.soak
    def test_frozen_for_a_while(
        self,
        imagekit: Imagekit,
        started: Callable[..., subprocess.Popen[str]],
        ours: OwnEngine,
        large: Path,
        python_image: str,
    ) -> None:
        env = {"IMAGEKIT_ENGINE": ours.address}
        reference = f"{imagekit.name()}:v1"
        process = started("build", large, "--tag", reference, "--base-image", python_image, env=env)
        until(process, "making layers")
        ours.freeze()
        try:
            time.sleep(15)
            assert process.poll() is None
        finally:
            ours.thaw()
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert reference in out
        with ours.connect() as connected:
            assert connected.image(reference) is not None
            assert connected.api.containers(all=True) == []

    def test_killed_while_layers_are_made(
        self,
        imagekit: Imagekit,
        started: Callable[..., subprocess.Popen[str]],
        ours: OwnEngine,
        large: Path,
        python_image: str,
    ) -> None:
        env = {"IMAGEKIT_ENGINE": ours.address}
        words = ("build", large, "--tag", f"{imagekit.name()}:v1", "--base-image", python_image)
        process = started(*words, env=env)
        until(process, "making layers")
        ours.kill()
        _, err = process.communicate()
        assert process.returncode == 3, err
        assert "went away" in err
        ours.start()
        assert imagekit(*words, env=env).returncode == 0
        with ours.connect() as connected:
            assert connected.api.containers(all=True) == []
