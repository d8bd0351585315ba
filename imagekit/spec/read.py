"""One ``ImageSpec`` from a project directory: arguments win over ``[tool.imagekit]``, which wins over its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InvalidConfig, InvalidProject, InvalidRequirement
from imagekit.oci.platform import Platform
from imagekit.spec.base import check_base_image
from imagekit.spec.entrypoint import Entrypoint
from imagekit.spec.files import check_absolute, check_env, check_files, check_labels, path_in
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine
from imagekit.spec.nearest import nearest_hint
from imagekit.spec.pyproject import PyProject, read_pyproject
from imagekit.spec.python_version import check_python, default_python
from imagekit.spec.requirement import parse_requirements
from imagekit.spec.requirements_file import RequirementsFile, read_requirements
from imagekit.spec.table import Table, layered, project_table
from imagekit.spec.url import refuse_login

_RESOLVERS = ("uv", "pip-tools")
_LOCK_NAME = re.compile(r"pylock(\.[^.]+)?\.toml")
_FileNames = str | Path | Sequence[str | Path]


def read_spec(
    context: Path,
    *,
    name: str | None = None,
    requirements: _FileNames | None = None,
    packages: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    base_image: str | None = None,
    python: str | None = None,
    platform: str | Platform | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    resolver: str | None = None,
    source_builds: bool | Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    include_source: bool | None = None,
    health_check: bool | None = None,
    entrypoints: Sequence[str] = (),
    workdir: str | None = None,
    indexes: Indexes | None = None,
    variables: Mapping[str, str] | None = None,
    layers: tuple[Table, Table] | None = None,
) -> ImageSpec:
    """What image the project in ``context`` wants.

    Where neither ``requirements`` nor the table names files, ``requirements.txt`` is read if it is there; a
    ``pylock.toml`` beside it is the lock of what they ask for, unless ``requirements`` are given. The
    project of ``pyproject.toml`` and its dependencies come along either way. ``requirements`` are relative
    to ``context``; one outside is taken when an argument names it, never when a file does. ``env``,
    ``files`` and ``labels`` are merged with the table's, sequences follow the table's. ``variables`` is
    what ``${NAME}`` in requirements files stands for. ``layers`` are tables that go before the project's own
    (the environment's) and behind it (the user's).

    Without ``python`` and ``base_image`` the image gets the running interpreter's Python, or the
    highest known one where ``requires-python`` excludes that.

    Raises ``InvalidProject``, ``InvalidRequirement``, ``InvalidConfig`` or ``InvalidEntrypoint``.
    """
    packages, extras, groups = _several(packages), _several(extras), _several(groups)
    entrypoints = _several(entrypoints)
    context = _directory(context)
    pyproject, table = _project_files(context)
    if layers is not None:
        table = layered(layers[0], table, layers[1])
    wanted = _wanted(context, requirements, table, variables or {})
    lock_file, read = wanted
    requires_python = pyproject.requires_python if pyproject else ""
    table_extras = (*(table.extras or ()), *extras, *(e for file in read for e in file.project_extras))
    lines = _requirements(
        pyproject, read, (*(table.packages or ()), *packages), table_extras, (*(table.groups or ()), *groups)
    )
    if pyproject is None or pyproject.project is None:
        _refuse_missing_project(read)
    workdir = check_absolute(workdir or table.workdir or "/app", "workdir")
    base_image = base_image or table.base_image
    if base_image is not None:
        check_base_image(base_image)
    python = python or table.python
    return ImageSpec(
        context=context,
        name=name or table.name or (pyproject.name if pyproject else None),
        requirements=lines,
        constraints=tuple(dict.fromkeys(line for file in read for line in file.constraints)),
        requires_hashes=any(file.requires_hashes for file in read),
        requires_python=requires_python,
        project=pyproject.project if pyproject else None,
        lock_file=lock_file,
        python=_python(python, base_image, requires_python),
        platform=_platform(platform or table.platform),
        base_image=base_image,
        indexes=_indexes(context, table, read, indexes),
        prereleases=any(file.prereleases for file in read),
        only_binary=tuple(dict.fromkeys(n for file in read for n in file.only_binary)),
        no_binary=tuple(dict.fromkeys(n for file in read for n in file.no_binary)),
        resolver=_resolver(resolver or table.resolver or "uv"),
        source_builds=_source_builds(table.source_builds if source_builds is None else source_builds, read),
        env=check_env({**(table.env or {}), **(env or {})}),
        labels=check_labels({**(table.labels or {}), **(labels or {})}),
        files=check_files({**(table.files or {}), **{str(k): v for k, v in (files or {}).items()}}, context, workdir),
        include_source=_first(include_source, table.include_source, True),
        dockerignore=path_in(context, table.dockerignore, "dockerignore") if table.dockerignore else None,
        workdir=workdir,
        entrypoints=_entrypoints((*(table.entrypoints or ()), *entrypoints), context),
        health_check=_first(health_check, table.health_check, True),
    )


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    """One text stands for a sequence of it alone, and never for its letters."""
    return (texts,) if isinstance(texts, str) else texts


def _directory(context: Path) -> Path:
    path = Path(context).resolve()
    if not path.is_dir():
        what = "is a file, not a project directory" if path.exists() else "is not there"
        raise InvalidProject(f"{str(context)!r} {what}", hint="name the directory of the project")
    return path


def _project_files(context: Path) -> tuple[PyProject | None, Table]:
    path = context / "pyproject.toml"
    pyproject = read_pyproject(path) if path.exists() else None
    return pyproject, project_table(context, pyproject.imagekit if pyproject else None)[0]


def _wanted(
    context: Path, given: _FileNames | None, table: Table, variables: Mapping[str, str]
) -> tuple[Path | None, list[RequirementsFile]]:
    """The user's own lock, or the requirements files that say what is wanted."""
    default = [context / "requirements.txt"] if (context / "requirements.txt").exists() else []
    lock = path_in(context, "pylock.toml", "pylock.toml") if (context / "pylock.toml").exists() else None
    if given is not None:
        paths = [context / name for name in ([given] if isinstance(given, (str, Path)) else given)]
        lock = None
    elif table.requirements is not None:
        paths = [path_in(context, name, "[tool.imagekit] requirements") for name in table.requirements]
    else:
        paths = default
    if locks := [path for path in paths if _LOCK_NAME.fullmatch(path.name)]:
        if len(paths) > 1:
            raise InvalidProject(
                f"{locks[0].name} is a lock, and cannot go with other requirements", hint="name the lock alone"
            )
        if not locks[0].is_file():
            raise InvalidProject(f"{locks[0].name} is not there", hint=f"looked for {locks[0]}")
        lock, paths = locks[0].resolve(), default
    files = []
    for path in paths:
        if path.name == "pyproject.toml" and path.resolve() == context / "pyproject.toml" and path.exists():
            continue  # it is read anyway
        outside = given is not None and not path.resolve().is_relative_to(context)
        files.append(read_requirements(path, path.resolve().parent if outside else context, variables))
    return lock, files


def _requirements(
    pyproject: PyProject | None,
    files: Sequence[RequirementsFile],
    packages: Sequence[str],
    extras: Sequence[str],
    groups: Sequence[str],
) -> tuple[RequirementLine, ...]:
    lines = [line for file in files for line in file.requirements]
    if pyproject is not None:
        if {"dependencies", "optional-dependencies"} & set(pyproject.dynamic):
            raise InvalidProject(
                "pyproject.toml: [project] dependencies are dynamic, which is not supported yet",
                hint="list them in pyproject.toml, and take them out of 'dynamic'",
            )
        lines += pyproject.select(extras, groups)
    elif extras or groups:
        raise InvalidProject(
            f"{(*extras, *groups)[0]!r} is asked for, and there is no pyproject.toml", hint="leave it away"
        )
    return tuple(dict.fromkeys((*lines, *parse_requirements(packages, "packages"))))


def _refuse_missing_project(files: Sequence[RequirementsFile]) -> None:
    for file in files:
        if file.installs_project:
            raise InvalidRequirement(
                f"{file.files_read[0].name}: '.' asks for the project, and pyproject.toml has no [project] table",
                hint="add a [project] table, or take the '.' out",
            )


def _python(python: str | None, base_image: str | None, requires_python: str) -> str | None:
    if python is not None:
        return check_python(python, requires_python)
    return None if base_image is not None else default_python(requires_python)


def _platform(platform: str | Platform | None) -> Platform:
    if platform is None:
        return Platform.host()
    return platform if isinstance(platform, Platform) else Platform.parse(platform)


def _indexes(context: Path, table: Table, files: Sequence[RequirementsFile], given: Indexes | None) -> Indexes:
    given = given or Indexes()
    default = [table.index_url, *(file.indexes.default for file in reversed(files))]
    for url in (given.default, table.index_url, *given.extra, *(table.extra_index_urls or ())):
        if url is not None:
            refuse_login(url, "index-url")
    links = [*given.find_links, *(table.find_links or ())]
    here = [link if "://" in link else str((context / link).resolve()) for link in links]
    extra = [*given.extra, *(table.extra_index_urls or ()), *(u for file in files for u in file.indexes.extra)]
    return Indexes(
        default=next((url for url in (given.default, *default) if url is not None), None),
        extra=tuple(dict.fromkeys(extra)),
        find_links=tuple(dict.fromkeys([*here, *(u for file in files for u in file.indexes.find_links)])),
        no_index=given.no_index or bool(table.no_index) or any(file.indexes.no_index for file in files),
    )


def _resolver(name: str) -> str:
    if name not in _RESOLVERS:
        raise InvalidConfig(f"unknown resolver {name!r}", hint=nearest_hint(name, _RESOLVERS))
    return name


def _source_builds(given: bool | Sequence[str] | None, files: Sequence[RequirementsFile]) -> tuple[str, ...]:
    """Names that may be built from source; ``--no-binary`` in a file asks for that, too."""
    if given is True:
        return ("*",)
    if isinstance(given, str):
        given = [given]
    asked = [*(given or ()), *(name for file in files for name in file.no_binary)]
    if ":all:" in asked or "*" in asked:
        return ("*",)
    return tuple(sorted({canonicalize_name(name) for name in asked}))


def _entrypoints(texts: Sequence[str], context: Path) -> tuple[str, ...]:
    entrypoints = [Entrypoint.parse(text) for text in texts]
    for entrypoint in entrypoints:
        entrypoint.signature(context)
    return tuple(dict.fromkeys(str(e) for e in entrypoints))


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
