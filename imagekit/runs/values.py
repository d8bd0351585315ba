"""How a run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COMPLETED = "completed"
FAILED = "failed"
CRASHED = "crashed"
CANCELLED = "cancelled"
TIMED_OUT = "timed-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProblem:
    """What went wrong in a run that did not complete.

    ``kind`` is ``flow`` (it raised), ``import`` (its file could not be imported), ``entrypoint``
    (no such file or function in the image), ``parameters`` (the function does not take them),
    ``result-not-serializable``, ``exit`` (``sys.exit`` with a code other than 0), ``cancelled``,
    ``timeout`` or ``crash``; in the record also ``name`` (it was taken) and ``refused``, of runs that were not begun.
    """

    kind: str  #: one of those above
    message: str  #: what happened, in the exception's own words where there was one; any number of lines
    type: str | None = None  #: the exception's, or the value's, class with its module
    traceback: str | None = None  #: Python's, without imagekit's own frames
    module: str | None = None  #: the module that could not be imported
    file: str | None = None  #: in the container
    line: int | None = None  #: of ``file``, from 1
    where: str | None = None  #: the place in the result: ``result['rows'][3]``
    hint: str | None = None  #: what to do next

    def to_json(self) -> dict[str, Any]:
        """The fields by their names."""
        names = ("kind", "message", "type", "traceback", "module", "file", "line", "where", "hint")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> RunProblem:
        """From what the bootstrap wrote; unknown keys are left out."""
        line = found.get("line")
        texts = {k: str(v) for k, v in found.items() if v is not None and k in _TEXTS}
        return cls(
            kind=texts.pop("kind", "flow"),
            message=texts.pop("message", ""),
            line=line if isinstance(line, int) else None,
            **texts,
        )


_TEXTS = ("kind", "message", "type", "traceback", "module", "file", "where")


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedResult:
    """What a flow returned, as ``serializer`` wrote it. Nothing of it is read before ``load()``."""

    serializer: str  #: ``pickle``, or ``PACKAGE.MODULE:NAME``
    data: bytes = field(repr=False)  #: what it wrote

    def load(self) -> Any:
        """The value. Unpickling runs what the flow's image says: do it only where that image is trusted.

        Raises ``RunError`` where the serializer, or what it needs, is not installed here.
        """
        from imagekit.errors import RunError
        from imagekit.runs.serializers import serializer

        try:
            return serializer(self.serializer).loads(self.data)
        except Exception as error:
            raise RunError(
                f"the result cannot be read by {self.serializer} here: {type(error).__name__}: {error}",
                hint="install what the flow's result is made of, in the versions of its image",
            ) from error

    def to_json(self) -> dict[str, Any]:
        """How it was written, and how many bytes it has; not what it is."""
        return {"serializer": self.serializer, "bytes": len(self.data)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run's end.

    ``cause`` is set where the flow did not end by itself: ``oom``, ``removed``, ``engine``, ``signal`` or
    ``exit`` (its process ended without a word) for ``crashed``; ``interrupt`` (Ctrl-C), ``terminate``
    (SIGTERM to imagekit) or ``signal`` (sent to the container by somebody else) for ``cancelled``;
    ``timeout`` for ``timed-out``.
    """

    state: str  #: ``completed``, ``failed``, ``crashed``, ``cancelled``, ``timed-out``
    exit_code: int | None  #: of the flow's process; ``None`` where nobody can say
    result: Any  #: JSON; a ``SerializedResult`` where another serializer was asked for
    image: str  #: the ID of the image that ran
    reference: str  #: the image as it was asked for
    name: str  #: the container's
    seconds: float  #: from the container's start to its end, on this machine's clock
    started: str  #: ISO 8601, UTC
    ended: str  #: ISO 8601, UTC
    cause: str | None = None  #: one of those above
    error: RunProblem | None = None  #: what went wrong, where it did not complete
    python: str | None = None  #: the version that ran the flow
    id: str = ""  #: of the run: a UUID, and the container's label ``imagekit.run``
    container_id: str = ""  #: the engine's, in full
    repo_digest: str | None = None  #: ``NAME@sha256:…`` of the image, where it is of a registry
    lock_digest: str | None = None  #: of the lock that the image was built from
    #: Where the flow's files came from: ``kind`` is ``baked``, ``mounted`` (with its ``path``) or ``git`` (``url``,
    #: ``ref``, ``commit``).
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "baked"})
    #: Packages that were added for this run: ``requirements``, ``packages``, ``lock_digest``, ``image``.
    extras: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: what the flow was called with
    cpu_seconds: float | None = None  #: of all processes in the container
    peak_memory: int | None = None  #: bytes of the container at its largest, its file cache included
    oom_kills: int = 0  #: processes that the kernel killed for want of memory
    warnings: tuple[str, ...] = ()  #: what went wrong beside the flow: its end could not be recorded, …

    @property
    def ok(self) -> bool:
        """Whether the flow completed."""
        return self.state == COMPLETED

    def to_json(self) -> dict[str, Any]:
        """What ``imagekit run --json`` prints, but for secrets, which that does not show."""
        return {
            "state": self.state,
            "exit_code": self.exit_code,
            "result": self.result.to_json() if isinstance(self.result, SerializedResult) else self.result,
            "image": self.image,
            "reference": self.reference,
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "started": self.started,
            "ended": self.ended,
            "cause": self.cause,
            "error": self.error.to_json() if self.error else None,
            "python": self.python,
            "id": self.id,
            "container_id": self.container_id,
            "repo_digest": self.repo_digest,
            "lock_digest": self.lock_digest,
            "source": dict(self.source),
            "extras": dict(self.extras) if self.extras is not None else None,
            "parameters": dict(self.parameters),
            "cpu_seconds": self.cpu_seconds,
            "peak_memory": self.peak_memory,
            "oom_kills": self.oom_kills,
            "warnings": list(self.warnings),
        }
