"""Orders as the tests give them: all settings by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.engine.client import Engine
from imagekit.progress import SilentReporter
from imagekit.registry.access import Access
from imagekit.runs import runner
from imagekit.runs.order import RunOrder
from imagekit.runs.pulling import present
from imagekit.runs.request import Request, new_name
from imagekit.runs.settings import RunSettings
from imagekit.runs.values import RunResult
from imagekit.store.store import Store


def ordered(
    engine: Engine,
    entrypoint: str,
    *,
    image: str,
    parameters: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    run_id: str | None = None,
    **settings: Any,
) -> RunOrder:
    """An order of ``entrypoint`` in ``image``, without a network unless ``settings`` name one."""
    wanted = RunSettings.of({"network_mode": None if "networks" in settings else "none", "image": image, **settings})
    request = Request.of(entrypoint, parameters, serializer=wanted.serializer)
    found = present(engine, image, policy="Never", access=Access(), reporter=SilentReporter())
    more = {} if run_id is None else {"run_id": run_id}
    name = wanted.name or new_name(request.function)
    return RunOrder(
        request=request, settings=wanted, image=found, reference=image, name=name, labels=labels or {}, **more
    )


def run_flow(
    engine: Engine,
    entrypoint: str,
    *,
    on_output: Any = None,
    store: Store | None = None,
    raise_on_failure: bool = False,
    **order: Any,
) -> RunResult:
    given = ordered(engine, entrypoint, **order)
    return runner.run_flow(engine, given, store=store, on_output=on_output, raise_on_failure=raise_on_failure)
