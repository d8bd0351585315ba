"""A run written down while the engine is busy with it: accepted before its container starts, ended before that goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
)
from imagekit.runs.concealing import concealed_end, concealed_record
from imagekit.store.values import RunEnd

if TYPE_CHECKING:
    from imagekit.runs.order import RunOrder
    from imagekit.runs.values import RunResult
    from imagekit.secrets.needles import Needles
    from imagekit.store.store import Store

# What says nothing of the run: the engine could not have carried out any.
_AWAY = (DiskFull, EngineLost, EngineNotFound, EnginePermission, EngineTimeout, NotAnEngine)
_REFUSED_FOR = {ContainerNameTaken: "name", InvalidParameters: "parameters"}


class Recording:
    """``store=None`` writes nothing down; what ``needles`` find is never."""

    def __init__(self, store: Store | None, order: RunOrder, needles: Needles | None = None) -> None:
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

    def started(self, container_id: str, started: str) -> None:
        """In a thread: it is a help to onlookers and nothing more, so that a failure is not told."""
        self._is_started = True
        if self._store is not None:
            store, run_id = self._store, self._order.run_id
            self._start(lambda: store.started(run_id, container_id=container_id, started=started))

    def ended(self, result: RunResult) -> str | None:
        """Write down how it ended; where that fails, the reason: the container is to stay then, to be found again."""
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
                started=result.started,
                ended=result.ended,
                container_id=result.container_id,
                image_id=result.image,
            )
        )

    def failed(self, error: BaseException) -> None:
        """It came to no container, or to none that could be followed: that is how it ended."""
        if isinstance(error, KeyboardInterrupt):
            end = RunEnd(state="cancelled", cause="interrupt")
        elif not isinstance(error, ImagekitError):
            fault = ImagekitError(f"a fault of imagekit's own: {type(error).__name__}: {error}")
            end = RunEnd(state="crashed", cause="imagekit", error=_problem("crash", fault))
        elif self._is_started or isinstance(error, _AWAY):
            end = RunEnd(state="crashed", cause="engine", error=_problem("crash", error))
        else:
            kind = next((kind for each, kind in _REFUSED_FOR.items() if isinstance(error, each)), "refused")
            end = RunEnd(state="failed", cause="refused", error=_problem(kind, error))
        self._end(end)

    def _end(self, end: RunEnd) -> str | None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._store is None or not self._is_accepted:
            return None
        try:
            self._store.end(self._order.run_id, concealed_end(end, self._needles))
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


def _problem(kind: str, error: ImagekitError) -> dict[str, str | None]:
    return {"kind": kind, "message": error.message, "hint": error.hint}
