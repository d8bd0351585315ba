from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy

StartRegistry = Callable[..., OwnRegistry]


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRegistry]:
    registry = OwnRegistry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.close()


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """``start_registry(auth=…)``: a registry of the test's own."""
    started: list[OwnRegistry] = []

    def start(**how: object) -> OwnRegistry:
        started.append(OwnRegistry(tmp_path / f"registry{len(started)}", **how))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for registry in started:
        registry.close()


@pytest.fixture
def proxy(shared_registry: OwnRegistry) -> Iterator[FaultProxy]:
    """In front of the registry that tests share."""
    made = FaultProxy(shared_registry.name)
    yield made
    made.close()


@pytest.fixture
def repository() -> str:
    """A repository that nothing else uses."""
    return f"tests/{secrets.token_hex(4)}"
