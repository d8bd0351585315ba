"""One run as it is asked for, with its image found: all that carrying it out takes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imagekit.engine.client import EngineImage
from imagekit.runs.body import ImageFacts
from imagekit.runs.request import Request
from imagekit.runs.settings import RunSettings
from imagekit.store.values import RunRecord, new_run_id

if TYPE_CHECKING:
    from imagekit.checkouts.values import Checkout

# Digest of the lock that an image was built from.
LABEL_LOCK = "imagekit.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What is run, in which image, and how. Made where nothing has been started yet.

    ``name`` is the container's. ``cwd`` is what relative volumes are below. ``memory`` is the limit in bytes where
    ``settings`` name none.
    """

    request: Request
    settings: RunSettings
    image: EngineImage
    reference: str  # the image as it was asked for
    name: str
    run_id: str = field(default_factory=new_run_id)  # also the container's label imagekit.run
    checkout: Checkout | None = None  # the flow's source, where it is not the image's
    extras: Mapping[str, Any] | None = None
    added_env: Mapping[str, str] = field(default_factory=dict)  # variables that come with them
    labels: Mapping[str, str] = field(default_factory=dict)
    is_checked: bool = False  # the parameters were, against the source that the image was built from
    cwd: str = field(default_factory=os.getcwd)
    memory: int | None = None
    container: str | None = None  # the ID of one that carries the run out already
    engine_lost: bool = False  # and whose engine was away meanwhile

    @property
    def source(self) -> Mapping[str, Any]:
        """Where the flow's source comes from, as it is recorded."""
        return {"kind": "baked"} if self.checkout is None else self.checkout.record

    @property
    def source_path(self) -> str:
        """The flow's file in the container."""
        return posixpath.join(
            "/", self.image.settings.get("WorkingDir") or "/", self.settings.workdir or "", self.request.path
        )

    @property
    def facts(self) -> ImageFacts:
        found = self.image.settings
        return ImageFacts(user=str(found.get("User") or ""), env=tuple(found.get("Env") or ()), added=self.added_env)

    @property
    def lock_digest(self) -> str | None:
        return self.image.labels.get(LABEL_LOCK)

    @property
    def repo_digest(self) -> str | None:
        """``NAME@sha256:…`` of the image in a registry, where the engine knows one; that of its own name first."""
        name = self.reference.partition("@")[0].rpartition(":")[0] or self.reference
        found = self.image.repo_digests
        return next((digest for digest in found if digest.startswith(f"{name}@")), next(iter(found), None))

    def record(self) -> RunRecord:
        """What is written down before the container is made: no value of a variable."""
        return RunRecord(
            id=self.run_id,
            name=self.name,
            entrypoint=self.request.entrypoint,
            parameters=self.request.given,
            reference=self.reference,
            image_id=self.image.id,
            repo_digest=self.repo_digest,
            lock_digest=self.lock_digest,
            source=self.source,
            env_names=tuple(sorted(self.settings.env)),
            settings=self.settings.to_json(),
            extras=self.extras,
        )
