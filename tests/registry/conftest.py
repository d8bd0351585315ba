from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from ..own_registry import OwnRegistry
from .fault_proxy import FaultProxy


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
