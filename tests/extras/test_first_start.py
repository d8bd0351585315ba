"""A first start: packages in the flow's own container, while the image with them is made."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import LABEL_OWNER, labelled
from imagekit.errors import WheelRefused
from imagekit.extras import completing
from imagekit.extras.derive import check_extras
from imagekit.extras.promote import bake, extra_of
from imagekit.extras.values import LABEL_LOCK
from imagekit.pipeline import Pipeline
from imagekit.running import Asked, Prepared, carry_out, prepare
from imagekit.running import Machine as Running
from imagekit.runs.adding import takes_files
from imagekit.runs.settings import RunSettings
from imagekit.runs.values import RunResult
from imagekit.runs.watch import Sink
from imagekit.spec.entrypoint import Entrypoint
from imagekit.stages.probe import read_to_start
from imagekit.store.store import Store

from ..e2e.wheels import write_wheel
from ..lock.indexed import Telling
from ..own_engine import OwnEngine
from .conftest import Machine, Output

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras")

# All that lies where packages do, but for what other tests' images have: the same in a container and in the image.
FLOW = """
import time



def see(top="plug"):
    import hashlib, importlib, os

    module = importlib.import_module(top)
    site, found = os.path.dirname(module.__file__), {}
    for directory, _, names in os.walk(site):
        for name in [*names, "."]:
            path = os.path.normpath(os.path.join(directory, name))
            about = os.lstat(path)
            digest = hashlib.sha256(open(path, "rb").read()).hexdigest() if os.path.isfile(path) else ""
            found[path] = [oct(about.st_mode), about.st_uid, about.st_gid, digest]
    return {"files": found, "user": os.getuid(), "version": module.VERSION}


def wait():
    import plug

    print("imported", flush=True)
    time.sleep(600)


def shared():
    import common

    return common.WHOSE


def bad():
    import plug

    print("imported", flush=True)
    raise ValueError("no")
"""


@pytest.fixture(scope="module")
def flows(make_image: Callable[..., str]) -> str:
    """A distribution's Python with flows; its user is no root."""
    text = base64.b64encode(FLOW.encode()).decode()
    user = "RUN useradd -u 4711 -m worker\nUSER worker\nWORKDIR /srv\n"
    return make_image(f"RUN echo {text} | base64 -d > /srv/flow.py\n", user)


class Starting:
    """``start("flow.py:see", "plug")``: a run as the command line does it, on a machine of its own."""

    def __init__(self, machine: Machine, image: str) -> None:
        self.machine, self.image, self.told = machine, image, Telling()

    def __call__(
        self,
        flow: str,
        text: str,
        on_output: Sink | None = None,
        on_prepared: Callable[[Prepared], object] = lambda prepared: None,
        parameters: dict[str, Any] | None = None,
        **settings: Any,
    ) -> RunResult:
        own = self.machine.settings()
        given = {"image": self.image, "env": {"EXTRA_PIP_PACKAGES": text}, "network_mode": "none", **settings}
        with Running(own, Telling(), lambda: Pipeline(own)) as here:
            asked = Asked(
                entrypoint=Entrypoint.parse(f"flow.py:{flow}"),
                settings=RunSettings.of(given),
                parameters=parameters or {},
            )
            prepared = prepare(here, asked)
            on_prepared(prepared)
            return carry_out(prepared, on_output=on_output, reporting=lambda: nullcontext(self.told))

    def first(self, flow: str, text: str, **more: Any) -> RunResult:
        """One that is known to be a first start."""

        def look(prepared: Prepared) -> None:
            assert prepared.first is not None

        return self(flow, text, on_prepared=look, **more)

    def second(self, flow: str, text: str, **more: Any) -> RunResult:
        """One in an image."""

        def look(prepared: Prepared) -> None:
            assert prepared.first is None

        return self(flow, text, on_prepared=look, **more)

    def recorded(self, run_id: str) -> Any:
        with Store.open(self.machine.settings().state_dir) as store:
            return store.run(run_id)


@pytest.fixture
def start(machine: Machine, flows: str) -> Starting:
    return Starting(machine, flows)


def test_the_container_has_the_files_of_the_image(start: Starting, machine: Machine, engine: Engine) -> None:
    machine.add("needed", "1.0")
    files = {
        "plug/__init__.py": f"import plug.used\nVERSION = {secrets.token_hex(8)!r}\n",
        **{f"plug/{name}.py": f"MARK = {secrets.token_hex(8)!r}\n" for name in ("used", "unused")},
        "plug/tests/__init__.py": "import plug\n",
        "plug-1.0.data/scripts/tool": "#!python\nprint()\n",
    }
    write_wheel(machine.wheels, "plug", "1.0", files, requires=["needed"], scripts={"plug": "plug:main"})
    first = start.first("see", "plug")
    assert (first.state, first.result["user"], first.warnings) == ("completed", 4711, ())
    image = engine.image(first.image)
    assert image is not None
    recorded = start.recorded(first.id)
    assert (recorded.record.image_id, recorded.end.image_id) == (image.id, image.id)
    assert first.extras is not None
    assert first.extras["packages"] == ["needed==1.0", "plug==1.0"]
    assert (first.extras["lock_digest"], first.extras["image"]) == (image.labels[LABEL_LOCK], image.tags[0])
    second = start.second("see", "plug")
    assert second.image == first.image
    ours, theirs = first.result["files"], second.result["files"]
    assert [path for path in ours if ours[path] != theirs[path]] == []
    more = {path for path in theirs if path not in ours}
    assert {os.path.basename(path).partition(".")[0] for path in more} <= {"unused", "__pycache__"}
    compiled = {os.path.basename(path).partition(".")[0] for path in ours if path.endswith(".pyc")}
    assert compiled == {"__init__", "used"}
    assert start.told.lines == []


@pytest.mark.parametrize("kind", ["read-only", "kept", "mounted"])
def test_where_nothing_can_be_put_the_image_is_made_first(
    start: Starting, machine: Machine, engine: Engine, tmp_path: Path, kind: str
) -> None:
    machine.add("plug", "1.0")
    (tmp_path / "own").mkdir()
    settings: dict[str, dict[str, Any]] = {
        "read-only": {"read_only": True},
        "kept": {"auto_remove": False},
        "mounted": {"volumes": [f"{tmp_path / 'own'}:/usr/local/lib/own"]},
    }
    result = start.second("bad" if kind == "kept" else "see", "plug", **settings[kind])
    try:
        assert result.state == ("failed" if kind == "kept" else "completed")
        image = engine.image(result.image)
        assert image is not None
        assert LABEL_LOCK in image.labels
        assert list((tmp_path / "own").iterdir()) == []
    finally:
        if kind == "kept":
            engine.api.remove_container(result.name, force=True)


def test_what_is_mounted_where(engine: Engine, flows: str, tmp_path: Path) -> None:
    image = engine.image(flows)
    assert image is not None
    base = read_to_start(engine, flows, image, tmp_path, Telling())

    def takes(**settings: Any) -> bool:
        return takes_files(RunSettings.of(settings), base, ["/usr/local", "/usr/include/python3.11"], cwd="/")

    assert takes()
    assert takes(volumes=["/data:/data", "/x:/usr/localized"])
    for target in ("/usr/local", "/usr/local/bin/x", "/usr", "/usr/include", "/usr/lib/../local"):
        assert not takes(volumes=[f"/data:{target}"]), target
    assert not takes(container_create_kwargs={"tmpfs": {"/usr/local/lib": ""}})
    assert not takes(container_create_kwargs={"storage_opt": {"size": "1G"}})
    assert not takes(read_only=True)
    assert not takes(auto_remove=False)


@pytest.mark.soak
def test_of_a_file_that_two_have_the_one_of_the_image_is_there(start: Starting, machine: Machine) -> None:
    for name, size in (("one", 1), ("two", 200_000), ("three", 50_000)):
        files = {"common.py": f"WHOSE = {name!r}\n", f"{name}.txt": secrets.token_hex(size)}
        write_wheel(machine.wheels, name, "1.0", files)
    first = start.first("shared", "one two three")
    # What is told of it is told by who makes the image.
    assert [line for line in start.told.lines if "common.py" in line]
    assert first.result == start.second("shared", "one two three").result


def test_what_cannot_be_together_is_refused(start: Starting, machine: Machine, engine: Engine) -> None:
    write_wheel(machine.wheels, "one", "1.0", {"x/y.py": secrets.token_hex(8)})
    write_wheel(machine.wheels, "two", "1.0", {"x": secrets.token_hex(8)})
    names: list[str] = []
    with pytest.raises(WheelRefused, match="a directory of that name"):
        start("see", "one two", on_prepared=lambda prepared: names.append(prepared.order.run_id))
    recorded = start.recorded(names[0])
    assert (recorded.end.state, recorded.end.cause) == ("failed", "refused")
    assert labelled(engine, f"imagekit.run={names[0]}") == []


def test_what_fails_meanwhile_is_told_once_and_changes_nothing(
    start: Starting, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing of the image is made before that is wanted, when the flow has ended.
    monkeypatch.setattr(completing, "_HEAD_START", 600.0)
    machine.add("plug", "1.0")

    def spoil(stream: int, data: bytes) -> None:
        # What the image is made of is nowhere any more.
        shutil.rmtree(machine.directory / "cache/wheels", ignore_errors=True)
        for wheel in machine.wheels.iterdir():
            wheel.unlink()

    first = start.first("bad", "plug", on_output=spoil)
    assert first.state == "failed"
    assert first.error is not None
    assert first.error.type == "ValueError"
    (line,) = start.told.lines
    assert line.startswith("the image with the extra packages is left to the next start: plug: ")
    assert first.warnings == (line,)
    assert start.recorded(first.id).record.image_id == first.image
    # It can still be made, when its parts are there again.
    machine.add("plug", "1.0")


@pytest.mark.soak
def test_promoted_though_the_image_was_left(start: Starting, machine: Machine, engine: Engine, output: Output) -> None:
    machine.add("plug", "1.0")

    def interrupt(prepared: Prepared) -> None:
        assert prepared.first is not None
        prepared.first.completion.stop()

    left = start("see", "plug", on_prepared=interrupt)
    assert left.state == "completed"
    assert "that was interrupted" in left.warnings[0]
    record = start.recorded(left.id).record
    image = engine.image(flows_id := left.image)
    assert image is not None
    assert LABEL_LOCK not in image.labels
    assert engine.image(record.extras["image"]) is None
    baked = f"imagekit-test/{secrets.token_hex(6)}:1"
    with Pipeline(machine.settings()) as pipeline:
        extra = extra_of(pipeline, flows_id, record.extras)
        assert (extra.image_id, extra.packages) == (None, ("plug==1.0",))
        try:
            bake(pipeline, extra, baked)
            assert output(baked, "python3", "-c", "import plug; print(plug.VERSION)") == "1.0\n"
        finally:
            engine.remove_image(baked, force=True)
    assert start.second("see", "plug").state == "completed"


def test_two_at_once_make_one_image(start: Starting, machine: Machine) -> None:
    machine.add("plug", "1.0")
    prepared = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: start("see", "plug", on_prepared=lambda _: prepared.wait()), range(2)))
    assert [result.state for result in found] == ["completed"] * 2
    assert len({result.image for result in found}) == 1
    assert found[0].extras == found[1].extras


@pytest.mark.xdist_group("own_engine")
@pytest.mark.soak
def test_on_the_containerd_store(
    own_engine: Callable[..., OwnEngine], engine: Engine, flows: str, tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    with own_engine(containerd_store=True).connect() as other:
        other.load(engine.save(flows))
        machine = Machine(tmp_path, other, tmp_path / "wheels")
        machine.add("plug", "1.0")
        start = Starting(machine, flows)
        first = start.first("see", "plug")
        assert (first.state, first.warnings) == ("completed", ())
        second = start.second("see", "plug")
        assert second.image == first.image
        assert first.result["files"].items() <= second.result["files"].items()


@pytest.mark.soak
def test_killed_while_the_image_is_made(start: Starting, machine: Machine, engine: Engine) -> None:
    machine.add("plug", "1.0")
    own = machine.settings()
    command = ["imagekit", "run", "flow.py:wait", "--image", start.image, "-e", "EXTRA_PIP_PACKAGES=plug"]
    program = [sys.executable, "-c", "import sys; from imagekit.cli import main; sys.exit(main())", *command[1:]]
    with subprocess.Popen(program, env=dict(own.variables), stdout=subprocess.PIPE, cwd=machine.directory) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"imported\n"
        os.kill(process.pid, signal.SIGKILL)
    second = start.first("see", "plug")
    assert (second.state, second.warnings) == ("completed", ())
    left = [each for each in labelled(engine, LABEL_OWNER) if f":{process.pid}:" in json.dumps(each["Labels"])]
    assert left == []


def test_ctrl_c_ends_it_whatever_the_images_python_does(
    machine: Machine, engine: Engine, make_image: Callable[..., str]
) -> None:
    stands_still = "#!/bin/sh\\nexec sleep 600\\n"
    image = make_image(f"RUN printf '{stands_still}' > /usr/local/bin/python3 && chmod 755 /usr/local/bin/python3\n")
    before = engine.image(image)
    assert before is not None
    command = ["run", "flow.py:see", "--image", image, "-e", "EXTRA_PIP_PACKAGES=plug"]
    program = [sys.executable, "-c", "import sys; from imagekit.cli import main; sys.exit(main())", *command]

    def of_it() -> list[str]:
        return [str(each["State"]) for each in labelled(engine, LABEL_OWNER) if each["ImageID"] == before.id]

    with subprocess.Popen(program, env=dict(machine.settings().variables), cwd=machine.directory) as process:
        while of_it() != ["running"]:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert of_it() == []


def test_a_text_that_adds_nothing_needs_no_container(start: Starting, machine: Machine) -> None:
    wanted = check_extras(machine.settings(), "nothing; os_name == 'nt'")
    assert not wanted.tickets.passed
    result = start.second("shared", "nothing; os_name == 'nt'")
    assert result.error is not None
    assert result.error.type == "ModuleNotFoundError"
