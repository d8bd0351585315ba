"""A run written down while the engine is busy with it: accepted before its container starts, ended before that goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from imagekit.errors import (
    ContainerNameTaken,
    DiskFull,
    EngineLost,
    EngineNotFound,
    EnginePermission,
    EngineTimeout,
    ImagekitError,
    InvalidParameters,
    NotAnEngine,
    StoreError,
)
from imagekit.runs.concealing import concealed_end, concealed_record
from imagekit.runs.watch import LetGone, Unstarted
from imagekit.store.values import RunEnd

if TYPE_CHECKING:
    from imagekit.runs.order import RunOrder
    from imagekit.runs.values import RunResult
    from imagekit.secrets.needles import Needles
    from imagekit.store.claimed import Record

# What says nothing of the run: the engine could not have carried out any.
AWAY = (DiskFull, EngineLost, EngineNotFound, EnginePermission, EngineTimeout, NotAnEngine)
_REFUSED_FOR = {ContainerNameTaken: "name", InvalidParameters: "parameters"}


class NotOurs(Exception):
    """The run is somebody else's by now, and so is its container."""


class Recording:
    """``store=None`` writes nothing down; what ``needles`` find is never."""

    def __init__(self, store: Record | None, order: RunOrder, needles: Needles | None = None) -> None:
        self._store = store
        self._needles = needles
        self._order = order
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._is_accepted = store is not None
        self._is_started = False

    @property
    def is_recorded(self) -> bool:
        return self._store is not None

    def begin(self) -> None:
        """Write it down, in a thread; ``settled()`` says how that went."""
        if self._store is not None:
            store, record = self._store, concealed_record(self._order.record(), self._needles)
            self._start(lambda: store.begin(record))

    def settled(self) -> None:
        """Wait for what was begun last; ``StoreError`` or ``DiskFull`` where it failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            # What was never written down cannot end.
            self._is_accepted = False
            raise self._failure
        if self._store is not None and not self._store.is_ours(self._order.run_id):
            raise NotOurs

    def started(self, container_id: str, started: str) -> None:
        """In a thread: it is a help to onlookers and nothing more, so that a failure is not told."""
        self._is_started = True
        if self._store is not None:
            store, run_id = self._store, self._order.run_id
            self._start(lambda: store.started(run_id, container_id=container_id, started=started))

    def ended(self, result: RunResult) -> str | None:
        """Write down how it ended; where that fails, the reason: the container is to stay then, to be found again.

        ``NotOurs`` where somebody else has said how it ended, or sees to it by now.
        """
        from imagekit.runs.values import SerializedResult

        error = result.error.to_json() if result.error else None
        value = result.result
        return self._end(
            RunEnd(
                state=result.state,
                cause=result.cause,
                exit_code=result.exit_code,
                error=error,
                result=value.to_json() if isinstance(value, SerializedResult) else value,
                python=result.python,
                cpu_seconds=result.cpu_seconds,
                peak_memory=result.peak_memory,
                # One that was stopped before its start has none.
                started=result.started if self._is_started else None,
                ended=result.ended,
                container_id=result.container_id,
                image_id=result.image,
            )
        )

    def failed(self, error: BaseException) -> None:
        """It came to no container, or to none that could be followed: that is how it ended, unless it may wait."""
        waits = self._store is not None and self._store.may_wait and not self._is_started
        waits = waits and isinstance(error, (*AWAY, StoreError))
        if not waits and not isinstance(error, (NotOurs, LetGone, Unstarted)):
            with suppress(NotOurs):
                self._end(end_by(error, is_started=self._is_started))

    def _end(self, end: RunEnd) -> str | None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._store is None or not self._is_accepted:
            return None
        try:
            noted = self._store.end(self._order.run_id, concealed_end(end, self._needles))
            if not noted and not self._store.is_ours(self._order.run_id):
                raise NotOurs
        except ImagekitError as error:
            return error.message
        return None

    def _start(self, work: Callable[[], object]) -> None:
        def noted() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = error

        if self._thread is not None:
            self._thread.join()
        self._thread = threading.Thread(target=noted, name="imagekit-run-record", daemon=True)
        self._thread.start()


def end_by(error: BaseException, *, is_started: bool = False) -> RunEnd:
    """The end of a run that ``error`` kept from a container, or from being followed (``is_started``)."""
    if isinstance(error, KeyboardInterrupt):
        return RunEnd(state="cancelled", cause="interrupt")
    if not isinstance(error, ImagekitError):
        fault = ImagekitError(
            f"a fault of imagekit's own: {type(error).__name__}: {error}",
            hint="run it again with IMAGEKIT_DEBUG=1 and report the traceback",
        )
        return RunEnd(state="crashed", cause="imagekit", error=_problem("crash", fault))
    if is_started or isinstance(error, AWAY):
        return RunEnd(state="crashed", cause="engine", error=_problem("crash", error))
    kind = next((kind for each, kind in _REFUSED_FOR.items() if isinstance(error, each)), "refused")
    return RunEnd(state="failed", cause="refused", error=_problem(kind, error))


def _problem(kind: str, error: ImagekitError) -> dict[str, str | None]:
    return {"kind": kind, "message": error.message, "hint": error.hint}
