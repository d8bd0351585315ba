"""One flow in one container, which is gone when its end is known."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from threading import Thread
from typing import TYPE_CHECKING

from imagekit.engine.client import Engine
from imagekit.engine.containers import KEPT, LABEL_RECORDED, Attached, Container
from imagekit.errors import ContainerNameTaken, EngineError, EngineLost, EngineTimeout
from imagekit.mailbox import Empty, Mailbox
from imagekit.runs.body import container_spec, is_demoted
from imagekit.runs.concealing import concealed_problem, held, needles_of
from imagekit.runs.interrupts import interrupts
from imagekit.runs.looking import Looking
from imagekit.runs.order import RunOrder
from imagekit.runs.own_directory import put_files
from imagekit.runs.recording import NotOurs, Recording
from imagekit.runs.refusals import refusals
from imagekit.runs.request import BOOTSTRAP, OUTCOME, REQUEST
from imagekit.runs.start import PYTHONS, NoSuchProgram, start
from imagekit.runs.watch import Ended, Happening, LetGone, Output, Sink, StopAsked, Unstarted, watch, watch_again

if TYPE_CHECKING:
    from pathlib import Path

    from imagekit.checkouts.values import Checkout
    from imagekit.runs.adding import Put
    from imagekit.runs.outcome import Facts
    from imagekit.runs.values import RunResult
    from imagekit.secrets.needles import Needles
    from imagekit.store.claimed import Record

# Keeps what is ready from its start; ``Unstarted`` where it is left to somebody else.
Hold = Callable[["Mailbox[Happening]"], "str | None"]

LABEL_RUN = "imagekit.run"  # the run's ID
LABEL_HELD = "imagekit.secret"  # names of variables that were given in secret
LABEL_KEPT = "imagekit.keep"  # auto_remove=False: nobody but its user removes it


def run_flow(
    engine: Engine,
    order: RunOrder,
    *,
    store: Record | None = None,
    on_output: Sink | None = None,
    put: Put | None = None,
    on_started: Callable[[], object] = lambda: None,
    raise_on_failure: bool = False,
    happenings: Mailbox[Happening] | None = None,
    hold: Hold | None = None,
) -> RunResult:
    """Carry out ``order``.

    ``on_output`` gets ``(1, bytes)`` of standard output and ``(2, bytes)`` of standard error as they come, from
    another thread, one call at a time. ``put`` fills the container before it is started, and ``on_started`` is called
    then. After the time limit, Ctrl-C or SIGTERM the flow gets SIGTERM (its ``finally`` blocks run) and after the grace
    SIGKILL; a second Ctrl-C kills at once. In ``store`` the run is accepted before its container is started, and has
    ended before that is removed. ``happenings`` takes ``StopAsked`` and ``LetGo`` of other threads. ``hold`` is called
    when all is ready, and comes back when the flow is to be started, or with the reason why it is not.

    Raises ``InvalidParameters`` where the flow's file in the image shows that it does not take them, ``EngineError``
    where no container can be had, ``ContainerNameTaken`` where another one has its name, ``BaseUnusable`` where the
    image has no Python, ``InputError`` where it has no such program as the command or the engine refuses the settings,
    ``StoreError`` or ``DiskFull`` where it cannot be recorded; ``LetGone``, or ``Unstarted`` where nothing was begun,
    where it is left to somebody else. However the flow ends is in the result; with
    ``raise_on_failure``, ``FlowFailed``, ``ResultNotSerializable``, ``RunCrashed`` or (cancelled)
    ``KeyboardInterrupt`` are raised instead.
    """
    needles = needles_of(order.settings.env)
    recording = Recording(store, order, needles)
    log = store.log_writer(order.run_id) if store is not None else None
    output = Output(on_output if order.settings.stream_output else None, log, needles)
    run = _Run(
        engine=engine,
        order=order,
        needles=needles,
        recording=recording,
        output=output,
        happenings=happenings or Mailbox(),
        put=put,
        on_started=on_started,
        hold=hold,
    )

    def asked(number: int) -> None:
        run.happenings.put(StopAsked(why="interrupt" if number == signal.SIGINT else "terminate"))

    with interrupts(asked):
        recording.begin()
        try:
            for python in PYTHONS:
                with suppress(NoSuchProgram):
                    result = run.carry_out(python)
                    break
        except BaseException as error:
            recording.failed(error)
            raise
        finally:
            output.close()
    if output.failure is not None:
        raise output.failure
    if raise_on_failure:
        from imagekit.runs.raising import raise_for

        raise_for(result)
    return result


def source_in_use(checkout: Checkout | None, cache: Path) -> AbstractContextManager[None]:
    """While it lasts, a source that was fetched into the cache directory is not pruned."""
    if checkout is None or not checkout.is_fetched:
        return nullcontext()
    from imagekit.sharing.leases import in_use

    return in_use(cache)


def _import_what_ends_it() -> None:
    import imagekit.runs.following
    import imagekit.runs.outcome  # noqa: F401


def _not_started(why: str) -> Facts:
    from imagekit.runs.outcome import Facts

    return Facts(exit_code=None, stopped=why, state={})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    engine: Engine
    order: RunOrder
    needles: Needles | None
    recording: Recording
    output: Output
    happenings: Mailbox[Happening]
    put: Put | None
    on_started: Callable[[], object]
    hold: Hold | None

    def carry_out(self, python: str) -> RunResult:
        order = self.order
        with refusals():
            container, status = self._container(python)
        streams: Attached | None = None
        facts: Facts | None = None
        stopped: str | None = None
        had_ended = False
        keeps = False
        try:
            if status == "created" and order.container is None:
                looking = Looking(container, order)
                if self.put is not None:
                    stopped = self._filled(container, python, looking, self.put)
                put_files(container, {"ReadonlyRootfs": order.settings.read_only}, order.request.files())
                if stopped is None and self.hold is not None:
                    looking.done()
                    stopped = self._held(container, python, self.hold)
                streams = container.attach()
                looking.done()
                self.recording.settled()
                # The engine takes a while: what is wanted at the end is imported meanwhile.
                Thread(target=_import_what_ends_it, daemon=True).start()
                if stopped is None and (stopped := self._asked_before()) is None:
                    with refusals():
                        start(container, order.reference, python, is_own=order.settings.command is not None)
                started, clock = datetime.now(timezone.utc), time.monotonic()
                if stopped is None:
                    watch(container, streams, self.output, self.happenings)
            else:
                self.recording.settled()
                started, clock = datetime.now(timezone.utc), time.monotonic()
                streams = self._take_over(container, status)
                had_ended = status == "exited"
            facts = self._followed(container, started, clock, had_ended) if stopped is None else _not_started(stopped)
            result = self._result(container, facts, started, time.monotonic() - clock)
            unrecorded = self.recording.ended(result)
            if unrecorded:
                keeps = True
                result = replace(result, warnings=(*result.warnings, f"the end is not recorded: {unrecorded}"))
            elif not order.settings.auto_remove:
                keeps = True
                container.stop(0)
        except LetGone:
            keeps = True
            raise
        except NotOurs:
            # Of a container that was not started nobody else knows.
            keeps = facts is not None
            raise
        finally:
            if streams is not None:
                streams.close()
            if not keeps:
                self._remove(container, known=facts is not None)
        return result

    def _followed(self, container: Container, started: datetime, clock: float, had_ended: bool) -> Facts:
        from imagekit.runs.following import Following

        self.recording.started(container.id, _iso(started))
        self.on_started()
        return Following(
            container=container,
            output=self.output,
            happenings=self.happenings,
            clock=clock,
            timeout=self.order.settings.timeout,
            grace=int(self.order.settings.stop_grace),
            lost=self.order.engine_lost,
            had_ended=had_ended,
        ).until_ended()

    def _filled(self, container: Container, python: str, looking: Looking, put: Put) -> str | None:
        """What ``put`` puts there, and why somebody ended that, if so. The engine does nothing else in there meanwhile.

        ``NoSuchProgram`` where starting it would say so, and all were in vain.
        """
        from imagekit.runs.adding import Stopped

        looking.done()
        self.recording.settled()
        self._check_program(container, python)
        try:
            put(container, looking.text(), lambda: not self.happenings.empty())
        except Stopped:
            happening = self.happenings.get()
            if not isinstance(happening, StopAsked):
                raise Unstarted from None
            return happening.why
        return None

    def _check_program(self, container: Container, python: str) -> None:
        """``NoSuchProgram`` where starting it would say so."""
        from imagekit.runs.adding import has_program

        order = self.order
        if python == PYTHONS[-1] or order.settings.command is not None:
            return
        env = dict(entry.partition("=")[::2] for entry in order.facts.env)
        if not has_program(container, python, {**env, **order.added_env, **order.settings.variables}.get("PATH")):
            raise NoSuchProgram(python)

    def _held(self, container: Container, python: str, hold: Hold) -> str | None:
        self.recording.settled()
        self._check_program(container, python)
        stopped = hold(self.happenings)
        if container.inspect() is None:
            # Whoever removes what does not run (docker container prune) takes it for a leftover.
            raise Unstarted
        return stopped

    def _asked_before(self) -> str | None:
        """Why it is not to be started, if somebody said so meanwhile."""
        with suppress(Empty):
            happening = self.happenings.get_nowait()
            if isinstance(happening, StopAsked):
                return happening.why
            raise Unstarted
        return None

    def _container(self, python: str) -> tuple[Container, str]:
        """The run's container and its state: ``created``, or what it is in where it was there already."""
        order = self.order
        if order.container is not None:
            known = Container(self.engine, order.container)
            return known, str((known.inspect() or {}).get("State", {}).get("Status", "removed"))
        kept = {} if order.settings.auto_remove else {LABEL_KEPT: "true", LABEL_RECORDED: KEPT}
        if not kept and self.recording.is_recorded:
            kept[LABEL_RECORDED] = order.run_id
        if secret := held(order.settings.env):
            kept[LABEL_HELD] = secret
        spec = container_spec(
            order.settings,
            order.facts,
            reference=order.image.id,
            called=order.reference,
            command=[python, BOOTSTRAP, REQUEST, OUTCOME],
            name=order.name,
            labels={**order.labels, **kept, LABEL_RUN: order.run_id},
            cwd=order.cwd,
            memory=order.memory,
        )
        try:
            if order.checkout is None:
                return Container.create(self.engine, spec), "created"
            from imagekit.runs.placing import create

            return create(self.engine, spec, order.checkout), "created"
        except ContainerNameTaken:
            found = Container(self.engine, order.name).inspect() or {}
            if (found.get("Config", {}).get("Labels") or {}).get(LABEL_RUN) != order.run_id:
                raise
            # The same run, by whoever saw to it before: it is not begun twice.
            return Container(self.engine, found["Id"]), found["State"]["Status"]
        except (KeyboardInterrupt, EngineTimeout):
            # The engine may have made it without our having heard.
            with suppress(EngineError):
                found = Container(self.engine, order.name).inspect() or {}
                if (found.get("Config", {}).get("Labels") or {}).get(LABEL_RUN) == order.run_id:
                    Container(self.engine, found["Id"]).remove()
            raise

    def _take_over(self, container: Container, status: str) -> Attached | None:
        if status not in ("running", "paused", "exited"):
            self.happenings.put(Ended(exit_code=None))
            return None
        self.output.take_over()
        try:
            return watch_again(container, self.output, self.happenings)
        except (EngineLost, EngineTimeout):
            raise
        except EngineError:
            # Somebody removed it just now.
            self.happenings.put(Ended(exit_code=None))
            return None

    def _remove(self, container: Container, *, known: bool) -> None:
        try:
            container.remove()
        except (EngineLost, EngineTimeout):
            # Nothing can be removed without an engine; the next run does it. How the flow ended is known.
            if not known:
                raise

    def _result(self, container: Container, facts: Facts, started: datetime, seconds: float) -> RunResult:
        from imagekit.runs.outcome import judge
        from imagekit.runs.values import RunResult

        order = self.order
        verdict = judge(
            replace(
                facts,
                demoted=is_demoted(order.settings, order.facts),
                own_command=order.settings.command is not None,
            )
        )
        return RunResult(
            state=verdict.state,
            exit_code=verdict.exit_code,
            result=verdict.result,
            image=order.image.id,
            reference=order.reference,
            name=order.name,
            seconds=seconds,
            started=_iso(started),
            ended=_iso(datetime.now(timezone.utc)),
            cause=verdict.cause,
            error=concealed_problem(verdict.error, self.needles),
            python=verdict.python,
            id=order.run_id,
            container_id=container.id,
            repo_digest=order.repo_digest,
            lock_digest=order.lock_digest,
            source=order.source,
            extras=order.extras,
            parameters=order.request.given,
            cpu_seconds=verdict.cpu_seconds,
            peak_memory=verdict.peak_memory,
            oom_kills=verdict.oom_kills,
            warnings=order.checkout.remarks if order.checkout is not None else (),
        )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
