"""Three kinds of images that packages are added to, wheels that nobody else has, and a machine of the test's own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.extras.derive import check_extras, derive
from imagekit.extras.values import REPOSITORY, Derived
from imagekit.notes import from_note
from imagekit.pipeline import Pipeline
from imagekit.settings import Settings

from ..e2e import bases
from ..e2e.wheels import write_wheel

Output = Callable[..., str]


@dataclass
class Machine:
    """A user's machine: caches and indexes of its own, and the engine that all tests share."""

    directory: Path
    engine: Engine
    wheels: Path  # what its index offers

    def __post_init__(self) -> None:
        config = self.directory / ".config/uv/uv.toml"
        config.parent.mkdir(parents=True)
        # Nothing is asked of the network: what is not in the directory is nowhere.
        config.write_text(f"no-index = true\nfind-links = [{str(self.wheels)!r}]\n")

    def settings(self, **variables: str) -> Settings:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "XDG_CONFIG_DIRS": str(self.directory / "none"),
            "PIP_CONFIG_FILE": "/dev/null",
            "DOCKER_HOST": self.engine.address,
            "IMAGEKIT_CACHE_DIR": str(self.directory / "cache"),
            "UV_CACHE_DIR": str(self.directory / "uv"),
            **variables,
        }
        return Settings.load(environ, self.directory)

    def derive(self, reference: str, text: str, *, upgrade: bool = False, **variables: str) -> Derived:
        settings = self.settings(**variables)
        wanted = check_extras(settings, text)
        with Pipeline(settings) as pipeline:
            image = pipeline.engine.image(reference)
            assert image is not None
            return derive(pipeline.engine, lambda: pipeline, reference, image, wanted, upgrade=upgrade)

    def add(self, name: str, version: str, *requires: str, **files: str) -> Path:
        """A wheel of one module, whose content nobody else has."""
        module = name.replace("-", "_")
        content = {f"{module}.py": f"VERSION = {version!r}\nMARK = {secrets.token_hex(8)!r}\n"}
        return write_wheel(self.wheels, module, version, content, requires=requires)


@pytest.fixture
def machine(engine: Engine, tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "wheels").mkdir()
    yield Machine(tmp_path, engine, tmp_path / "wheels")
    for ticket in tmp_path.glob("cache/extras/*/*.json"):
        reference = from_note(ticket.read_bytes())["derived"]["reference"]
        if reference.startswith(f"{REPOSITORY}:"):
            engine.remove_image(reference, force=True)


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of a framework that images hold."""
    directory = tmp_path_factory.mktemp("held")
    files = {"frame.py": f"import helper\nMARK = {secrets.token_hex(8)!r}\n"}
    write_wheel(directory, "frame", "1.0", files, requires=["helper<2"], scripts={"frame": "frame:main"})
    write_wheel(directory, "helper", "1.0", {"helper.py": "VERSION = '1.0'\n"})
    return directory


@pytest.fixture(scope="session")
def make_image(engine: Engine, python_image: str, held: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """``make_image(*steps)``: an image made by these steps of a Dockerfile on the Python image."""
    directory, made = tmp_path_factory.mktemp("made"), []

    def make(*steps: str) -> str:
        own = f"RUN echo {secrets.token_hex(8)} > /etc/own\n"
        made.append(bases.build(engine.address, f"FROM {python_image}\n{own}{''.join(steps)}", held, directory))
        return made[-1]

    yield make
    for tag in made:
        engine.remove_image(tag, force=True)


@pytest.fixture(scope="session")
def bare(make_image: Callable[..., str]) -> str:
    """A distribution's Python, without a package or an environment; its user is no root."""
    managed = "RUN ls /usr/lib/python3*/EXTERNALLY-MANAGED\n"  # by the distribution (PEP 668)
    return make_image(managed + "RUN useradd -u 4711 -m worker\nUSER worker\nWORKDIR /srv\nENV STAGE=test\n")


@pytest.fixture(scope="session")
def framed(make_image: Callable[..., str]) -> str:
    """One with a framework beside the distribution's Python."""
    return make_image(bases.install("frame"))


@pytest.fixture(scope="session")
def ours(engine: Engine, held: Path, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of imagekit's own, with a virtual environment and the framework in it."""
    directory = tmp_path_factory.mktemp("ours")
    project = directory / "project"
    project.mkdir()
    (project / "requirements.txt").write_text(f"--no-index\n--find-links {held}\nframe\n")
    (project / "flow.py").write_text(f"MARK = {secrets.token_hex(8)!r}\n")
    machine = Machine(directory, engine, held)
    with Pipeline(machine.settings()) as pipeline:
        spec = pipeline.spec(project, base_image=python_image)
        reference = pipeline.reference(spec, f"imagekit-test/{secrets.token_hex(6)}", "1")
        pipeline.build(spec, reference)
    yield str(reference)
    engine.remove_image(str(reference), force=True)


@pytest.fixture
def output(engine: Engine) -> Output:
    """``output(image, "python3", "-c", …)``: what the command prints in a container without a network."""
    import subprocess

    def run(image: str, *command: str) -> str:
        words = ["docker", "--host", engine.address, "run", "--rm", "--network", "none", "--", image, *command]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
