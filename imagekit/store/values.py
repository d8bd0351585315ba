"""What the store takes and gives: a run as it was accepted, how it ended, and both as they are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

OPEN_STATES = ("scheduled", "pending", "running")
ENDED_STATES = ("completed", "failed", "crashed", "cancelled", "timed-out")


def now(*, ahead: float = 0) -> str:
    """This moment, or the one in ``ahead`` seconds, as the store writes it: ISO 8601, UTC, to the millisecond."""
    return (datetime.now(timezone.utc) + timedelta(seconds=ahead)).isoformat(timespec="milliseconds")


def seconds_until(time: str) -> float:
    """From this moment to ``time``, which is to come."""
    left = (datetime.fromisoformat(time) - datetime.now(timezone.utc)).total_seconds()
    # Times have milliseconds, and the clock has more: it may be a part of one too early.
    return max(left, 0.001)


def new_run_id() -> str:
    """A random UUID (RFC 9562, version 4), as Prefect's flow runs have; without the import of ``uuid``."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it is accepted, before its container is made.

    Values of environment variables are never here, nor is any credential: ``settings`` and ``source`` are for
    whoever fills them to keep free of both. Mappings hold what JSON can.
    """

    name: str  # the container's name
    entrypoint: str  # PATH.py:FUNCTION
    reference: str  # the image as it was asked for
    id: str = field(default_factory=new_run_id)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    image_id: str | None = None  # sha256:…
    repo_digest: str | None = None  # NAME@sha256:…
    lock_digest: str | None = None  # sha256 of the lock that the image was built from
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "baked"})  # kind: baked, mounted, git
    env_names: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Any] | None = None  # EXTRA_PIP_PACKAGES: requirements, lock_digest
    created: str = field(default_factory=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended. ``result`` is what JSON can hold; one that is large, or no JSON, is in ``result_file``."""

    state: str  # one of ENDED_STATES
    cause: str | None = None  # oom, timeout, engine, imagekit, refused, worker, removed, signal, exit, …
    exit_code: int | None = None
    error: Mapping[str, Any] | None = None
    result: Any = None
    result_file: str | None = None
    python: str | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None  # bytes
    started: str | None = None
    ended: str = field(default_factory=now)
    container_id: str | None = None
    image_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as the store has it; ``end`` is ``None`` as long as it is open."""

    record: RunRecord
    state: str
    started: str | None
    container_id: str | None
    owner: str  # HOST:PID:START, as in the label of its container
    machine: str  # MACHINE/BOOT
    end: RunEnd | None
    # Of runs of a deployment.
    deployment: str | None = None  # FLOW/NAME
    pool: str | None = None
    scheduled_for: str | None = None
    wanted: Mapping[str, Any] = field(default_factory=dict)  # image, source, source_secret, job_variables
    attempt: int = 0  # how often it was claimed
    lease: float | None = None  # of CLOCK_MONOTONIC of ``machine``'s boot
    cancel_asked: bool = False
    started_clock: float | None = None  # as ``lease``

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def is_due(self) -> bool:
        """Whether its time has come, or had when it was accepted: a clock may be set back."""
        return self.scheduled_for is None or self.scheduled_for <= max(now(), self.record.created)

    @property
    def seconds(self) -> float | None:
        """From its start to its end."""
        if self.end is None or self.started is None:
            return None
        return (datetime.fromisoformat(self.end.ended) - datetime.fromisoformat(self.started)).total_seconds()

    def to_json(self) -> dict[str, Any]:
        record, end = self.record, self.end
        seconds = self.seconds
        return {
            "id": record.id,
            "name": record.name,
            "state": self.state,
            "cause": end.cause if end else None,
            "entrypoint": record.entrypoint,
            "parameters": dict(record.parameters),
            "reference": record.reference,
            "image_id": record.image_id,
            "repo_digest": record.repo_digest,
            "lock_digest": record.lock_digest,
            "source": dict(record.source),
            "env_names": list(record.env_names),
            "settings": dict(record.settings),
            "extras": dict(record.extras) if record.extras is not None else None,
            "created": record.created,
            "started": self.started,
            "ended": end.ended if end else None,
            "seconds": round(seconds, 3) if seconds is not None else None,
            "exit_code": end.exit_code if end else None,
            "error": dict(end.error) if end and end.error is not None else None,
            "result": end.result if end else None,
            "result_file": end.result_file if end else None,
            "python": end.python if end else None,
            "cpu_seconds": end.cpu_seconds if end else None,
            "peak_memory": end.peak_memory if end else None,
            "container_id": self.container_id,
            "deployment": self.deployment,
            "pool": self.pool,
            "scheduled_for": self.scheduled_for,
            "attempt": self.attempt,
        }
