"""``python -m tests.worker.other_clock FILE ARGUMENTS``: imagekit on a clock that is off by the seconds in ``FILE``.

The machine's own clock is everybody's. What counts the time since its start is left as it is, as a change of the clock
leaves it.
"""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import Any

_FILE = Path(sys.argv.pop(1))
_time, _time_ns = time.time, time.time_ns


def _off() -> int:
    return int(_FILE.read_text())


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return super().now(tz) + datetime.timedelta(seconds=_off())


time.time = lambda: _time() + _off()
time.time_ns = lambda: _time_ns() + _off() * 10**9
datetime.datetime = _Datetime  # type: ignore[misc]

if __name__ == "__main__":
    from imagekit.cli import main

    main()
