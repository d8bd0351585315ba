"""One flow in one container, which is gone when its end is known."""

from __future__ import annotations

import math
import secrets
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any

from imagekit.engine.client import Engine
from imagekit.engine.containers import Attached, Container, ContainerSpec
from imagekit.errors import (
    EngineError,
    EngineLost,
    EngineTimeout,
    FlowFailed,
    InputError,
    ResultNotSerializable,
    RunCrashed,
)
from imagekit.runs.interrupts import interrupts
from imagekit.runs.outcome import Facts, judge
from imagekit.runs.own_directory import mounted, put_files
from imagekit.runs.request import BOOTSTRAP, OUTCOME, REQUEST, Request, check_environment, container_name
from imagekit.runs.start import PYTHONS, SAFE_DEFAULTS, NoSuchProgram, start
from imagekit.runs.values import CANCELLED, COMPLETED, FAILED, RunResult
from imagekit.runs.watch import Ended, Happening, Lost, Output, Sink, StopAsked, watch, watch_again
from imagekit.spec.entrypoint import Entrypoint

LABEL_RUN = "imagekit.run"  # unique to each container, also before its ID is known

# An engine that is restarted is back within seconds; one that is not back by then has crashed the run.
RECONNECT_SECONDS = 15.0

# After so long without a word from the container the engine is asked whether it is still there.
PULSE_SECONDS = 30.0


def run_flow(
    engine: Engine,
    *,
    image: str,
    entrypoint: Entrypoint | str,
    parameters: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    workdir: str | None = None,
    name: str | None = None,
    timeout: float | None = None,
    network: str | None = None,
    on_output: Sink | None = None,
    grace: int = 10,
    host_config: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    raise_on_failure: bool = False,
) -> RunResult:
    """Run ``entrypoint`` (``PATH.py:FUNCTION``, the path relative to the image's working directory) in ``image``.

    ``on_output`` gets ``(1, bytes)`` of standard output and ``(2, bytes)`` of standard error as they come, from
    another thread, one call at a time. After ``timeout`` seconds, Ctrl-C or SIGTERM the flow gets SIGTERM
    (its ``finally`` blocks run) and after ``grace`` seconds more SIGKILL; a second Ctrl-C kills at once.
    ``network`` is a network's name, ``"none"`` for no network, ``None`` for the engine's default.
    ``host_config`` are keys of the API's HostConfig, which take the place of ``SAFE_DEFAULTS``.

    Raises ``InvalidEntrypoint``, ``InvalidParameters`` or ``InputError`` before the engine is called, ``EngineError``
    where no container can be had, ``BaseUnusable`` where the image has no Python. However the flow ends is in the
    result; with ``raise_on_failure``, ``FlowFailed``, ``ResultNotSerializable``, ``RunCrashed`` or (cancelled)
    ``KeyboardInterrupt`` are raised instead.
    """
    request = Request.of(entrypoint, parameters)
    check_environment(env or {})
    if timeout is not None and not 0 < timeout < math.inf:
        raise InputError(f"a time limit of {timeout} seconds cannot be kept", hint="give a number above 0")
    if grace < 0:
        raise InputError(f"a grace of {grace} seconds cannot be given", hint="give 0 or more")
    run = _Run(
        engine=engine,
        request=request,
        reference=image,
        name=container_name(name, request.function),
        env=env or {},
        workdir=workdir,
        network=network,
        host_config={**SAFE_DEFAULTS, **(host_config or {})},
        labels=labels or {},
        timeout=timeout,
        grace=grace,
    )
    output = Output(on_output)
    happenings: SimpleQueue[Happening] = SimpleQueue()

    def asked(number: int) -> None:
        happenings.put(StopAsked(why="interrupt" if number == signal.SIGINT else "terminate"))

    with interrupts(asked):
        for python in PYTHONS:
            with suppress(NoSuchProgram):
                result = run.carry_out(python, output, happenings)
                break
    if output.failure is not None:
        raise output.failure
    if raise_on_failure:
        raise_for(result)
    return result


def raise_for(result: RunResult) -> None:
    """Raise what fits a run that did not complete; nothing for one that did."""
    if result.state == COMPLETED:
        return
    problem = result.error
    message = problem.message if problem else result.state
    hint, details = (problem.hint, problem.traceback) if problem else (None, None)
    if result.state == CANCELLED:
        raise KeyboardInterrupt(message)
    if result.state != FAILED:
        raise RunCrashed(message, hint=hint, details=details)
    if problem and problem.kind == "result-not-serializable":
        raise ResultNotSerializable(message, hint=hint)
    kind = problem.type.rpartition(".")[2] if problem and problem.type else ""
    line = f"{kind}: {message}" if kind and message else message or kind
    raise FlowFailed(line.partition("\n")[0], hint=hint, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    engine: Engine
    request: Request
    reference: str
    name: str
    env: Mapping[str, str]
    workdir: str | None
    network: str | None
    host_config: Mapping[str, Any]
    labels: Mapping[str, str]
    timeout: float | None
    grace: int

    def carry_out(self, python: str, output: Output, happenings: SimpleQueue[Happening]) -> RunResult:
        container = self._create(python)
        streams: Attached | None = None
        facts: Facts | None = None
        try:
            put_files(container, self.host_config, self.request.files())
            streams = container.attach()
            started, clock = datetime.now(timezone.utc), time.monotonic()
            start(container, self.reference, python)
            watch(container, streams, output, happenings)
            facts, image = self._follow(container, output, happenings, clock)
            seconds = time.monotonic() - clock
        finally:
            if streams is not None:
                streams.close()
            try:
                container.remove()
            except (EngineLost, EngineTimeout):
                # Nothing can be removed without an engine; the next sweep does it. How the flow ended is known.
                if facts is None:
                    raise
        verdict = judge(facts)
        return RunResult(
            state=verdict.state,
            exit_code=facts.exit_code,
            result=verdict.result,
            image=image or self.reference,
            reference=self.reference,
            name=self.name,
            seconds=seconds,
            started=_iso(started),
            ended=_iso(datetime.now(timezone.utc)),
            cause=verdict.cause,
            error=verdict.error,
            python=verdict.python,
        )

    def _create(self, python: str) -> Container:
        mark = secrets.token_hex(8)
        spec = ContainerSpec(
            image=self.reference,
            command=[python, BOOTSTRAP, REQUEST, OUTCOME],
            entrypoint=(),
            kind="run",
            env=self.env,
            workdir=self.workdir,
            name=self.name,
            network=self.network,
            labels={**self.labels, LABEL_RUN: mark},
            keeps_output=True,
            host_config=mounted(self.host_config),
        )
        try:
            return Container.create(self.engine, spec)
        except (KeyboardInterrupt, EngineTimeout):
            # The engine may have made it without our having heard.
            with suppress(EngineError):
                made = Container(self.engine, self.name)
                found = made.inspect()
                if found and found["Config"]["Labels"].get(LABEL_RUN) == mark:
                    made.remove()
            raise

    def _follow(
        self, container: Container, output: Output, happenings: SimpleQueue[Happening], clock: float
    ) -> tuple[Facts, str | None]:
        """Wait until it is over, for whatever reason; what is known then, and the image's ID."""
        image: str | None = None
        stopped: str | None = None
        lost = False
        exit_code: int | None = None
        try:
            with suppress(EngineError):
                # While the flow runs this costs nothing.
                image = (container.inspect() or {}).get("Image")
            while True:
                left = None if self.timeout is None or stopped else clock + self.timeout - time.monotonic()
                try:
                    happening = happenings.get(
                        timeout=PULSE_SECONDS if left is None else min(max(left, 0), PULSE_SECONDS)
                    )
                except Empty:
                    if left is not None and left <= PULSE_SECONDS:
                        happening = StopAsked(why="timeout")
                    else:
                        # Silence may be the flow's or the engine's: the latter is asked. Of one that
                        # went away the watching thread hears too, and then it is waited for.
                        with suppress(EngineLost):
                            container.inspect()
                        continue
                if isinstance(happening, StopAsked):
                    stopped = stopped or happening.why
                    try:
                        container.stop(self.grace)
                    except EngineTimeout:
                        raise
                    except EngineError:
                        # Gone already, or the engine is: either end is on its way.
                        continue
                elif isinstance(happening, Ended):
                    exit_code = happening.exit_code
                    break
                elif isinstance(happening, Lost):
                    lost = True
                    if not self._adopt(container, output, happenings):
                        with suppress(Empty):
                            asked = happenings.get_nowait()
                            stopped = stopped or (asked.why if isinstance(asked, StopAsked) else None)
                        return Facts(outcome=None, exit_code=None, stopped=stopped, engine_lost=True), image
            outcome = container.get(OUTCOME)
            state = None if outcome else (container.inspect() or {}).get("State")
        except KeyboardInterrupt:
            # The second signal: whatever the flow was about, it is killed by the removal.
            stopped = stopped or "interrupt"
            return Facts(outcome=None, exit_code=None, stopped=stopped, state={}, engine_lost=lost), image
        except (EngineLost, EngineTimeout):
            return Facts(outcome=None, exit_code=exit_code, stopped=stopped, engine_lost=True), image
        facts = Facts(
            outcome=outcome,
            exit_code=exit_code,
            stopped=stopped,
            state=state,
            engine_lost=lost,
            timeout=self.timeout,
        )
        return facts, image

    def _adopt(self, container: Container, output: Output, happenings: SimpleQueue[Happening]) -> bool:
        """Find the container again on an engine that comes back.

        ``False`` where it does not come back, or where a signal (left in ``happenings``) ends the waiting.
        """
        until = time.monotonic() + RECONNECT_SECONDS
        while time.monotonic() < until:
            try:
                if container.inspect() is not None:
                    watch_again(container, container.attach(), output, happenings)
                else:
                    happenings.put(Ended(exit_code=None))
                return True
            except EngineError:
                with suppress(Empty):
                    happenings.put(happenings.get(timeout=0.25))
                    return False
        return False


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
