"""What a worker tells of what it does, a line each; and the output of its runs, with their names before it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imagekit.errors import ImagekitError

if TYPE_CHECKING:
    from imagekit.store.values import StoredRun
    from imagekit.store.work_values import WorkerSeen
    from imagekit.worker.one_run import JobEnd

Say = Callable[[str], None]
# A line that is longer is shown in pieces.
_LONGEST = 1 << 16


class Told:
    """``say`` gets the lines, one call at a time."""

    def __init__(self, say: Say | None = None) -> None:
        self._say = say or _print
        self._guard = threading.Lock()
        self._trouble = ""

    def started(self, worker: WorkerSeen, *, once: bool) -> None:
        until = "carries out what is due in" if once else "polls"
        self._line(f"worker {worker.name} {until} {worker.pool}, {worker.slots} at a time")

    def began(self, run: StoredRun) -> None:
        due = "" if run.is_due else f", due at {_clock(str(run.scheduled_for))}"
        self._line(f"{run.record.name}: {run.deployment} ({run.id[:8]}){due}")

    def ready(self, run: StoredRun) -> None:
        if not run.is_due:
            self._line(f"{run.record.name}: ready, and begins at {_clock(str(run.scheduled_for))}")

    def adopted(self, run: StoredRun) -> None:
        self._line(f"{run.record.name}: taken over from a worker that is gone (attempt {run.attempt})")

    def ended(self, run: StoredRun, end: JobEnd) -> None:
        state = end.how if end.state is None else end.state
        cause = f" ({end.cause})" if end.cause and end.cause != state else ""
        more = f": {end.message}" if end.message else ""
        self._line(f"{run.record.name}: {state}{cause}{more}")

    def stopping(self, count: int) -> None:
        if count:
            runs = "1 run" if count == 1 else f"{count} runs"
            self._line(f"no more runs are begun; waiting for {runs} (once more: leave them to the next worker)")

    def stopped(self, ended: int, let_go: int, *, was_kept: bool) -> None:
        left = f", {let_go} left to the next worker" if let_go else ""
        waiting = "; what was due waits" if was_kept else ""
        self._line(f"stopped after {ended} run{'' if ended == 1 else 's'}{left}{waiting}")

    def trouble(self, error: Exception) -> None:
        """Once, for as long as it is the same."""
        words, hint = f"a fault of imagekit's own: {type(error).__name__}: {error}", None
        if isinstance(error, ImagekitError):
            words, hint = error.message, error.hint
        if words != self._trouble:
            self._trouble = words
            self._line(f"{words}{f' ({hint})' if hint else ''}")

    def output_of(self, run: StoredRun) -> Lines:
        """Shows what the run writes, line by line."""
        return Lines(lambda line: self._put(f"{run.record.name} | {line}"))

    def _line(self, text: str) -> None:
        self._put(f"{datetime.now(timezone.utc).astimezone():%H:%M:%S}  {text}")

    def _put(self, text: str) -> None:
        with self._guard:
            self._say(text)


class Lines:
    """Takes bytes of two streams, and gives whole lines of each; ``close()`` gives what is left."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._rest = {1: b"", 2: b""}

    def __call__(self, stream: int, data: bytes) -> None:
        *lines, last = (self._rest[stream] + data).split(b"\n")
        if len(last) > _LONGEST:
            lines.append(last)
            last = b""
        self._rest[stream] = last
        for line in lines:
            self._say(line.decode("utf-8", "backslashreplace"))

    def close(self) -> None:
        for stream, rest in self._rest.items():
            if rest:
                self._rest[stream] = b""
                self._say(rest.decode("utf-8", "backslashreplace"))


def _clock(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%H:%M:%S}"


def _print(text: str) -> None:
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except OSError:
        return  # whoever read it is gone; the runs are not
