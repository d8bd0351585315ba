"""Whether a ``uv.lock`` was made from the requirements at hand, as ``uv lock --check`` asks it.

uv's own check needs an interpreter that the project allows and the index that the lock was made from, and
runs build backends for what is dynamic. Here what the lock recorded of each member is held beside
its ``pyproject.toml``, as far as it decides what is installed on the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, StaleLock
from imagekit.lock.target import Target
from imagekit.lock.uv_lock_sources import ANY, MemberSources, holds, source_text
from imagekit.spec.dependency_groups import read_groups
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.toml import read_toml
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_workspace import Workspace, uv_table

REMEDY = "make it anew: uv lock"
# The kinds of sources that a member of the workspace has.
_LOCAL = frozenset({"editable", "virtual", "directory"})
# (name, extras, specifier, where it comes from)
_Wanted = tuple[str, frozenset[str], SpecifierSet, str]


def check_fresh(
    path: Path,
    workspace: Workspace,
    project: Path,
    target: Target,
    *,
    extras: Sequence[str],
    groups: Sequence[str],
) -> None:
    """:class:`StaleLock` where ``path`` was made from something else than the ``pyproject.toml`` files at hand.

    All differences are told at once.
    """
    lock = TypedTable(read_toml(path, InvalidProject), Origins(path), ())
    version = lock.values.get("version")
    if version != 1:
        raise InvalidProject(
            f"{path.name}: its version is {version!r}, and 1 is known", hint="update imagekit, or uv lock"
        )
    packages = {p.text("name"): p for p in lock.tables("package") if _LOCAL & {*p.table("source")}}
    manifest = lock.table("manifest")
    differences: list[str] = []
    locked_members = set(manifest.texts("members") or workspace.members)
    differences += [f"{name} is no member of it" for name in sorted(set(workspace.members) - locked_members)]
    differences += [f"its member {name} is gone" for name in sorted(locked_members - set(workspace.members))]
    for name, directory in sorted(workspace.members.items()):
        locked = packages.get(name)
        if locked is None or name not in locked_members:
            if name in locked_members:
                differences.append(f"it has no {name}")
            continue
        own = directory == project
        differences += _of_member(
            name,
            locked.table("metadata"),
            MemberSources(directory, workspace),
            target,
            extras=extras if own else None,
            groups=groups if own else (),
        )
    differences += _of_settings(manifest, uv_table(workspace.root, project), target)
    lock.raise_problems()
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise StaleLock(
            f"{path.name} was made from other requirements than those at hand: {differences[0]}{more}",
            hint=REMEDY,
            details="\n".join(differences) if len(differences) > 1 else None,
        )


def _of_member(
    name: str,
    metadata: TypedTable,
    place: MemberSources,
    target: Target,
    *,
    extras: Sequence[str] | None,
    groups: Sequence[str],
) -> list[str]:
    path = place.directory / "pyproject.toml"
    tables = read_toml(path, InvalidProject)
    project = TypedTable(tables.get("project"), Origins(path), ("project",))
    locked_lines = metadata.tables("requires-dist")
    written_extras = project.table("optional-dependencies")
    optional = {canonicalize_name(extra): written_extras.texts(extra) for extra in written_extras}
    chosen = list(optional) if extras is None else [canonicalize_name(e) for e in extras]
    found: list[str] = []
    for extra in ("", *chosen) if "dependencies" not in project.texts("dynamic") else ():
        texts = optional.get(extra, ()) if extra else project.texts("dependencies")  # type: ignore[call-overload]
        wanted = _wanted_of(texts, place, target, extra=extra)
        locked = _locked_of(locked_lines, target, extra)
        found += _differences(f"{name}[{extra}]" if extra else name, wanted, locked)
    project.raise_problems()
    locked_groups = metadata.table("requires-dev")
    by_name = {canonicalize_name(group): locked_groups.tables(group) for group in locked_groups}
    written = _groups(tables, path, place)
    for group in map(canonicalize_name, groups):
        wanted = _wanted_of(written.get(group, ()), place, target, group=group)
        locked = _locked_of(by_name.get(group, ()), target, "")
        found += _differences(f"the group {group} of {name}", wanted, locked)
    return found


def _differences(who: str, wanted: Iterable[_Wanted], locked: Iterable[_Wanted]) -> list[str]:
    now, then = set(wanted), set(locked)
    then_names = {one[0]: one for one in then}
    return [
        f"{who} asks for {_shown(one)}"
        + (f", and then for {_shown(then_names[one[0]])}" if one[0] in then_names else "")
        for one in sorted(now - then, key=lambda one: one[0])
    ] + [
        f"{who} does not ask for {_shown(one)} any more"
        for one in sorted(then - now, key=lambda one: one[0])
        if one[0] not in {name for name, *_ in now}
    ]


def _of_settings(manifest: TypedTable, uv: TypedTable, target: Target) -> list[str]:
    found: list[str] = []
    for key, of in (("constraints", "constraint-dependencies"), ("overrides", "override-dependencies")):
        wanted = [(n, e, s, "") for n, e, s, _ in _wanted_of(uv.texts(of), None, target)]
        locked = [(n, e, s, "") for n, e, s, _ in _locked_of(manifest.tables(key), target, "")]
        found += _differences(f"[tool.uv] {of}", wanted, locked)
    uv.raise_problems()
    return found


def _wanted_of(
    texts: Iterable[str], place: MemberSources | None, target: Target, *, extra: str = "", group: str = ""
) -> list[_Wanted]:
    found: list[_Wanted] = []
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # the readers of the project say what is wrong with it
        if requirement.marker is not None and not requirement.marker.evaluate({**target.environment, "extra": ""}):
            continue
        source = "" if place is None else place.of(requirement, target, extra=extra, group=group)
        names = frozenset(canonicalize_name(e) for e in requirement.extras)
        found.append((canonicalize_name(requirement.name), names, requirement.specifier, source))
    return found


def _locked_of(lines: Iterable[TypedTable], target: Target, extra: str) -> list[_Wanted]:
    """What the lock recorded: that of the extra alone, or that of none."""
    found: list[_Wanted] = []
    for line in lines:
        marker, name = line.text("marker"), line.text("name")
        applies = holds(marker, target, extra)
        if name is None or not applies or (extra and holds(marker, target, "")):
            continue
        try:
            specifier = SpecifierSet(line.text("specifier") or "")
        except InvalidSpecifier:
            continue
        names = frozenset(canonicalize_name(e) for e in line.texts("extras"))
        found.append((canonicalize_name(name), names, specifier, source_text(line.values)))
    return found


def _groups(tables: Mapping[str, Any], path: Path, place: MemberSources) -> dict[str, list[str]]:
    table = TypedTable(tables.get("dependency-groups"), Origins(path), ("dependency-groups",))
    table.raise_problems()
    places = Places(base=place.directory, root=place.workspace.root)
    groups = read_groups(table.values, path.name, places, Origins(path))
    found = {name: [line.text for line in lines] for name, lines in groups.items()}
    if legacy := uv_table(place.directory, place.directory).texts("dev-dependencies"):
        found["dev"] = [*found.get("dev", []), *legacy]
    return found


def _shown(one: _Wanted) -> str:
    name, extras, specifier, source = one
    where = "" if source in (ANY, "") else f" ({source})"
    return f"{name}{f'[{chr(44).join(sorted(extras))}]' if extras else ''}{specifier}{where}"
