"""What the project itself asks for: its ``pyproject.toml`` in the words of its tools, or its old setup files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.image import Indexes, Project, RequirementLine
from imagekit.spec.local_source import Places, declared_name, read_setup_cfg
from imagekit.spec.pdm_sources import pdm_indexes
from imagekit.spec.pyproject import PyProject, Unknown, refused
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.toml import read_toml
from imagekit.spec.uv_sources import with_sources
from imagekit.spec.uv_table import UvTable, joined, read_uv_table
from imagekit.spec.uv_workspace import find_workspace
from imagekit.spec.wanted import FOREIGN_LOCKS

_OF_PYPROJECT = "leave it out, or declare it in a pyproject.toml"
_DYNAMIC = frozenset({"dependencies", "optional-dependencies"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Requirements of the project, with what its tools say about where they come from."""

    requirements: tuple[RequirementLine, ...] = ()
    project: Project | None = None
    installs_project: bool = False  # that, or the project as a directory among the requirements
    indexes: Indexes = field(default_factory=Indexes)
    uv: UvTable = field(default_factory=UvTable)


def read_declared(
    context: Path,
    pyproject: PyProject | None,
    lock: Path | None,
    *,
    extras: Sequence[str],
    groups: Sequence[str],
    asks_project: bool,
    is_all: bool,
    may_build: bool,
    unknown: Unknown = refused,
) -> Declared:
    """What the project in ``context`` asks for, with ``extras`` and ``groups``.

    A project whose requirements only its build backend can tell (``dynamic``, a ``setup.py``) is asked for as a
    directory: it is built in the base, and its wheel says what it needs. One without ``[project]`` is installed
    where a requirement asks for it (``asks_project``), or where nothing else says what is wanted (``is_all``); then
    the members of a workspace whose root is no project are asked for, too. ``unknown`` is told extras and groups
    that are not there.
    """
    is_legacy = pyproject is None or (pyproject.name is None and _builds(pyproject))
    if is_legacy and (asks_project or is_all) and _has_setup(context):
        if groups and pyproject is None:
            raise InvalidProject(
                f"the group {groups[0]!r} is asked for, and there is no pyproject.toml", hint=_OF_PYPROJECT
            )
        lines = pyproject.select((), groups, unknown) if pyproject is not None else ()
        uv = read_uv_table(context, locked=False, builds=True)
        return Declared(
            requirements=(_built(context, declared_name(context), extras), *lines),
            installs_project=True,
            indexes=uv.indexes,
            uv=uv,
        )
    if pyproject is None:
        if not (lock is not None and lock.name == "Pipfile.lock"):  # its categories
            for key, name in (*(("extras", name) for name in extras), *(("groups", name) for name in groups)):
                words = f"the {key.removesuffix('s')} {name!r} is asked for, and there is no pyproject.toml"
                unknown(key, name, InvalidProject(words, hint=_OF_PYPROJECT))
        uv = read_uv_table(context, locked=False, builds=may_build)
        return Declared(indexes=uv.indexes, uv=uv)
    locked = lock is not None and lock.name == "uv.lock"
    builds = may_build or (pyproject.project is not None and pyproject.project.import_root is None)
    problems: list[InputError] = []
    uv = UvTable()
    try:
        uv = read_uv_table(context, locked=locked, builds=builds)
    except InputError as problem:
        problems.append(problem)
    if "dev" not in pyproject.groups and uv.dev:
        pyproject = replace(pyproject, groups={**pyproject.groups, "dev": uv.dev})
    project = None if uv.is_package is False else pyproject.project
    is_dynamic = bool(_DYNAMIC & set(pyproject.dynamic))
    if is_dynamic and lock is not None and lock.name in FOREIGN_LOCKS and not locked:
        raise InvalidProject(
            f"the project's dependencies are dynamic, so that {lock.name} does not say which of it they are",
            hint="list them in pyproject.toml, or name another file: -r FILE",
        )
    is_built = is_dynamic and not locked
    lines = pyproject.select(() if is_dynamic else extras, groups, unknown)
    if is_built:
        lines = (_built(context, pyproject.name, extras), *lines)
        project = None
    sources = Indexes()
    if not locked:
        members = _members(context) if pyproject.name is None and is_all else ()
        own_extras, own_groups = pyproject.with_own(extras, groups), map(canonicalize_name, groups)
        try:
            sourced = with_sources((*lines, *members), context, extras=own_extras, groups=own_groups)
            lines, sources = sourced.lines, sourced.indexes
        except InputError as problem:
            problems.append(problem)
    of_pdm = Indexes()
    try:
        of_pdm = pdm_indexes(pyproject.path, read_toml(pyproject.path, InvalidProject))
    except InputError as problem:
        problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return Declared(
        requirements=lines,
        project=project,
        installs_project=project is not None or is_built,
        indexes=joined(joined(sources, uv.indexes), joined(pyproject.indexes, of_pdm)),
        uv=uv,
    )


def check_tools_tables(context: Path, path: Path) -> None:
    """Refuse what ``[tool.uv]`` and ``[tool.pdm]`` of ``path`` say in any case, whatever the project is."""
    problems: list[InputError] = []
    locked = path.parent.joinpath("uv.lock").is_file() or find_workspace(context).root.joinpath("uv.lock").is_file()
    readers: tuple[Callable[[], object], ...] = (
        lambda: read_uv_table(context, locked=locked, builds=False),
        lambda: pdm_indexes(path, read_toml(path, InvalidProject)),
    )
    for read in readers:
        try:
            read()
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)


def _builds(pyproject: PyProject) -> bool:
    return pyproject.build_backend is not None or bool(pyproject.build_requires) or not pyproject.dependencies


def _has_setup(context: Path) -> bool:
    if (context / "setup.py").is_file() or not (context / "pyproject.toml").is_file():
        return (context / "setup.py").is_file()
    # A setup.cfg may be of linters alone.
    sections = read_setup_cfg(context).sections() if (context / "setup.cfg").is_file() else []
    return "metadata" in sections or "options" in sections


def _members(context: Path) -> tuple[RequirementLine, ...]:
    """All members of a workspace whose root is no project."""
    workspace = find_workspace(context)
    places = Places(base=workspace.root, root=workspace.root)
    return tuple(
        parse_requirement(f"{name} @ {path.as_uri()}", "pyproject.toml [tool.uv.workspace]", places=places)
        for name, path in sorted(workspace.members.items())
        if path != context
    )


def _built(context: Path, name: str | None, extras: Sequence[str]) -> RequirementLine:
    """The project as a directory that is built."""
    if name is None:
        raise InvalidProject(
            f"{'setup.py' if (context / 'setup.py').is_file() else 'setup.cfg'} does not say the project's name as a "
            "plain text, so that it is not known before a build",
            hint='write [project] with name = "NAME" and dynamic = ["version", "dependencies"] into pyproject.toml',
        )
    wanted = f"[{','.join(sorted(set(extras)))}]" if extras else ""
    line = parse_requirement(
        f"{name}{wanted} @ {context.as_uri()}", "the project", places=Places(base=context, root=context)
    )
    assert line.local is not None
    # Its build may read any of its files to tell what it needs.
    return replace(line, local=replace(line.local, metadata=line.local.content))
