"""A directory of this machine as a flow's source, and what git says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imagekit.checkouts.import_paths import import_paths
from imagekit.checkouts.values import Checkout, MountedSource
from imagekit.git.working_tree import CLEAN, DIRTY, state_of
from imagekit.spec.revision import read_revision


def mounted(source: MountedSource) -> Checkout:
    """The directory as it is. In a git repository its commit is recorded, and whether anything differs from that."""
    return Checkout(
        source=source,
        directory=source.directory,
        record=_record(source.directory),
        imports=import_paths(source.directory),
    )


def _record(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "mounted", "path": str(directory)}
    revision = read_revision(directory)
    if revision.commit is not None:
        state = state_of(directory)
        found |= {"url": revision.source, "commit": revision.commit}
        found["dirty"] = {CLEAN: False, DIRTY: True}.get(state)
    return found
