"""What was extra becomes part of an image: lines for the project's files, or the derived image under a plain name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import BaseNotFound, InputError, InvalidProject
from imagekit.extras.values import LABEL_LOCK, LABEL_ORIGIN, LABEL_REQUIREMENTS
from imagekit.spec.extra_packages import VARIABLE, read_extras

if TYPE_CHECKING:
    from imagekit.engine.client import EngineImage
    from imagekit.pipeline import Pipeline

_BY_HAND = "add the lines by hand"
_OWN = (LABEL_ORIGIN, LABEL_LOCK, LABEL_REQUIREMENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What a derived image has beside the one that it was derived from."""

    reference: str
    image_id: str | None  # None where the image is gone, or is the very one that was named
    requirements: tuple[str, ...]  # as they were asked for
    packages: tuple[str, ...]  # ``name==version`` of all that was added, in name order
    origin_id: str | None = None  # what it can be made of, where it was left to be made (``extras.completing``)
    lock_digest: str | None = None  # what that must come to

    @property
    def pins(self) -> tuple[str, ...]:
        """``requirements`` at the versions that were added; what is asked for by its URL as it is."""
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name

        added = {pin.partition("==")[0]: pin.partition("==")[2] for pin in self.packages}
        found = []
        for text in self.requirements:
            requirement = Requirement(text)
            version = added.get(canonicalize_name(requirement.name))
            if requirement.url is None and version is not None:
                extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
                marker = f"; {requirement.marker}" if requirement.marker is not None else ""
                text = f"{requirement.name}{extras}=={version}{marker}"
            found.append(text)
        return tuple(found)


def extra_of(pipeline: Pipeline, reference: str, recorded: Mapping[str, Any] | None = None) -> Extra:
    """What the image that ``reference`` (a name or an ID) names has as extras.

    ``recorded`` is what the record of a run says of them: for one whose image is gone, or held all of it before.
    Raises ``BaseNotFound`` where the engine has it not, and ``InputError`` where nothing in it is extra.
    """
    image = pipeline.engine.image(reference)
    if recorded is not None and (image is None or LABEL_ORIGIN not in image.labels):
        requirements, packages = (tuple(recorded.get(name) or ()) for name in ("requirements", "packages"))
        digest = recorded.get("lock_digest")
        made = pipeline.engine.image(str(recorded.get("image"))) if digest else None
        return Extra(
            reference=reference,
            image_id=made.id if made is not None and made.labels.get(LABEL_LOCK) == digest else None,
            requirements=requirements,
            packages=packages,
            origin_id=image.id if image is not None and digest else None,
            lock_digest=digest,
        )
    if image is None:
        raise BaseNotFound(f"the engine has no image {reference}", hint="imagekit flow-run ls; docker images")
    if LABEL_ORIGIN not in image.labels:
        raise InputError(
            f"nothing in {reference} is extra: it was not derived for {VARIABLE}",
            hint="name a run that had extra packages, or its image: docker images imagekit/extras",
        )
    lines = read_extras(image.labels.get(LABEL_REQUIREMENTS, ""))
    return Extra(
        reference=reference,
        image_id=image.id,
        requirements=tuple(line.text for line in lines),
        packages=_packages(pipeline, image),
    )


def _packages(pipeline: Pipeline, image: EngineImage) -> tuple[str, ...]:
    from imagekit.plan.config import packages_of

    history = [entry for entry in pipeline.engine.history(image.id) if not entry.is_empty]
    origin = pipeline.engine.image(image.labels[LABEL_ORIGIN])
    # Of an origin that is gone all layers of wheels are told, which names what was asked for as well.
    above = history[len(origin.diff_ids) :] if origin is not None else history
    return tuple(sorted(pin for entry in above for pin in packages_of(entry.created_by)[1]))


def bake(pipeline: Pipeline, extra: Extra, reference: str) -> str:
    """Make ``reference`` (``name:tag``) name an image of the same layers that is no derived one; its ID.

    Packages may be added to it as to any other image.
    """
    from imagekit.export.engine_load import load_image
    from imagekit.oci.config import ImageConfig
    from imagekit.stages.probe import read_base

    engine = pipeline.engine
    image_id = extra.image_id or _made(pipeline, extra)
    base = read_base(engine, extra.reference, image_id, pipeline.cache_directory, pipeline.reporter)
    settings = dict(base.config.settings)
    settings["Labels"] = {name: value for name, value in base.config.labels.items() if name not in _OWN}
    config = ImageConfig({**base.config.document, "config": settings})
    return load_image(engine, config, base, [], reference, pipeline.reporter).image_id


def _made(pipeline: Pipeline, extra: Extra) -> str:
    """The ID of an image that a first start left to be made; one that is being made is waited for."""
    from imagekit.export.replaced import given_names
    from imagekit.extras.derive import check_extras, derive

    origin = pipeline.engine.image(extra.origin_id) if extra.origin_id is not None else None
    if origin is None:
        raise BaseNotFound(
            f"the engine has no image {extra.reference} with extra packages",
            hint="run it once more, or: imagekit promote RUN --write && imagekit build",
        )
    wanted = check_extras(pipeline.settings, "\n".join(extra.requirements))
    name = next(iter(given_names(origin)), origin.id)
    derived = derive(pipeline.engine, lambda: pipeline, name, origin, wanted)
    if derived.lock_digest != extra.lock_digest:
        raise BaseNotFound(
            f"the image that {extra.reference} had with extra packages is gone, and today they come to other versions",
            hint="run it once more, or: imagekit promote RUN --write --pin && imagekit build",
        )
    return derived.image_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the project's own file."""

    path: Path
    added: tuple[str, ...]
    there: tuple[str, ...]  # lines of the file that ask for a package already, which are left as they are

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "added": list(self.added), "there": list(self.there)}


def write_lines(project: Path, lines: Sequence[str]) -> Written:
    """Add ``lines`` to ``[project] dependencies`` where the project has that, else to its ``requirements.txt``.

    A package that the file asks for already is left as it is. Raises ``InvalidProject``.
    """
    if not project.is_dir():
        raise InvalidProject(f"{str(project)!r} is no directory", hint="name the project's: --project PATH")
    pyproject, requirements = project / "pyproject.toml", project / "requirements.txt"
    if requirements.is_file() or not _has_project(pyproject):
        return _to_requirements(requirements, lines)
    return _to_pyproject(pyproject, lines)


def _has_project(path: Path) -> bool:
    from imagekit.spec.toml import read_toml

    return path.is_file() and isinstance(read_toml(path, InvalidProject).get("project"), dict)


def _to_requirements(path: Path, lines: Sequence[str]) -> Written:
    from imagekit.atomic import rewrite
    from imagekit.spec.toml import with_line_ends_of

    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise InvalidProject(f"{path.name} cannot be read as UTF-8", hint=_BY_HAND) from None
    added, there = _new(lines, text.splitlines())
    if added:
        body = text if not text or text.endswith("\n") else f"{text}\n"
        body = with_line_ends_of(text, body + "".join(f"{line}\n" for line in added))
        rewrite(path, body.encode(), InvalidProject, hint=_BY_HAND, details="\n".join(added))
    return Written(path=path, added=added, there=there)


def _to_pyproject(path: Path, lines: Sequence[str]) -> Written:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from imagekit.atomic import rewrite
    from imagekit.spec.toml import toml_text, with_line_ends_of

    text = toml_text(path, InvalidProject)
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as problem:
        raise InvalidProject(f"{path.name} cannot be edited: {problem}", hint=_BY_HAND) from None
    table = document["project"]
    if "dependencies" in table.get("dynamic", []):
        raise InvalidProject(
            f"{path.name}: [project] dependencies are dynamic", hint="add the lines where they are computed from"
        )
    known = [str(text) for text in table.get("dependencies", [])]
    added, there = _new(lines, known)
    if added:
        if "dependencies" not in table:
            table["dependencies"] = tomlkit.array()
        for line in added:
            table["dependencies"].append(line)
        table["dependencies"].multiline(len(known) + len(added) > 1)
        body = with_line_ends_of(text, tomlkit.dumps(document))
        rewrite(path, body.encode(), InvalidProject, hint=_BY_HAND, details="\n".join(added))
    return Written(path=path, added=added, there=there)


def _new(lines: Sequence[str], known: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of ``lines`` whose package no line of ``known`` asks for, and the lines of ``known`` that do."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    by_name: dict[str, str] = {}
    for text in known:
        try:
            by_name.setdefault(canonicalize_name(Requirement(text.partition(" #")[0].strip()).name), text.strip())
        except InvalidRequirement:
            continue  # an option, a comment, a path
    names = [(line, canonicalize_name(Requirement(line).name)) for line in lines]
    added = tuple(line for line, name in names if name not in by_name)
    return added, tuple(dict.fromkeys(by_name[name] for _, name in names if name in by_name))
