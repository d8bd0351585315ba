"""One Prefect server for all tests of this room, its programs, and projects that are deployed to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit.engine.client import Engine

from ..e2e.conftest import remove_images
from .surroundings import Server, Worker, deployed, environment


@pytest.fixture(scope="session")
def programs() -> Path:
    return environment()


@pytest.fixture(scope="session")
def server(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(programs, tmp_path_factory.mktemp("prefect") / "server")
    yield server
    server.close()


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(server: Server, engine: Engine) -> Iterator[StartWorker]:
    """``start_worker(pool, name)``: a Docker worker, on the engine of all tests unless ``address`` says another."""
    started: list[Worker] = []

    def start(pool: str, name: str, address: str = engine.address, **how: object) -> Worker:
        started.append(Worker(server, pool, name, address, **how))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def pool(server: Server, engine: Engine) -> Iterator[str]:
    """A Docker pool of the test's own; what its workers' containers leave is removed, since they do not."""
    name = f"pool-{secrets.token_hex(4)}"
    server.make_pool(name)
    yield name
    for container in engine.api.containers(all=True, filters={"label": f"io.prefect.work-pool-name={name}"}):
        engine.api.remove_container(container["Id"], force=True)


# What a worker starts imports Prefect's server as well, and that does not know the newest fastapi.
REQUIREMENTS = "fastapi==0.139.*\n"
FLOW = """
from prefect import flow
from imagekit.prefect import DockerImage

MARK = {mark!r}


@flow(log_prints=True)
def hello(name: str = "Marvin") -> str:
    print(f"Hello {{name}}, it is {{MARK}}")
    return MARK


if __name__ == "__main__":
    hello.deploy({arguments})
"""


@dataclass
class Project:
    """A directory with a flow whose log tells of a mark that no other project has."""

    root: Path
    name: str  # of its image
    mark: str
    server: Server
    variables: dict[str, str]

    def write(self, **arguments: str) -> None:
        """``flow.py``, which deploys its flow as ``own`` with these arguments, written as source."""
        words = ", ".join(['"own"', *(f"{name}={value}" for name, value in arguments.items())])
        (self.root / "flow.py").write_text(FLOW.format(mark=self.mark, arguments=words))

    def deploy(self, *words: str) -> str:
        """What ``python flow.py`` prints."""
        return deployed(self.server, self.root, *(words or ("flow.py",)), **self.variables)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of imagekit: Prefect's hundred wheels become layers once."""
    return tmp_path_factory.mktemp("prefect-cache")


@pytest.fixture
def project(server: Server, engine: Engine, cache: Path, tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "orders"
    root.mkdir()
    (root / "requirements.txt").write_text(REQUIREMENTS)
    prefix = f"ik-prefect-{secrets.token_hex(4)}"
    variables = {
        "IMAGEKIT_ENGINE": engine.address,
        "IMAGEKIT_CACHE_DIR": str(cache),
        "IMAGEKIT_CONFIG_FILE": str(tmp_path / "config.toml"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    yield Project(root, f"{prefix}/orders", secrets.token_hex(8), server, variables)
    remove_images(engine, prefix)
