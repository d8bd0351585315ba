from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagekit.checkouts.values import SourceAccess
from tests.own_repositories import Repository

FLOW = "from helper import value\n\n\ndef etl(n: int = 1):\n    return [n, value]\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """One with a flow, two modules and a branch ``main``."""
    found = Repository(tmp_path / "served" / "orders.git")
    found.commit({"flow.py": FLOW, "helper.py": "value = 'one'\n"})
    return found


@pytest.fixture
def reach(tmp_path: Path) -> Callable[..., SourceAccess]:
    """``SourceAccess`` with a cache and a home of the test's own; secrets by their names."""

    def access(
        secrets: Mapping[str, str] | None = None, *, variables: Mapping[str, str] | None = None, **more: Any
    ) -> SourceAccess:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), **(variables or {})}
        more = {"secret": dict(secrets or {}).__getitem__, "environment": environment, **more}
        return SourceAccess(cache=tmp_path / "cache", cache_size=1 << 30, **more)

    return access
