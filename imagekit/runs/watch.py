"""A container's output and end, watched from a thread of its own.

The thread that runs a flow waits for whatever comes first (the end, a signal, the time limit),
so what the engine says has to reach it as a message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagekit.engine.containers import Attached, Container
from imagekit.errors import EngineError, EngineLost, EngineTimeout
from imagekit.mailbox import Mailbox
from imagekit.runs.concealing import Masking
from imagekit.store.logs import LogWriter

if TYPE_CHECKING:
    from imagekit.secrets.needles import Needles

Sink = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The container is not running any more, or not there (``exit_code`` is ``None``)."""

    exit_code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The engine does not answer any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """A signal came, or somebody wants it to end: ``why`` is ``interrupt``, ``terminate`` or ``cancel``."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Whoever follows the run is to leave it to somebody else, as it is."""


class LetGone(Exception):
    """The run goes on, and is not followed from here any more."""


class Unstarted(Exception):
    """The run is left before anything of it was started: whoever claimed it puts it back to those that wait."""


Happening = Ended | Lost | StopAsked | LetGo

# After so long without any, the output of a container that was found again, and has ended, is over.
LAST_OUTPUT_SECONDS = 1.0
# The engine keeps a run's output as JSON (``engine.containers``): about so many bytes more for each line. Of what is
# longer than the most it may have dropped the beginning.
_OF_A_LINE, _MOST_KEPT = 100, 12 << 20


class Output:
    """Keeps output in ``log`` and hands it on to ``sink``, until that fails.

    A terminal or pipe that is closed ends the showing and not the flow; any other exception of
    the sink is kept in ``failure`` for the caller to raise when the container is gone. What ``needles`` find comes to
    neither of both.
    """

    def __init__(self, sink: Sink | None, log: LogWriter | None = None, needles: Needles | None = None) -> None:
        self._sink = sink
        self._log = log
        self._needles = needles
        self._masking = Masking(needles) if needles is not None else None
        self._guard = threading.Lock()
        self._passed = {1: 0, 2: 0}
        self._lines = 0
        self._known = {1: 0, 2: 0}
        self.failure: Exception | None = None

    def take_over(self) -> None:
        """What another process has kept of the run's output was passed on."""
        with self._guard:
            if self._log is not None:
                self._log.take_over()
                self._passed, self._lines = dict(self._log.counts), self._log.lines

    @property
    def is_kept(self) -> bool:
        """Whether the engine has all that was passed on, from its beginning."""
        return sum(self._passed.values()) + self._lines * _OF_A_LINE < _MOST_KEPT

    @property
    def count(self) -> int:
        """Bytes that were passed on."""
        return sum(self._passed.values())

    def begin_again(self) -> None:
        """All that the container wrote comes once more: what was passed on is not passed on twice."""
        with self._guard:
            self._masking = Masking(self._needles) if self._needles is not None else None
            self._known = dict(self._passed)

    def close(self) -> None:
        """Nothing is kept any more."""
        with self._guard:
            held = list(self._masking.rest()) if self._masking is not None else []
        for stream, data in held:
            self._pass_on(stream, data)
        with self._guard:
            if self._log is not None:
                self._log.close()
                self._log = None

    def write(self, stream: int, data: bytes) -> None:
        if self._masking is not None:
            with self._guard:
                data = self._masking.passed(stream, data)
            if not data:
                return
        self._pass_on(stream, data)

    def _pass_on(self, stream: int, data: bytes) -> None:
        with self._guard:
            known = min(self._known[stream], len(data))
            self._known[stream] -= known
            data = data[known:]
            if not data:
                return
            self._passed[stream] += len(data)
            self._lines += data.count(b"\n")
            if self._log is not None:
                self._log.write(stream, data)
        if self._sink is None:
            return
        try:
            self._sink(stream, data)
        except OSError:
            self._sink = None
        except Exception as error:
            self._sink = None
            self.failure = error


def watch(container: Container, streams: Attached, output: Output, happenings: Mailbox[Happening]) -> None:
    """Pass on the output of ``container`` and, at last, put ``Ended`` or ``Lost``.

    One piece at a time is held: a sink that is slow slows the flow, as a pipe does.
    """

    def work() -> None:
        try:
            _pass_on(streams, output)
        except EngineTimeout:
            happenings.put(Lost())
        else:
            happenings.put(_end(container))

    threading.Thread(target=work, name="imagekit-run-watch", daemon=True).start()


def watch_again(container: Container, output: Output, happenings: Mailbox[Happening]) -> Attached:
    """As ``watch``, for a container that was found again and may have ended meanwhile; its streams.

    What it wrote while nobody listened is passed on, where the engine has it. The engine may keep a connection to the
    streams of an ended container open for ever, so that the end of the output says nothing here.
    """
    streams, is_whole = container.attach_again() if output.is_kept else (container.attach(), False)
    if is_whole:
        output.begin_again()

    def pass_on() -> None:
        # The wait for its end hears of a silent engine as well.
        with suppress(EngineTimeout):
            _pass_on(streams, output)

    passing = threading.Thread(target=pass_on, name="imagekit-run-output", daemon=True)
    passing.start()

    def work() -> None:
        end = _end(container)
        before = -1
        while passing.is_alive() and before != output.count:
            before = output.count
            passing.join(LAST_OUTPUT_SECONDS)
        streams.close()
        happenings.put(end)

    threading.Thread(target=work, name="imagekit-run-watch", daemon=True).start()
    return streams


def _pass_on(streams: Attached, output: Output) -> None:
    """Raises ``EngineTimeout`` where the engine does not answer any more."""
    try:
        for stream, data in streams.frames():
            output.write(stream, data)
    except EngineTimeout:
        raise
    except (EngineError, OSError, ValueError):
        # Whether the container or the engine ended is for the next call to say.
        return


def _end(container: Container) -> Happening:
    try:
        return Ended(exit_code=container.wait())
    except (EngineLost, EngineTimeout):
        return Lost()
    except Exception:
        # A refusal: the container is gone. What that means is judged with all else that is known.
        return Ended(exit_code=None)
