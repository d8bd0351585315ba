"""Times as engines and people write them, with any Python that imagekit runs on."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.moments import parse_rfc3339

NINE = datetime(2026, 1, 31, 9, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T09:00:00Z", NINE),
        (" 2026-01-31t09:00:00z\n", NINE),
        ("2026-01-31T10:00:00+01:00", NINE),
        ("2026-01-31T09:00:00.5Z", NINE + timedelta(milliseconds=500)),
        ("2026-01-31T09:00:00.123456789Z", NINE + timedelta(microseconds=123456)),
        ("2026-01-31T08:00:00.000001234-01:00", NINE + timedelta(microseconds=1)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=timezone.utc)),
        ("2026-01-31T09:00", NINE.replace(tzinfo=None)),
        ("2026-01-31", datetime(2026, 1, 31)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    found = parse_rfc3339(text)
    assert (found, found.tzinfo is None) == (moment, moment.tzinfo is None)


@pytest.mark.parametrize("text", ["", "Z", "soon", "2026-02-30T00:00:00Z"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


@given(st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-3, minutes=-30)), None])))
def test_what_python_writes(moment: datetime) -> None:
    assert parse_rfc3339(moment.isoformat()) == moment
