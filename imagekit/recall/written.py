"""The same build for registries, layouts and archives again: nothing it read changed, and what it wrote is there.

What was read is known by its marks, bases of engines and registries by their ID or digest, a registry's image
by the digest at its tag, and files that were written by their marks. That a registry still has each blob of
an image is looked at by builds that do something, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import EngineError, ImagekitError
from imagekit.notes import from_note
from imagekit.oci.reference import Reference
from imagekit.recall.record import write_record
from imagekit.recall.seen import Mark, Sights, mark

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.explaining.results import WrittenResult
    from imagekit.settings import Settings
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec

_FORMAT = "written 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRecord:
    """One build without an engine: what was seen, where its image went, and what was printed."""

    sights: Sights
    engine: str  # its address
    deadline: float  # seconds
    profile: str | None  # of the settings
    in_engine: Mapping[str, str | None]  # IDs of base images that it had then; None for those that it lacked
    in_registry: Mapping[str, str]  # digests at tags: the base's, the image's
    files: Mapping[str, Mark | None]  # that were written, or that the layout's images lie in
    result: Mapping[str, Any]  # the build's --json
    shown: Mapping[str, Any]  # how the command shows it: as_json, quiet, verbose

    def write(self, path: Path) -> None:
        value = {"format": _FORMAT, "sights": self.sights.to_json(), **{name: getattr(self, name) for name in _PLAIN}}
        write_record(path, value)

    @classmethod
    def read(cls, path: Path) -> WrittenRecord | None:
        """The record at ``path``; ``None`` where there is none, or none of these."""
        try:
            value = from_note(path.read_bytes())
            if value["format"] != _FORMAT:
                return None
            return cls(sights=Sights.from_json(value["sights"]), **{name: value[name] for name in _PLAIN})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


_PLAIN = ("engine", "deadline", "profile", "in_engine", "in_registry", "files", "result", "shown")


def recall_written(path: Path, load: Callable[[str | None], Settings]) -> WrittenRecord | None:
    """The record at ``path``, where the same build would come to the same and all that it wrote is there still.

    ``load`` gives the settings of a profile.
    """
    record = WrittenRecord.read(path)
    if record is None or record.sights.changed() != [] or any(mark(p) != m for p, m in record.files.items()):
        return None
    try:
        if not _engine_is_the_same(record) or not _registries_are_the_same(record, load):
            return None
    except (ImagekitError, OSError):
        # Whatever it is, the whole build says it better.
        return None
    return record


def _engine_is_the_same(record: WrittenRecord) -> bool:
    if not record.in_engine:
        return True
    from imagekit.engine.client import Engine

    try:
        engine = Engine(record.engine, deadline=record.deadline)
        return all(_id(engine, name) == known for name, known in record.in_engine.items())
    except EngineError:
        # There was none then, either.
        return not any(record.in_engine.values())


def _registries_are_the_same(record: WrittenRecord, load: Callable[[str | None], Settings]) -> bool:
    if not record.in_registry:
        return True
    from imagekit.registry.client import Registry
    from imagekit.registry.hosts import repository_of
    from imagekit.registry.retry import Patience

    access = load(record.profile).registry_access()
    for text, digest in record.in_registry.items():
        reference = Reference.parse(text)
        with Registry(reference.registry, access, patience=Patience(attempts=1, connect=4.0, answer=15.0)) as registry:
            if registry.manifest_digest(repository_of(reference), reference.tag or "latest") != digest:
                return False
    return True


def remember_written(
    path: Path,
    settings: Settings,
    engine: Engine | None,
    spec: ImageSpec,
    base: BaseImage,
    result: WrittenResult,
    sights: Sights,
    shown: Mapping[str, Any],
) -> None:
    """Keep a record of a build at ``path``; ``engine`` is the one that was asked for its base, if any answers.

    A base in a layout is among the files that were seen.
    """
    in_engine: dict[str, str | None] = {}
    in_registry: dict[str, str] = {}
    made, base = base, base.lowest
    if base.found_at is None:
        names = _names_of(spec)
        in_engine = {name: None if engine is None else _id(engine, name) for name in names}
        if base.image_id not in in_engine.values():
            if base.digest is None:
                return  # nothing tells whether the registry's is another one by now
            if Reference.parse(base.reference).digest is None:
                in_registry[base.reference] = base.digest
    if made.origin is not None:
        # What recipes made of it lies in an engine.
        in_engine[made.place] = made.image_id
    files: list[Path] = []
    for each in result.written:
        kind, _, place = str(each["output"]).partition(":")
        if kind == "registry":
            in_registry[result.reference] = str(each["digest"])
        else:
            files += _files_of(Path(place))
    document = {**result.to_json(), "written": [_at_rest(each) for each in result.written]}
    for image in document["images"]:
        image["layers"] = [{**layer, "cached": True} for layer in image["layers"]]
    WrittenRecord(
        sights=sights,
        engine=settings.engine_address,
        deadline=settings.engine_deadline,
        profile=settings.profile,
        in_engine=in_engine,
        in_registry=in_registry,
        files={str(file): mark(str(file)) for file in files},
        result=document,
        shown=shown,
    ).write(path)


def _names_of(spec: ImageSpec) -> Sequence[str]:
    """The images that may be the base, in the order in which they are looked for."""
    from imagekit.stages.probe import default_references

    return (spec.base_image,) if spec.base_image is not None else default_references(spec.python or "")


def _files_of(place: Path) -> list[Path]:
    """An archive, or all files of a layout: what another writes into it is a change, too."""
    place = place.absolute()
    return sorted(found for found in place.rglob("*") if found.is_file()) if place.is_dir() else [place]


def _at_rest(written: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a destination where nothing was to be done."""
    blobs = [written.get(name) or 0 for name in ("uploaded", "mounted", "skipped")]
    nothing = {"sent": 0, "uploaded": 0, "mounted": 0, "skipped": sum(blobs), "seconds": 0.0}
    return {name: nothing.get(name, value) for name, value in written.items()}


def _id(engine: Engine, reference: str) -> str | None:
    found = engine.image(reference)
    return found.id if found is not None else None
