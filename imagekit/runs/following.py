"""A container that runs a flow, from start to end, through signals, the time limit and an engine that goes away."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace

from imagekit.engine.containers import Container
from imagekit.errors import EngineError, EngineLost, EngineTimeout
from imagekit.mailbox import Empty, Mailbox
from imagekit.moments import parse_rfc3339
from imagekit.runs.outcome import Facts, judge
from imagekit.runs.own_directory import OUT
from imagekit.runs.request import END_FILE, LARGEST_RESULT, OUTCOME_FILE, RESULT_FILE
from imagekit.runs.values import COMPLETED, FAILED
from imagekit.runs.watch import Ended, Happening, LetGo, LetGone, Output, StopAsked, watch_again

# An engine that is restarted is back within seconds; one that is not back by then has crashed the run.
RECONNECT_SECONDS = 15.0

# After so long without a word from the container the engine is asked whether it is still there.
PULSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """``until_ended()`` waits until it is over, for whatever reason, and tells what is known then.

    ``LetGone`` where it is to be left to somebody else.

    ``clock`` is ``time.monotonic()`` at the start; ``timeout`` counts from there.
    """

    container: Container
    output: Output
    happenings: Mailbox[Happening]
    clock: float
    timeout: float | None
    grace: int
    lost: bool = False  # the engine was away before
    had_ended: bool = False  # the container, when it was found

    def until_ended(self) -> Facts:
        stopped: str | None = None
        lost = self.lost
        exit_code: int | None = None
        try:
            while True:
                happening = self._next(timed=stopped is None)
                if isinstance(happening, StopAsked):
                    stopped = stopped or happening.why
                    try:
                        self.container.stop(self.grace)
                    except EngineTimeout:
                        raise
                    except EngineError:
                        # Gone already, or the engine is: either end is on its way.
                        continue
                elif isinstance(happening, Ended):
                    exit_code = happening.exit_code
                    break
                elif isinstance(happening, LetGo):
                    raise LetGone
                else:
                    lost = True
                    if not self._found_again():
                        with suppress(Empty):
                            asked = self.happenings.get_nowait()
                            if isinstance(asked, LetGo):
                                raise LetGone
                            stopped = stopped or (asked.why if isinstance(asked, StopAsked) else None)
                        return Facts(exit_code=None, stopped=stopped, engine_lost=True)
            return self._facts(exit_code, stopped, lost=lost)
        except KeyboardInterrupt:
            # The second signal: whatever the flow was about, it is killed by the removal.
            return Facts(exit_code=None, stopped=stopped or "interrupt", state={}, engine_lost=lost)
        except (EngineLost, EngineTimeout):
            return Facts(exit_code=exit_code, stopped=stopped, engine_lost=True)

    def _next(self, *, timed: bool) -> Happening:
        while True:
            left = self.clock + self.timeout - time.monotonic() if timed and self.timeout is not None else None
            try:
                return self.happenings.get(timeout=PULSE_SECONDS if left is None else min(max(left, 0), PULSE_SECONDS))
            except Empty:
                if left is not None and left <= PULSE_SECONDS:
                    return StopAsked(why="timeout")
                # Silence may be the flow's or the engine's: the latter is asked. Of one that went away the
                # watching thread hears too, and then it is waited for.
                with suppress(EngineLost):
                    self.container.inspect()

    def _facts(self, exit_code: int | None, stopped: str | None, *, lost: bool) -> Facts:
        facts = facts_of(self.container, exit_code=exit_code, stopped=stopped, engine_lost=lost, timeout=self.timeout)
        return facts_of_found(self.container, facts) if self.had_ended else facts

    def _found_again(self) -> bool:
        """Find the container again on an engine that comes back.

        ``False`` where it does not come back, or where a signal (left in ``happenings``) ends the waiting.
        """
        until = time.monotonic() + RECONNECT_SECONDS
        while time.monotonic() < until:
            try:
                if self.container.inspect() is not None:
                    watch_again(self.container, self.output, self.happenings)
                else:
                    self.happenings.put(Ended(exit_code=None))
                return True
            except EngineError:
                with suppress(Empty):
                    self.happenings.put(self.happenings.get(timeout=0.25))
                    return False
        return False


def facts_of_found(container: Container, facts: Facts) -> Facts:
    """``facts`` of a container that had ended when it was found: whether it went with its engine, which was started
    anew since. What an engine stops, when it ends or when it finds it running, is told as by ``docker stop``; but an
    engine that was started anew knows nothing of the container's start."""
    if facts.engine_lost or facts.stopped or judge(facts).state in (COMPLETED, FAILED):
        return facts
    state = (container.inspect() or {}).get("State") or {}
    if state.get("Status") != "exited":
        return facts
    ended = parse_rfc3339(state["FinishedAt"]).timestamp()
    # What is still to come, by its clock, is waited for; that may have been set back.
    known, is_all = container.remembered(min(ended + 2, time.time() + 10))
    if "start" in known or ("die" in known and not is_all):
        return facts
    return replace(facts, engine_lost=True)


def facts_of(
    container: Container,
    *,
    exit_code: int | None,
    stopped: str | None = None,
    engine_lost: bool = False,
    timeout: float | None = None,
) -> Facts:
    """What a container that has ended left behind."""
    try:
        files = container.files(OUT, (OUTCOME_FILE, END_FILE, RESULT_FILE), largest=LARGEST_RESULT)
    except (EngineLost, EngineTimeout):
        raise
    except EngineError:
        # While somebody else removes it, the engine finds that parts of it are missing.
        found = (container.inspect() or {}).get("State")
        if found is not None and found.get("Status") not in ("removing", "dead"):
            raise
        files = {}
    # The engine's own account is wanted only where the flow's is missing.
    state = None if OUTCOME_FILE in files else (container.inspect() or {}).get("State")
    if exit_code is None and state is not None:
        exit_code = state.get("ExitCode")
    return Facts(
        outcome=files.get(OUTCOME_FILE),
        end=files.get(END_FILE),
        data=files.get(RESULT_FILE),
        exit_code=exit_code,
        stopped=stopped,
        state=state,
        engine_lost=engine_lost,
        timeout=timeout,
    )
