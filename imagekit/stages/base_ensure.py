"""A base image that is surely there: found, else pulled, else made from Debian packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imagekit.oci.platform import Platform
from imagekit.progress import Reporter, SilentReporter
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base
from imagekit.stages.declared import SLIM

# How long a pull may go without any word from the registry, in seconds.
PULL_PATIENCE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsuredBase:
    """A base image that the engine holds."""

    reference: str
    how: str  # "found", "pulled" or "made"


def ensure_base(
    python: str,
    *,
    cache: Path,
    exists: Callable[[str], bool],
    pull: Callable[[str, float], bool] | None,
    load: Callable[[DebianRootfs, str], None],
    platform: Platform | None = None,
    variant: str = SLIM,
    reporter: Reporter | None = None,
) -> EnsuredBase:
    """Make sure that the engine holds a base image with Python ``python`` (``"3.11"``).

    ``exists(reference)`` asks the engine. ``pull(reference, patience)`` pulls, and returns
    ``False`` when the registry is out of reach or silent for ``patience`` seconds; ``None``
    never pulls. ``load(rootfs, reference)`` puts a made image into the engine.
    An image of ours comes first, so that a base once chosen stays the base. Only a slim one has its like elsewhere.
    """
    reporter = reporter or SilentReporter()
    base = DebianBase(python=python, platform=platform or Platform.host(), variant=variant)
    official = f"python:{python}-slim" if variant == SLIM else None
    for reference in filter(None, (base.reference, official)):
        if exists(reference):
            return EnsuredBase(reference=reference, how="found")
    if pull is not None and official is not None:
        with reporter.task(f"Pulling {official}"):
            pulled = pull(official, PULL_PATIENCE)
        if pulled:
            return EnsuredBase(reference=official, how="pulled")
        reporter.line(f"{official} cannot be pulled; making {base.reference} from Debian packages")
    load(build_base(base, cache=cache, reporter=reporter), base.reference)
    return EnsuredBase(reference=base.reference, how="made")
