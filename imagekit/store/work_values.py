"""Work pools, deployments and workers, as the store takes and gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from imagekit.store.values import new_run_id, now

# How long a claim holds without being renewed, in seconds, and how often it is.
LEASE = 30.0
HEARTBEAT = 10.0
# A claim that was given up by its holder: whoever comes next takes it over.
GIVEN_UP = 0.0

ONLINE, STOPPING, STOPPED = "online", "stopping", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPool:
    """Where deployments run: what their jobs inherit, and how many of them run at a time."""

    name: str
    type: str = "docker"
    description: str | None = None
    is_paused: bool = False
    concurrency_limit: int | None = None
    template: Mapping[str, Any] = field(default_factory=dict)  # variables (JSON Schema), job_configuration
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    def to_json(self) -> dict[str, Any]:
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        template = dict(found.pop("template"))
        return {**found, "base_job_template": template}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A flow, an image that is pinned, and how both are run. No credential is in it.

    ``image`` is as it was asked for; ``pinned`` what it was: ``NAME@sha256:…`` of a registry, or an engine's ID.
    Of a deployment without an image the pool's is used.
    """

    name: str  # FLOW/NAME
    pool: str
    entrypoint: str
    image: str | None = None
    pinned: str | None = None
    source: str | None = None  # git+…, or a directory; None: the image's own
    source_secret: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    job_variables: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[Mapping[str, Any], ...] = ()
    is_paused: bool = False
    concurrency_limit: int | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    version: str | None = None
    flow_options: Mapping[str, Any] = field(default_factory=dict)  # retries … as deployed, where the file has others
    checks_parameters: bool = True  # those of a run are held to the flow's signature
    signature: Mapping[str, Any] | None = None  # of the flow: FlowSignature's fields; None: not known
    id: str = field(default_factory=new_run_id)
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    @property
    def definition(self) -> dict[str, Any]:
        """All of it that has no column of its own."""
        found = {name: getattr(self, name) for name in DEFINITION}
        return {**found, "schedules": list(self.schedules), "tags": list(self.tags)}

    def to_json(self) -> dict[str, Any]:
        own = ("id", "name", "pool", "is_paused", "concurrency_limit", "created", "updated")
        return {**{name: getattr(self, name) for name in own}, **self.definition}


_COLUMNS = {"id", "name", "pool", "is_paused", "concurrency_limit", "created", "updated"}
DEFINITION = tuple(each.name for each in fields(Deployment) if each.name not in _COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker, as it was when it polled last. ``is_gone``: its process has ended without a word.

    ``prefetch`` is how many seconds before its time a run is claimed and made ready.
    """

    id: str
    name: str
    pool: str
    owner: str
    machine: str
    slots: int
    started: str
    last_polled: str
    state: str = ONLINE
    is_gone: bool = False
    prefetch: float = 0

    @property
    def status(self) -> str:
        """``online``, ``stopping``, ``stopped``, ``gone``, or ``stale``: it has not polled for as long as a claim
        holds, so its process stands still, or is of another machine."""
        if self.state == STOPPED:
            return STOPPED
        return "gone" if self.is_gone else "stale" if self.silent_for > LEASE else self.state

    @property
    def silent_for(self) -> float:
        """Seconds since it polled, by the clock."""
        return (datetime.now(timezone.utc) - datetime.fromisoformat(self.last_polled)).total_seconds()

    def to_json(self) -> dict[str, Any]:
        names = ("id", "name", "pool", "slots", "started", "last_polled")
        found = {name: getattr(self, name) for name in names}
        return {**found, "prefetch_seconds": self.prefetch, "status": self.status}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A run of a deployment that is to be: all that a worker begins it with."""

    name: str  # the container's
    deployment: str
    pool: str
    entrypoint: str
    reference: str  # the image as it was asked for
    wanted: Mapping[str, Any]  # image, source, source_secret, job_variables, is_checked
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=lambda: {"kind": "baked"})
    scheduled_for: str = field(default_factory=now)
    occurrence: str | None = None
    id: str = field(default_factory=new_run_id)
    created: str = field(default_factory=now)
