"""Projects as people have them, and the program as they start it, on a real engine."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from .wheels import write_wheel

Completed = subprocess.CompletedProcess[str]
PROGRAM = str(Path(sys.executable).with_name("imagekit"))
# What this machine says about how imagekit is set up is not the tests' business.
_FOREIGN = ("IMAGEKIT_", "PREFECT_", "DOCKER_", "SOURCE_DATE_EPOCH", "XDG_", "PIP_FIND_LINKS")


@dataclass
class Imagekit:
    """``imagekit("build", …)`` as a process; ``.json`` is the object it prints, of a command that went well."""

    env: dict[str, str]
    prefix: str
    cwd: Path = field(default_factory=Path.cwd)

    def __call__(self, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Completed:
        return subprocess.run(
            [PROGRAM, *map(str, words)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**self.env, **(env or {})},
            cwd=cwd or self.cwd,
        )

    def start(self, *words: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAM, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**self.env, **(env or {})},
            cwd=self.cwd,
        )

    def json(self, *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Any:
        done = self(*words, "--json", env=env, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *words: object, env: Mapping[str, str] | None = None) -> Any:
        """The error's object; nothing but it is on stdout, and no traceback anywhere."""
        done = self(*words, "--json", env=env)
        assert done.returncode != 0, done.stdout
        assert 'Traceback (most recent call last)\n  File "' + str(Path(PROGRAM).parent) not in done.stderr
        found = json.loads(done.stdout)
        assert found["exit_code"] == done.returncode
        return found

    def name(self, text: str = "app") -> str:
        """A repository name nobody else uses; what has it is removed at the end of the session."""
        return f"{self.prefix}-{text}-{secrets.token_hex(3)}"


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}


@pytest.fixture(scope="session")
def session_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def session_prefix(engine: Engine) -> Iterator[str]:
    prefix = f"ik-e2e-{secrets.token_hex(4)}"
    yield prefix
    remove_images(engine, prefix)


def remove_images(engine: Engine, prefix: str) -> None:
    for image in engine.api.images():
        for tag in image["RepoTags"] or ():
            if prefix in tag:
                engine.remove_image(tag, force=True)


@pytest.fixture
def imagekit(engine: Engine, session_prefix: str, session_directory: Path, tmp_path: Path) -> Imagekit:
    """The program with a configuration of its own, and a cache that all tests of the session share."""
    (tmp_path / "tmp").mkdir()
    env = {
        **clean_environment(),
        "IMAGEKIT_ENGINE": engine.address,
        "IMAGEKIT_CACHE_DIR": str(session_directory / "cache"),
        "IMAGEKIT_CONFIG_FILE": str(tmp_path / "config.toml"),
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    return Imagekit(env, session_prefix, tmp_path)


@pytest.fixture
def library(imagekit: Imagekit, monkeypatch: pytest.MonkeyPatch) -> Imagekit:
    """The same surroundings for ``DockerImage`` and ``run`` in this process."""
    for name in os.environ:
        if name not in imagekit.env:
            monkeypatch.delenv(name)
    for name, value in imagekit.env.items():
        monkeypatch.setenv(name, value)
    return imagekit


Inside = Callable[..., str]


@pytest.fixture
def inside(engine: Engine) -> Inside:
    """``inside(image, "python", "-c", …)``: what the command prints in a container without a network."""

    def run(image: str, *command: str, options: Sequence[str] = (), address: str = engine.address) -> str:
        done = subprocess.run(
            ["docker", "--host", address, "run", "--rm", "--network", "none", *options, "--", image, *command],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


WriteProject = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> WriteProject:
    """``project({"flow.py": "…"}, "name")``: a directory with these files."""

    def write(files: Mapping[str, str], name: str = "project") -> Path:
        root = tmp_path / name
        for path, text in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return root

    return write


@pytest.fixture(scope="session")
def wheels(session_directory: Path) -> Path:
    """A directory of wheels: ``alpha`` and ``beta``, each with several versions, and ``beta`` wants ``alpha``."""
    directory = session_directory / "wheels"
    for version in ("1.0", "1.1", "2.0"):
        module = f"VERSION = {version!r}\n"
        write_wheel(directory, "alpha", version, {"alpha/__init__.py": module, "alpha/more.py": "def f(): return 1\n"})
        write_wheel(directory, "beta", version, {"beta.py": f"import alpha\n{module}"}, requires=["alpha"])
    return directory


@pytest.fixture(scope="session")
def no_index(wheels: Path) -> str:
    """Lines of a requirements file by which only ``wheels`` is asked."""
    return f"--no-index\n--find-links {wheels}\n"


def own_flow() -> str:
    """A flow's source that no other test has: engine and caches keep what another's equal content made."""
    return f"def etl():\n    return {secrets.token_hex(8)!r}\n"


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Every path below ``root`` with its content."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))}


_REACHING: list[list[str]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _REACHING and event in ("subprocess.Popen", "os.posix_spawn", "os.fork", "socket.connect", "socket.getaddrinfo"):
        _REACHING[-1].append(f"{event} {arguments!r}")


@contextmanager
def reaching_out() -> Iterator[list[str]]:
    """The processes and connections of the block (PEP 578 events; a hook stays for the process's life)."""
    if not getattr(_note, "installed", False):
        sys.addaudithook(_note)
        _note.installed = True  # type: ignore[attr-defined]
    _REACHING.append([])
    try:
        yield _REACHING[-1]
    finally:
        _REACHING.pop()


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``refuse(*words)``: exit code, the error's object, and all that was printed; the engine's address is dead.

    What is refused as input has started no process and opened no connection before.
    """
    from typer.testing import CliRunner

    from imagekit.cli.app import app

    (tmp_path / "flow.py").write_text("def etl(n: int = 1):\n    return n\n")
    monkeypatch.chdir(tmp_path)
    for name in set(clean_environment()) ^ set(os.environ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IMAGEKIT_ENGINE", f"unix://{tmp_path}/dead.sock")
    monkeypatch.setenv("IMAGEKIT_CONFIG_FILE", str(tmp_path / "config.toml"))
    monkeypatch.setenv("IMAGEKIT_CACHE_DIR", str(tmp_path / "cache"))

    def start(*words: str) -> tuple[int, Any, str]:
        with reaching_out() as reached:
            at = words.index("--") if "--" in words else len(words)
            done = CliRunner().invoke(app, [*words[:at], "--json", *words[at:]])
        assert done.exit_code != 2 or not reached
        return done.exit_code, json.loads(done.stdout), done.output

    return start
