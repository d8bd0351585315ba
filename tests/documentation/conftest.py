"""A reader's machine: an engine that holds a base and nothing else, a registry, and a cache for all pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from tests.lock.faulty_index import FaultyIndex
from tests.own_engine import OwnEngine
from tests.own_registry import OwnRegistry

from .reader import TYPED, Reader

BASE = "imagekit/python:3.11"
StartReading = Callable[..., Reader]


@pytest.fixture(scope="session")
def readers_engine(own_engine: Callable[..., OwnEngine], engine: Engine, python_image: str) -> str:
    """The address of an engine in which names that a page gives belong to nobody else."""
    running = own_engine()
    with running.connect() as ours:
        if ours.image(BASE) is None:
            ours.load(engine.save(python_image))
            loaded = ours.image(python_image)
            assert loaded is not None
            ours.tag(loaded.id, BASE)
    return running.address


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
    readers_engine: str,
    readers_cache: Path,
    shared_registry: OwnRegistry,
    private_index: FaultyIndex,
    tmp_path: Path,
) -> Iterator[StartReading]:
    """``reader(**variables)``: a reader in an empty directory. Images that the page makes go with it."""

    def start(**variables: str) -> Reader:
        return Reader(
            home=tmp_path / "home",
            directory=tmp_path / "here",
            variables={
                "IMAGEKIT_ENGINE": readers_engine,
                "DOCKER_HOST": readers_engine,
                "IMAGEKIT_CACHE_DIR": str(readers_cache),
                **variables,
            },
            stand_ins={
                "registry.example.com": shared_registry.name,
                "https://packages.example.com/simple": private_index.url,
                "packages.example.com": private_index.host.partition(":")[0],
                "/etc/ssl/site.pem": str(tmp_path / "site.pem"),
            },
        )

    with Engine.connect(readers_engine) as ours:
        before = tags(ours)
        yield start
        for tag in tags(ours) - before:
            ours.remove_image(tag, force=True)


def tags(engine: Engine) -> set[str]:
    return {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
