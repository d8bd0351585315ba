"""Everything that lint looks at, read and judged: a project, a Dockerfile, an image. Nothing is built or resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.check.lint import Finding, in_order
from imagekit.check.lint_dockerfile import lint_dockerfile
from imagekit.check.lint_image import lint_image
from imagekit.check.lint_lock import lint_lock, lint_yanked, notes_base, read_lock
from imagekit.check.lint_project import lint_source, lint_spec, refused
from imagekit.errors import BaseNotFound, EngineError, InputError, RegistryError
from imagekit.lock.locked_urls import refuse_urls_of_file
from imagekit.oci.reference import Reference
from imagekit.spec.image import OCI_LAYOUT, ImageSpec
from imagekit.spec.source_tree import scan

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.lock.access import IndexAccess
    from imagekit.oci.platform import Platform
    from imagekit.registry.access import Access


def lint_project(
    context: Path,
    read: Callable[[], ImageSpec],
    access: Callable[[ImageSpec], IndexAccess] | None,
    dockerfile: Path | None,
) -> list[Finding]:
    """The findings of the project at ``context``; ``access``, where the index is to be asked, too."""
    found: list[Finding] = []
    try:
        spec = read()
    except InputError as error:
        found += refused(error, context)
    else:
        found += _of_spec(spec, access)
    file = dockerfile if dockerfile is not None else context / "Dockerfile"
    if dockerfile is not None and not file.is_file():
        raise InputError(f"{file} is not there", hint="name a Dockerfile")
    if file.is_file():
        found += lint_dockerfile(file, file.name)
    return in_order(found)


def _of_spec(spec: ImageSpec, access: Callable[[ImageSpec], IndexAccess] | None) -> list[Finding]:
    found: list[Finding] = []
    lock = None
    try:
        if spec.lock_file is not None:
            refuse_urls_of_file(spec.lock_file, "make it anew")
        lock = read_lock(spec.lock_file)
        if lock is not None:
            found += lint_lock(lock, spec)
            found += lint_yanked(lock, spec, access(spec)) if access is not None else ()
    except InputError as error:
        found += refused(error, spec.context)
    found += lint_spec(spec, notes_base=notes_base(lock))
    if spec.include_source:
        try:
            found += lint_source(scan(spec.context, spec.dockerignore), spec)
        except InputError as error:
            found += refused(error, spec.context)
    return found


def lint_target(target: str, platform: Platform, engine: Callable[[], Engine], access: Access) -> list[Finding]:
    """The findings of the image that ``target`` names: in a layout, in the engine, or in its registry."""
    if target.startswith(OCI_LAYOUT):
        from imagekit.building.file_bases import in_layout

        name, content, _ = in_layout(target, platform)
        return in_order(lint_image(name, content.config.settings))
    return in_order(lint_image(target, _settings_of(Reference.parse(target), platform, engine, access)))


def _settings_of(
    reference: Reference, platform: Platform, engine: Callable[[], Engine], access: Access
) -> Mapping[str, Any]:
    from imagekit.registry.client import Registry
    from imagekit.registry.read import read_image

    missing: EngineError | None = None
    try:
        image = engine().image(str(reference))
        if image is not None:
            return image.settings
    except EngineError as error:
        missing = error
    try:
        with Registry(reference.registry, access) as registry:
            return read_image(registry, reference, platform).config.settings
    except BaseNotFound as error:
        raise missing or error from error
    except RegistryError as error:
        where = "is not in the engine" if missing is None else "can be asked of no engine"
        error.message = f"{reference} is no directory here, and {where}; {error.message}"
        raise
