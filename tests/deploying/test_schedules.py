"""When schedules are due, through changes of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagekit import Cron, Interval
from imagekit.deploying.schedules import Schedule, schedule_of, written
from imagekit.errors import InputError

BERLIN = "Europe/Berlin"  # summer time from 2026-03-29 02:00 to 2026-10-25 03:00


def times(schedule: Schedule, start: str, count: int) -> list[str]:
    found, moment = [], datetime.fromisoformat(start).replace(tzinfo=timezone.utc)
    for _ in range(count):
        after = schedule.after(moment)
        assert after is not None
        moment = after
        found.append(f"{moment:%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        (Cron("0 9 * * *"), "2026-03-28T09:00", ["03-29 09:00", "03-30 09:00"]),
        (Cron("0 9 * * *", BERLIN), "2026-03-27T12:00", ["03-28 08:00", "03-29 07:00", "03-30 07:00"]),
        # An hour that there is not, and one that comes twice.
        (Cron("30 2 * * *", BERLIN), "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30"]),
        (Cron("30 2 * * *", BERLIN), "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        (Cron("@hourly"), "2026-01-01T00:00", ["01-01 01:00", "01-01 02:00"]),
        (Cron("0 0 * * MON"), "2026-01-01T00:00", ["01-05 00:00", "01-12 00:00"]),
        (Interval(3600), "2026-01-01T00:30", ["01-01 01:00", "01-01 02:00"]),
        (
            Interval(timedelta(days=1), datetime(2026, 3, 1, 9), BERLIN),
            "2026-03-27T12:00",
            ["03-28 08:00", "03-29 07:00"],
        ),
        (Interval(3600, datetime(2026, 3, 1, 9), BERLIN), "2026-03-29T00:30", ["03-29 01:00", "03-29 02:00"]),
        (Interval(86400, datetime(2027, 1, 1, 9)), "2026-03-29T00:30", ["01-01 09:00", "01-02 09:00"]),
    ],
)
def test_next_times(schedule: Schedule, start: str, expected: list[str]) -> None:
    assert times(schedule, start, len(expected)) == expected
    assert schedule_of(schedule.to_json()) == schedule


def test_what_never_comes() -> None:
    assert Cron("* * */20 * 1L").after(datetime(2026, 1, 1, tzinfo=timezone.utc)) is None


@given(
    seconds=st.integers(1, 40 * 86_400),
    moment=st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone.utc)),
    zone=st.sampled_from([None, BERLIN, "Australia/Lord_Howe"]),
)
def test_an_interval_is_due_after_the_moment_and_soon(seconds: int, moment: datetime, zone: str | None) -> None:
    found = Interval(seconds, timezone=zone).after(moment)
    assert found is not None
    assert moment < found
    if moment.year >= 2020:
        assert found <= moment + timedelta(seconds=seconds, hours=2)


def test_a_zone_that_is_none() -> None:
    with pytest.raises(InputError) as caught:
        Cron("0 9 * * *", "Europe/Berln")
    assert caught.value.hint == "did you mean 'Europe/Berlin'?"
    for bad in ("../etc/passwd", "", 3):
        with pytest.raises(InputError, match=r"timezone(:| must be)"):
            Interval(60, timezone=bad)  # type: ignore[arg-type]


def test_times_are_written_as_the_store_sorts_them() -> None:
    assert written(datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-01T07:00:00.000+00:00"
    assert written(None) is None


@given(
    seconds=st.floats(1, 40 * 86_400),
    anchor=st.datetimes(datetime(2019, 1, 1), datetime(2026, 1, 1)),
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone.utc)),
)
@example(seconds=1.1, anchor=datetime(2020, 1, 1), moment=datetime(2026, 5, 5, 5, 5, 5, tzinfo=timezone.utc))
def test_an_interval_goes_on_behind_each_time_as_it_is_written(
    seconds: float, anchor: datetime, moment: datetime
) -> None:
    """With parts of a millisecond, in the interval or in its anchor, which the store has not: otherwise a worker that
    looks ahead would find the same occurrence due without end."""
    schedule = Interval(seconds, anchor)
    for _ in range(3):
        found = written(schedule.after(moment))
        assert found is not None
        due = datetime.fromisoformat(found)
        assert moment < due
        moment = due


def test_an_anchor_that_utc_does_not_have() -> None:
    with pytest.raises(InputError, match="anchor_date: 9999"):
        Interval(86_400, datetime(9999, 12, 31, 23), "America/New_York")
