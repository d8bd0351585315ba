"""How often a flow is started, as the record of runs has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from imagekit.advising.facts import starts_of
from imagekit.advising.values import Starts
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord, StoredRun


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state") as store:
        yield store


def ran(store: Store, days_ago: float, wait: float, entrypoint: str = "flow.py:etl") -> None:
    created = datetime.now(timezone.utc) - timedelta(days=days_ago)
    started = (created + timedelta(seconds=wait)).isoformat(timespec="milliseconds")
    run = RunRecord(
        name="r", entrypoint=entrypoint, reference="x:1", created=created.isoformat(timespec="milliseconds")
    )
    store.begin(run)
    store.started(run.id, started=started)
    store.end(run.id, RunEnd(state="completed", started=started))


def is_etl(run: StoredRun) -> bool:
    return run.record.entrypoint == "flow.py:etl"


def test_none_is_recorded(store: Store) -> None:
    assert starts_of(store, is_etl, None) == Starts(per_day=1.0, origin="assumed")
    assert starts_of(store, is_etl, 24.0) == Starts(per_day=24.0, origin="given")


def test_runs_of_the_flow_in_the_period_by_the_day(store: Store) -> None:
    for days, wait in ((200, 9), (10, 0.5), (5, 0.3), (1, 0.4), (0.5, 0.2)):
        ran(store, days, wait)
    ran(store, 2, 5, "other.py:etl")
    found = starts_of(store, is_etl, None)
    assert (found.origin, found.count) == ("recorded", 4)
    assert found.per_day == pytest.approx(0.4, rel=0.01)
    assert found.seconds == pytest.approx(0.35)
    assert starts_of(store, is_etl, 3).per_day == 3


def test_a_burst_is_a_day_at_least_and_two_waits_are_no_median(store: Store) -> None:
    ran(store, 0.01, 0.5)
    ran(store, 0.0, 0.5)
    assert starts_of(store, is_etl, None) == Starts(per_day=2.0, origin="recorded", count=2)
