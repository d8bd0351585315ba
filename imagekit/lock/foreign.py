"""Which programs' locks are read, and by whom."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement

from imagekit.errors import InvalidProject
from imagekit.lock.locked_set import LockedSet, edge_of, walk
from imagekit.lock.locked_urls import refuse_urls_of_file
from imagekit.lock.pdm_lock import read_pdm_lock
from imagekit.lock.pipfile_lock import read_pipfile_lock
from imagekit.lock.poetry_lock import read_poetry_lock
from imagekit.lock.pylock import parse
from imagekit.lock.target import Target
from imagekit.lock.uv_lock import UvExport, export_uv_lock
from imagekit.spec.image import ImageSpec
from imagekit.spec.toml import read_toml, toml_text

# By the lock's name: the command that makes it anew.
REMEDIES = {
    "uv.lock": "make it anew: uv lock",
    "poetry.lock": "make it anew: poetry lock",
    "pdm.lock": "make it anew: pdm lock",
    "Pipfile.lock": "make it anew: pipenv lock",
}

UPGRADES = {
    "uv.lock": "uv lock --upgrade",
    "poetry.lock": "poetry update --lock",
    "pdm.lock": "pdm update --no-sync",
    "Pipfile.lock": "pipenv lock",
}


def foreign_lock(spec: ImageSpec) -> Path | None:
    """The lock of another program's own format that ``spec`` is built from, if it is from one."""
    return spec.lock_file if spec.lock_file is not None and spec.lock_file.name in REMEDIES else None


def refuse_unreadable(spec: ImageSpec) -> None:
    """Refuse the lock of ``spec`` for all that is wrong with it on any target, before a base is looked for."""
    path = spec.lock_file
    if path is None:
        return
    refuse_urls_of_file(path, REMEDIES.get(path.name, "make it anew"))
    if path.name == "Pipfile.lock":
        read_pipfile_lock(path, None, spec.groups)
    elif path.name == "poetry.lock":
        read_poetry_lock(path, spec.extras, pyproject=path.with_name("pyproject.toml"))
    elif path.name == "pdm.lock":
        read_pdm_lock(path, (*spec.extras, *spec.groups), pyproject=path.with_name("pyproject.toml"))
    elif path.name == "uv.lock":
        read_toml(path, InvalidProject)
    else:
        parse(toml_text(path, InvalidProject), path)


def uv_export(spec: ImageSpec, path: Path, target: Target) -> UvExport:
    """What ``uv.lock`` has for the project of ``spec``."""
    return export_uv_lock(path, spec.context, target, extras=spec.extras, groups=spec.groups)


def foreign_set(spec: ImageSpec, path: Path, target: Target) -> LockedSet:
    """What the lock ``path`` of Poetry, PDM or pipenv has for ``spec`` on ``target``, pinned and hashed."""
    if path.name == "Pipfile.lock":
        return read_pipfile_lock(path, target, spec.groups)
    pyproject = path.with_name("pyproject.toml")
    if path.name == "poetry.lock":
        packages = read_poetry_lock(path, spec.extras, pyproject=pyproject)
    else:
        packages = read_pdm_lock(path, (*spec.extras, *spec.groups), pyproject=pyproject)
    roots = [(edge_of(Requirement(line.text)), line.origin) for line in spec.requirements]
    return walk(roots, packages, target, file=path.name, remedy=REMEDIES[path.name])
