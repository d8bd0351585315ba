"""What an image is to have so that Prefect's workers can run flows in it. Pure.

Source: PrefectHQ/prefect 3.8: ``utilities/dockerutils.py`` (``generate_default_dockerfile``: where the source goes,
which version), ``workers/base.py`` (``prefect flow-run execute``), ``flows.py`` (``load_flow_from_flow_run``: the
entrypoint's path is relative to the working directory).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagekit.spec.image import FileMapping, ImageSpec, RequirementLine
from imagekit.spec.runtime_extras import DIRECTORY, INSTALLER
from imagekit.spec.runtime_extras import ORIGIN as OF_EXTRAS
from imagekit.spec.table import Table

PACKAGE = "prefect"
ORIGIN = "imagekit.prefect"
_ABOVE = "/opt/prefect"
# The entrypoint (extras/start.sh) has modules looked for there, too, where it is there.
_STAND_IN = f"{DIRECTORY}/stand_in"


def defaults(context: Path) -> Table:
    """What holds where a project says nothing: its source where Prefect's own Dockerfile puts it, the entrypoint."""
    return Table(workdir=f"{_ABOVE}/{context.name}".rstrip("/"), runtime_extras=True)


def for_workers(spec: ImageSpec, version: str) -> ImageSpec:
    """``spec`` with what Prefect's workers need of it, Prefect at ``version`` above all."""
    if is_locked(spec):
        # Whatever is not locked is not installed, and so the pip that adds packages at a start.
        own = tuple(line for line in spec.requirements if line.origin != OF_EXTRAS)
        spec = replace(spec, requirements=own)
    else:
        spec = with_prefect(spec, version)
    return replace(spec, files=_sorted((*spec.files, *stand_in()))) if spec.runtime_extras else spec


def is_locked(spec: ImageSpec) -> bool:
    """Whether a project's lock, or its hashes, say all that the image may have."""
    return spec.lock_file is not None or spec.requires_hashes


def with_prefect(spec: ImageSpec, version: str) -> ImageSpec:
    """``spec`` with Prefect at ``version``, where no requirement asks for another.

    A version with a local part (a checkout of Prefect's) is on no index, so then any version will do.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    pin = RequirementLine(text=f"{PACKAGE}=={version}", origin=ORIGIN)
    is_public = Version(version).local is None
    parsed = (Requirement(line.text) for line in spec.requirements)
    named = [each for each in parsed if canonicalize_name(each.name) == PACKAGE]
    if not named:
        line = pin if is_public else replace(pin, text=PACKAGE)
        return replace(spec, requirements=(*spec.requirements, line))
    if is_public and all(each.url is None and each.specifier.contains(version, prereleases=True) for each in named):
        return replace(spec, constraints=(*spec.constraints, pin))
    return spec


def stand_in() -> tuple[FileMapping, ...]:
    """What ``import imagekit`` finds in the image where imagekit is no package of it.

    A flow's file says at its top what it is deployed with: ``from imagekit.prefect import DockerImage``.
    """
    finder, program = Path(__file__).with_name("in_image.py"), Path(__file__).parents[1] / "runs" / "stand_in.py"
    return (
        FileMapping(source=finder, target=f"{_STAND_IN}/imagekit.py"),
        FileMapping(source=program, target=f"{_STAND_IN}/stand_in.py"),
    )


def has_installer(packages: tuple[str, ...]) -> bool:
    """Whether the pip that adds packages at a start is among ``packages`` (``name==version``)."""
    return version_in(packages, INSTALLER) is not None


def version_in(packages: tuple[str, ...], wanted: str = PACKAGE) -> str | None:
    """The version of Prefect, or of ``wanted``, among ``packages`` (``name==version``)."""
    pairs = (package.partition("==") for package in packages)
    return next((version for name, _, version in pairs if name == wanted), None)


def _sorted(files: tuple[FileMapping, ...]) -> tuple[FileMapping, ...]:
    return tuple(sorted(files, key=lambda mapping: mapping.target))
