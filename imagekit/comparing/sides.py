"""The sides of a comparison: found among the runs and in the engine, and read from what each image tells of itself.

Packages come from the records in an image's layers, which are read once on a machine and kept; nothing of it runs.
Of an image of ours that is gone from the engine, the note that was kept when it was built still tells most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from imagekit.attest.materials import Materials, materials_from
from imagekit.attest.subject import Subject
from imagekit.building.attesting import Places, engine_subject
from imagekit.building.made_images import MadeImage, made_image
from imagekit.comparing.values import ImageSide, Side
from imagekit.engine.client import Engine
from imagekit.errors import EngineError, InvalidReference, UnknownRun
from imagekit.explaining.built_image import in_engine
from imagekit.layers.cache import LayerCache
from imagekit.layers.source_files import files_of
from imagekit.oci.reference import Reference
from imagekit.plan.config import conda_packages
from imagekit.plan.image_facts import ImageFacts
from imagekit.plan.record import LABEL as RECORD
from imagekit.plan.record import Record
from imagekit.progress import Reporter
from imagekit.store.store import Store
from imagekit.store.values import StoredRun

_BASE = "org.opencontainers.image.base."
_REVISION = "org.opencontainers.image.revision"
_LOCK = "imagekit.lock"
# A run's name has neither, so with one it can be meant as an image alone.
_ONLY_AN_IMAGE = re.compile(r"[:/@]")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


def run_named(name: str, store: Store) -> StoredRun | None:
    """The run that ``name`` names; ``None`` where only an image can be meant.

    Raises ``UnknownRun`` or ``InvalidReference`` for what can be neither.
    """
    if _ONLY_AN_IMAGE.search(name):
        if not _IMAGE_ID.fullmatch(name):
            Reference.parse(name)
        return None
    try:
        return store.run(name)
    except UnknownRun as error:
        try:
            Reference.parse(name)
        except InvalidReference:
            raise error from None
        if error.details:  # several begin so
            raise
        return None


def find_side(name: str, *, store: Store, engine: Callable[[], Engine], cache: Path, reporter: Reporter) -> Side:
    """The run that ``name`` names, with its image, else the image.

    Raises ``UnknownRun``, ``EngineError`` or ``InvalidReference`` where it is neither.
    """
    run = run_named(name, store)
    if run is not None:
        return _side_of(name, run, engine, cache, reporter)
    image = read_image(name, name, engine(), cache, reporter)
    if image is not None:
        return Side(name=name, image=image)
    if _ONLY_AN_IMAGE.search(name):
        raise EngineError(f"{name} is not in the engine", hint=f"build it, or docker pull {name}")
    raise UnknownRun(
        f"{name!r} is neither a run nor an image in the engine", hint="imagekit flow-run ls and docker images show them"
    )


def _side_of(name: str, run: StoredRun, engine: Callable[[], Engine], cache: Path, reporter: Reporter) -> Side:
    """A run tells much where its image cannot be looked at."""
    image_id = (run.end.image_id if run.end is not None else None) or run.record.image_id
    if image_id is None:
        return Side(name=name, run=run, why="it is not known which one that was")
    image, why = None, "it is gone from the engine"
    try:
        image = read_image(image_id, run.record.reference, engine(), cache, reporter)
    except EngineError as error:
        image, why = _noted(image_id, run.record.reference, cache), error.message
    return Side(name=name, run=run, image=image, why=why if image is None else "")


def read_image(image: str, reference: str, engine: Engine, cache: Path, reporter: Reporter) -> ImageSide | None:
    """The image with that ID or reference; from what is noted of it where the engine has it no more, else ``None``."""
    facts = in_engine(engine, image)
    if facts is not None:
        return _of_engine(facts, reference, engine, cache, reporter)
    return _noted(image, reference, cache)


def _noted(image: str, reference: str, cache: Path) -> ImageSide | None:
    made = made_image(cache, image)
    if made is None:
        return None
    materials = None
    with suppress(KeyError, TypeError, ValueError):
        materials = materials_from(made.note)
    return _of_note(image, reference, made, materials)


def _of_engine(facts: ImageFacts, reference: str, engine: Engine, cache: Path, reporter: Reporter) -> ImageSide:
    subject = engine_subject(engine, facts.image_id, Places(cache, reporter))
    assert subject is not None
    labels, record = facts.labels, facts.record
    materials = subject.materials
    base = materials.base.reference if materials is not None else labels.get(f"{_BASE}name", "")
    distro = subject.packages.distro
    return ImageSide(
        reference=reference,
        image_id=facts.image_id,
        python=subject.python,
        base=base,
        distro=distro.name if distro is not None else "",
        base_digest=record.base if record is not None else labels.get(f"{_BASE}digest", ""),
        lock=labels.get(_LOCK, ""),
        commit=labels.get(_REVISION, ""),
        packages=_python_packages(subject),
        system={f"{p.name}:{p.architecture}": p.version for p in subject.packages.system},
        conda={p.name: f"{p.version} {p.build}" for p in subject.packages.conda},
        source=record.source if record is not None else "",
        files=_files(facts, cache),
        env=facts.env,
        settings=_settings(facts.settings, str(subject.platform)),
    )


def _of_note(image_id: str, reference: str, made: MadeImage, materials: Materials | None) -> ImageSide:
    config, labels = made.config, made.config.labels
    record = Record.from_label(labels.get(RECORD))
    packages = None
    if materials is not None:
        # What was replaced is of the same name.
        packages = {found.name: found.version for found in made.base.python.distributions}
        packages |= {wheel.name: wheel.version for wheel in materials.wheels}
    return ImageSide(
        reference=reference,
        image_id=image_id,
        python=materials.python if materials is not None else made.base.python.version,
        base=materials.base.reference if materials is not None else labels.get(f"{_BASE}name", ""),
        base_digest=record.base if record is not None else labels.get(f"{_BASE}digest", ""),
        lock=labels.get(_LOCK, ""),
        commit=labels.get(_REVISION, ""),
        packages=packages,
        conda={name: rest.replace("=", " ") for name, _, rest in (p.partition("=") for p in conda_packages(config))},
        source=record.source if record is not None else "",
        env=config.env,
        settings=_settings(config.settings, str(config.platform)),
    )


def _python_packages(subject: Subject) -> dict[str, str]:
    found: dict[str, str] = {}
    site = subject.materials.site if subject.materials is not None else ""
    # Of two of a name that of the image's own environment is the one that is imported.
    for package in sorted(subject.packages.python, key=lambda p: not (site and p.location.startswith(site))):
        found.setdefault(package.name, package.version)
    return found


def _files(facts: ImageFacts, cache: Path) -> dict[str, str] | None:
    """The files of the source; ``None`` where the cache has not their layer any more."""
    layer = next((layer for layer in facts.layers if layer.kind == "source"), None)
    if layer is None:
        return {} if facts.record is not None and not facts.record.source else None
    entry = LayerCache(cache / "layers").look_up(layer.key) if layer.key else None
    return files_of(entry.path) if entry is not None and entry.diff_id == layer.diff_id else None


def _settings(found: Mapping[str, Any], platform: str) -> dict[str, str]:
    texts = {
        "platform": platform,
        "user": str(found.get("User") or ""),
        "workdir": str(found.get("WorkingDir") or ""),
        "entrypoint": " ".join(found.get("Entrypoint") or ()),
        "command": " ".join(found.get("Cmd") or ()),
    }
    return {name: text for name, text in texts.items() if text}
