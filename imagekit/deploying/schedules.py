"""When a deployment runs by itself: each day at nine, every ten minutes; in a time zone where one is named.

``Cron`` is read by cronsim, which follows Debian's cron through changes to and from summer time. An ``Interval`` of
whole days keeps to the clock on the wall, any other to the time that passes, as Prefect has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from imagekit.errors import InputError
from imagekit.nearest import nearest
from imagekit.wrong_type import wrong_type

_DAY = 86_400.0
# An interval without an anchor counts from here, so that it says the same each time it is deployed.
_ANCHOR = datetime(2020, 1, 1)
_EXAMPLES = {
    "cron": "'0 9 * * *'",
    "interval": "3600",
    "schedule": "Cron('0 9 * * *')",
    "schedules": "[Cron('0 9 * * *')]",
}
_WANTED = {
    "cron": "a string or a list of them",
    "interval": "a number of seconds or a timedelta",
    "schedule": "a Cron or an Interval",
    "schedules": "a list of Cron and Interval",
}
_FIELDS = "minute, hour, day of the month, month, day of the week"
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields as in crontab(5), in ``timezone``: ``Cron("0 9 * * MON-FRI", "Europe/Berlin")``.

    Raises ``InputError``'s kinds for what is no such expression, or no time zone.
    """

    cron: str  #: minute, hour, day of the month, month, day of the week; or ``@hourly``, ``@daily``, ``@weekly`` …
    timezone: str | None = None  #: a name of the IANA database; by default UTC

    def __post_init__(self) -> None:
        _zone(self.timezone)
        if not isinstance(self.cron, str):
            raise wrong_type(self.cron, "cron", "a string", "write cron='0 9 * * MON-FRI'")
        try:
            self._dates(datetime(2020, 1, 1, tzinfo=timezone.utc))
        except ValueError as error:
            hint = f"write five fields ({_FIELDS}), such as '0 9 * * MON-FRI'"
            raise InputError(f"cron: {self.cron!r} is no schedule: {error}", hint=hint) from None

    def after(self, moment: datetime) -> datetime | None:
        """The next time after ``moment``, in UTC; ``None`` where there is none in the next decades."""
        found = next(self._dates(moment.astimezone(_zone(self.timezone))), None)
        return None if found is None else found.astimezone(timezone.utc)

    def to_json(self) -> dict[str, Any]:
        return {"cron": self.cron, "timezone": self.timezone}

    def _dates(self, start: datetime) -> Any:
        from cronsim import CronSim, CronSimError

        text = _ALIASES.get(self.cron.strip().lower(), self.cron)
        if len(text.split()) != 5:
            raise ValueError(f"it has {len(text.split())} fields")
        try:
            return CronSim(text, start)
        except CronSimError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Interval:
    """Every ``interval``, counted from ``anchor_date``. One of whole days with a ``timezone`` keeps to its clock.

    Raises ``InputError``'s kinds for less than a second, what is no date, and what is no time zone.
    """

    interval: float | timedelta  #: seconds, or a ``timedelta``: 1 s at least; kept as seconds
    #: By default midnight of 1 January 2020, so that each deployment of it says the same. Without a time zone of its
    #: own it is in ``timezone``.
    anchor_date: datetime | None = None
    timezone: str | None = None  #: a name of the IANA database; by default UTC

    def __post_init__(self) -> None:
        zone, given = _zone(self.timezone), self.interval
        seconds = given.total_seconds() if isinstance(given, timedelta) else given
        hint = "write seconds (interval=3600), or a timedelta"
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds != seconds:
            raise wrong_type(given, "interval", "a number of seconds or a timedelta", hint)
        if not 1 <= seconds < 1e9:
            raise InputError(f"interval: {seconds:g} seconds are less than one, or too many", hint=hint)
        anchor = _ANCHOR if self.anchor_date is None else self.anchor_date
        if not isinstance(anchor, datetime):
            raise wrong_type(anchor, "anchor_date", "a datetime", "write anchor_date=datetime(2026, 1, 1, 9)")
        anchor = anchor if anchor.tzinfo else anchor.replace(tzinfo=zone)
        try:
            anchor.astimezone(timezone.utc)
        except OverflowError:
            raise InputError(f"anchor_date: {anchor} is no year's of UTC", hint="name one of this century") from None
        object.__setattr__(self, "interval", float(seconds))
        object.__setattr__(self, "anchor_date", anchor)

    def after(self, moment: datetime) -> datetime | None:
        """The next time after ``moment``, in UTC."""
        seconds, anchor = self.interval, self.anchor_date
        assert isinstance(seconds, float)
        assert anchor is not None
        if moment < anchor:
            return anchor.astimezone(timezone.utc)
        if self.timezone is not None and seconds % _DAY == 0:
            return self._on_the_wall(moment, anchor, int(seconds // _DAY))
        start = anchor.astimezone(timezone.utc)
        count = int((moment - start).total_seconds() // seconds) + 1
        found = start + timedelta(seconds=count * seconds)
        # A fraction's multiples are not exact: the quotient may be a whole number too low.
        return found if found > moment else start + timedelta(seconds=(count + 1) * seconds)

    def _on_the_wall(self, moment: datetime, anchor: datetime, days: int) -> datetime:
        zone = _zone(self.timezone)
        local = anchor.astimezone(zone)
        count = max((moment.astimezone(zone).date() - local.date()).days // days - 1, 0)
        while True:
            # Arithmetic on one zone's times is on what the clock shows.
            found = (local + timedelta(days=count * days)).astimezone(timezone.utc)
            if found > moment:
                return found
            count += 1

    def to_json(self) -> dict[str, Any]:
        anchor = self.anchor_date
        assert anchor is not None
        return {"interval": self.interval, "anchor_date": anchor.isoformat(), "timezone": self.timezone}


Schedule = Cron | Interval


def schedule_of(found: Mapping[str, Any]) -> Schedule:
    """From ``to_json()``'s."""
    if "cron" in found:
        return Cron(found["cron"], found["timezone"])
    return Interval(found["interval"], datetime.fromisoformat(found["anchor_date"]), found["timezone"])


def schedules_of(given: Mapping[str, Any]) -> tuple[Schedule, ...]:
    """What ``interval``, ``cron``, ``schedule`` and ``schedules`` come to, of which one may be given."""
    told = {name: value for name, value in given.items() if value is not None}
    if "rrule" in told:
        raise InputError(
            "rrule: schedules by recurrence rules are not supported", hint="write it as cron='0 9 * * MON'"
        )
    if len(told) > 1:
        hint = "write schedules=[Cron(…), Interval(…)] for several"
        raise InputError(f"{' and '.join(told)} are given, and only one of them may be", hint=hint)
    if not told:
        return ()
    ((name, value),) = told.items()
    if name == "schedule" or isinstance(value, (str, int, float, timedelta)):
        value = [value]
    makers: dict[str, Any] = {"cron": Cron, "interval": Interval}
    hint = f"write {name}={_EXAMPLES[name]}"
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise wrong_type(value, name, _WANTED[name], hint)
    found = tuple(makers[name](each) if name in makers else each for each in value)
    for n, each in enumerate(found):
        if each in found[:n]:
            raise InputError(f"{name}: the same schedule is there twice", hint="leave one of the two out")
        if not isinstance(each, (Cron, Interval)):
            raise wrong_type(each, name, _WANTED[name], f"{hint}, with: from imagekit import Cron")
        if each.after(datetime.now(timezone.utc)) is None:
            raise InputError(
                f"cron: {getattr(each, 'cron', each)!r} never comes: no day is all that it asks for",
                hint="correct its day, month or day of the week",
            )
    return found


def written(moment: datetime | None) -> str | None:
    """As the store has times: ISO 8601, UTC, to the millisecond; rounded up, or what is due after it would be it."""
    if moment is None:
        return None
    moment = moment.astimezone(timezone.utc)
    return (moment + timedelta(microseconds=-moment.microsecond % 1000)).isoformat(timespec="milliseconds")


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return timezone.utc
    if not isinstance(name, str):
        raise wrong_type(name, "timezone", "a string", "write timezone='Europe/Berlin'")
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, TypeError, KeyError):
        near = nearest(name, available_timezones())
        hint = f"did you mean {near!r}?" if near else "names are those of the IANA database: Europe/Berlin"
        raise InputError(f"timezone: {name!r} is no time zone", hint=hint) from None
