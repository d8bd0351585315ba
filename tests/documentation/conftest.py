"""A reader's machine: an engine that holds a base and nothing else, a registry, an index, and a cache for all pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from tests.lock.faulty_index import FaultyIndex
from tests.own_engine import OwnEngine
from tests.own_registry import OwnRegistry, free_port

from .machine import NEEDS, loaded
from .reader import TYPED, Reader

BASE = "imagekit/python:3.11"
StartReading = Callable[..., Reader]


@pytest.fixture(scope="session")
def readers_engine(own_engine: Callable[..., OwnEngine], engine: Engine, python_image: str) -> str:
    """The address of an engine in which names that a page gives belong to nobody else. Its builds reach nothing."""
    running = own_engine()
    with running.connect() as ours:
        loaded(ours, engine, python_image, BASE)
    return running.address


@pytest.fixture(scope="session")
def connected_engine(engine: Engine, python_image: str) -> Iterator[str]:
    """Such an engine as people have: its builds reach package indexes, and it a registry of this machine."""
    running = OwnEngine(outside=True)
    try:
        with running.start().connect() as ours:
            loaded(ours, engine, python_image, BASE, "python:3.11-slim")
        yield running.address
    finally:
        running.close()


@pytest.fixture(scope="session")
def readers_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers-cache")


@pytest.fixture
def private_index() -> Iterator[FaultyIndex]:
    """An index that has ``acme``, for those with the login that pages name."""
    running = FaultyIndex(login=("reader", TYPED))
    running.add("acme", "1.0")
    yield running
    running.close()


@pytest.fixture
def reader(
    request: pytest.FixtureRequest,
    readers_cache: Path,
    shared_registry: OwnRegistry,
    private_index: FaultyIndex,
    tmp_path: Path,
) -> Iterator[StartReading]:
    """``reader(*needs, **variables)``: a reader in an empty directory, with what ``machine.NEEDS`` says of each need.

    Images that the page makes go with it. ``connected=False``: with an engine whose builds reach nothing.
    """
    # What a need is made of ends before the engine is looked through.
    before: dict[str, set[str]] = {}
    started: list[Reader] = []

    def start(*needs: str, connected: bool = True, **variables: str) -> Reader:
        address: str = request.getfixturevalue("connected_engine" if connected else "readers_engine")
        with Engine.connect(address) as ours:
            before.setdefault(address, tags(ours))
        somebody = Reader(
            home=tmp_path / "home",
            directory=tmp_path / "here",
            variables={
                "IMAGEKIT_ENGINE": address,
                "DOCKER_HOST": address,
                "IMAGEKIT_CACHE_DIR": str(readers_cache),
                **variables,
            },
            stand_ins={
                "registry.example.com": shared_registry.name,
                "localhost:5000": shared_registry.name,
                "https://packages.example.com/simple": private_index.url,
                "packages.example.com": private_index.host.partition(":")[0],
                "/etc/ssl/site.pem": str(tmp_path / "site.pem"),
                # Somebody else may have the port that a page takes.
                "8000:8000": f"{free_port()}:8000",
            },
        )
        started.append(somebody)
        for need in needs:
            NEEDS[need](somebody, request)
        return somebody

    yield start
    for somebody in started:
        somebody.leaves()
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    for address, known in before.items():
        with Engine.connect(address) as ours:
            for tag in tags(ours) - known:
                ours.remove_image(tag, force=True)


def tags(engine: Engine) -> set[str]:
    return {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
