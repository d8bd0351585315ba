"""One look, before anything is read: is it the same build again, or only its source edited?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagekit.errors import EngineError
from imagekit.recall.record import Record, record_path

if TYPE_CHECKING:
    from imagekit.engine.client import Engine


@dataclass(frozen=True, slots=True)
class Recalled:
    """A build that was done before."""

    record: Record
    edited: bool  # its source is not what it was


def recall(arguments: Sequence[str], environ: Mapping[str, str]) -> Recalled | None:
    """The earlier build of the same command, where the engine has its image and its base still.

    ``None`` where there is none, where more than the source changed, and where anything is in doubt.
    """
    record = Record.read(record_path(arguments, environ))
    if record is None:
        return None
    edited = record.sights.changed()
    if edited is None or (edited and record.resolved is None):
        return None
    from imagekit.engine.client import Engine

    try:
        engine = Engine(record.engine, deadline=record.deadline)
        if any(_id(engine, name) != known for name, known in record.bases.items()):
            return None
        if any(_id(engine, name) is not None for name in record.lacking):
            return None
        if not edited and not _is_there(engine, record):
            return None
    except (EngineError, OSError):
        # Whatever it is, the whole build says it better.
        return None
    return Recalled(record, bool(edited))


def _is_there(engine: Engine, record: Record) -> bool:
    """Whether the engine has the image under its name, whole."""
    if _id(engine, record.reference) != record.image_id:
        return False
    if record.may_lose:
        from imagekit.engine.containers import Container, ContainerSpec

        what = ContainerSpec(image=record.image_id, command=["true"], kind="verify", network="none")
        Container.create(engine, what).remove()
    return True


def _id(engine: Engine, reference: str) -> str | None:
    found = engine.image(reference)
    return found.id if found is not None else None
