"""The entrypoint of images with ``runtime-extras``, as engines that are not imagekit start them."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.pipeline import Pipeline
from imagekit.spec.runtime_extras import ENTRYPOINT, entrypoint_before

from ..e2e.conftest import clean_environment
from ..e2e.wheels import write_wheel
from .conftest import Machine

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras_start")

Done = subprocess.CompletedProcess[str]
Start = Callable[..., Done]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels that containers see at ``/wheels``, where their pip looks and nowhere else."""
    directory = tmp_path_factory.mktemp("offered")
    directory.chmod(0o755)
    write_wheel(
        directory, "plug", "1.0", {"plug.py": "def main():\n    print('started')\n"}, scripts={"plug": "plug:main"}
    )
    write_wheel(directory, "helper", "2.0", {"helper.py": "VERSION = '2.0'\n"})
    write_wheel(directory, "wants", "1.0", {"wants.py": ""}, requires=["helper>=2"])
    return directory


@pytest.fixture(scope="module")
def carrying(engine: Engine, python_image: str, held: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("carrying")
    project = directory / "project"
    project.mkdir()
    (project / "requirements.txt").write_text("pip\n")
    (project / "imagekit.toml").write_text("runtime-extras = true\n")
    (project / "mark.py").write_text(f"MARK = {secrets.token_hex(8)!r}\n")
    machine = Machine(directory, engine, held)
    # pip comes from where this machine has packages from.
    with Pipeline(machine.settings(**clean_environment())) as pipeline:
        spec = pipeline.spec(project, base_image=python_image, packages=[str(held / "helper-1.0-py3-none-any.whl")])
        reference = pipeline.reference(spec, f"imagekit-test/{secrets.token_hex(6)}", "1")
        pipeline.build(spec, reference)
    yield str(reference)
    engine.remove_image(str(reference), force=True)


@pytest.fixture(scope="module")
def start(engine: Engine, carrying: str, place: Path) -> Start:
    """``start("boto3", "python", "-c", …)``: a container of it with that as ``EXTRA_PIP_PACKAGES``."""

    def run(extras: str | None, *command: str, options: tuple[str, ...] = ()) -> Done:
        variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        if extras is not None:
            variables["EXTRA_PIP_PACKAGES"] = extras
        words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        words += ["--network", "none", "--volume", f"{place}:/wheels:ro", *options, "--", carrying, *command]
        return subprocess.run(
            ["docker", "--host", engine.address, "run", "--rm", *words], capture_output=True, text=True
        )

    return run


@pytest.mark.parametrize("extras", [None, "", "  "])
def test_without_the_variable_it_is_the_command(start: Start, extras: str | None) -> None:
    done = start(extras, "sh", "-c", "echo $$; exit 7")
    # The command is the container's first process: nothing is left of what started it.
    assert (done.returncode, done.stdout, done.stderr) == (7, "1\n", "")


@pytest.mark.parametrize("options", [(), ("--user", "12345:0"), ("--user", "0")])
def test_packages_come_and_are_found(start: Start, options: tuple[str, ...]) -> None:
    program = "import os, plug, helper, subprocess; print(helper.VERSION, os.getpid()); subprocess.run(['plug'])"
    done = start("plug>=1,<2; python_version > '3'  helper", "python", "-uc", program, options=options)
    assert (done.returncode, done.stdout) == (0, "1.0 1\nstarted\n"), done.stderr


def test_where_nothing_may_be_written_a_place_is_named(start: Start) -> None:
    done = start("plug", "plug", options=("--read-only",))
    assert done.returncode == 4
    assert "IMAGEKIT_EXTRAS_DIR" in done.stderr
    mounted = ("--read-only", "--tmpfs", "/x:mode=1777,exec", "--env", "IMAGEKIT_EXTRAS_DIR=/x", "--env", "TMPDIR=/x")
    done = start("plug", "plug", options=mounted)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_what_the_image_has_is_not_replaced(start: Start) -> None:
    done = start("wants", "python", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (4, "")
    assert "wants cannot be installed beside what the image has" in done.stderr
    # pip's own words: who wants what.
    assert "wants 1.0 depends on helper>=2" in done.stderr
    assert "helper==1.0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "extras",
    ["a;id", "$(id)", "*", "--index-url=https://example.com", "-r /etc/passwd", "x @ file:///etc/x-1-py3-none-any.whl"],
)
def test_the_same_is_refused_as_outside(start: Start, extras: str) -> None:
    done = start(extras, "python", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: EXTRA_PIP_PACKAGES: ")
    assert len(done.stderr.splitlines()) == 2


def test_no_token_is_shown(start: Start) -> None:
    done = start("x @ https://user:canary-31415@example.com/x-1-py3-none-any.whl", "true")
    assert done.returncode == 2
    assert "canary" not in done.stderr


@pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_commands_that_are_none(start: Start, command: str, code: int) -> None:
    done = start("plug", command)
    assert (done.returncode, f"{command} cannot be started" in done.stderr) == (code, True)
    assert "Traceback" not in done.stderr


def test_the_command_begins_as_it_would_without(start: Start) -> None:
    # The variable is done with: Prefect's entrypoint, where it follows, would install them once more. No signal is
    # ignored that was not before, and a directory of scripts that is kept off the path is no hindrance.
    program = "grep SigIgn /proc/$$/status; echo ${EXTRA_PIP_PACKAGES-gone}; plug"
    done = start("plug", "sh", "-c", program, options=("--env", "PYTHONSAFEPATH=1"))
    signals, *rest = done.stdout.splitlines()
    assert rest == ["gone", "started"], done.stderr
    assert signals == start(None, "sh", "-c", program).stdout.splitlines()[0]
    assert re.fullmatch(r"EXTRA_PIP_PACKAGES: plug installed in \d+\.\d s\n", done.stderr)


def test_a_volume_keeps_what_was_installed(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    shared = ("--volume", f"{tmp_path}:/kept", "--env", "IMAGEKIT_EXTRAS_DIR=/kept", "--user", "12345:0")
    assert "installed in" in start("plug", "plug", options=shared).stderr
    nothing = ("--env", "PIP_FIND_LINKS=/nowhere")
    done = start("plug", "plug", options=(*shared, *nothing))
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")
    assert start("plug helper", "plug", options=(*shared, *nothing)).returncode == 4
    # Nothing is left of the one that failed.
    (own,) = tmp_path.iterdir()
    assert len(list(own.iterdir())) == 1


def test_a_stop_ends_an_installation(engine: Engine, carrying: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stuck")
    docker = ["docker", "--host", engine.address]
    # pip waits for its configuration for ever.
    words = ["--env", "EXTRA_PIP_PACKAGES=plug", "--env", "PIP_CONFIG_FILE=/wheels/stuck", "--network", "none"]
    command = [*docker, "run", "--detach", *words, "--volume", f"{tmp_path}:/wheels:ro", carrying, "plug"]
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        while "-m pip" not in subprocess.run([*docker, "top", container], capture_output=True, text=True).stdout:
            assert (
                container in subprocess.run([*docker, "ps", "-q", "--no-trunc"], capture_output=True, text=True).stdout
            )
        subprocess.run([*docker, "stop", "--time", "600", container], capture_output=True, check=True)
        found = subprocess.run([*docker, "wait", container], capture_output=True, text=True, check=True).stdout
        told = subprocess.run([*docker, "logs", container], capture_output=True, text=True, check=True)
    finally:
        subprocess.run([*docker, "rm", "--force", container], capture_output=True)
    assert (found.strip(), told.stderr) == ("143", "")


def test_the_bases_own_entrypoint_follows() -> None:
    assert entrypoint_before(None) == ENTRYPOINT
    assert entrypoint_before(["/sbin/tini", "--"]) == (*ENTRYPOINT, "/sbin/tini", "--")
    assert entrypoint_before([*ENTRYPOINT, "/sbin/tini"]) == (*ENTRYPOINT, "/sbin/tini")
