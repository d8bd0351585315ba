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
from imagekit.spec.toml import read_toml
from imagekit.spec.uv_workspace import Workspace

REMEDY = "make it anew: uv lock"
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
    tables = read_toml(path, InvalidProject)
    if tables.get("version") != 1:
        raise InvalidProject(
            f"{path.name}: its version is {tables.get('version')!r}, and 1 is known", hint="update imagekit, or uv lock"
        )
    packages = [p for p in tables.get("package") or () if isinstance(p, dict)]
    manifest = tables.get("manifest") if isinstance(tables.get("manifest"), dict) else {}
    assert isinstance(manifest, dict)
    differences: list[str] = []
    locked_members = set(manifest.get("members") or workspace.members)
    differences += [f"{name} is no member of it" for name in sorted(set(workspace.members) - locked_members)]
    differences += [f"its member {name} is gone" for name in sorted(locked_members - set(workspace.members))]
    for name, directory in sorted(workspace.members.items()):
        locked = next((p for p in packages if p.get("name") == name and _is_local(p)), None)
        if locked is None or name not in locked_members:
            if name in locked_members:
                differences.append(f"it has no {name}")
            continue
        own = directory == project
        pyproject = read_toml(directory / "pyproject.toml", InvalidProject)
        differences += _of_member(
            name,
            locked.get("metadata") or {},
            pyproject,
            MemberSources(directory, workspace),
            target,
            extras=extras if own else None,
            groups=groups if own else (),
        )
    differences += _of_settings(manifest, _table(read_root(workspace), "tool", "uv"), target)
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise StaleLock(
            f"{path.name} was made from other requirements than those at hand: {differences[0]}{more}",
            hint=REMEDY,
            details="\n".join(differences) if len(differences) > 1 else None,
        )


def read_root(workspace: Workspace) -> dict[str, Any]:
    """The tables of the root's ``pyproject.toml``."""
    return read_toml(workspace.root / "pyproject.toml", InvalidProject)


def _of_member(
    name: str,
    metadata: Mapping[str, Any],
    tables: Mapping[str, Any],
    place: MemberSources,
    target: Target,
    *,
    extras: Sequence[str] | None,
    groups: Sequence[str],
) -> list[str]:
    project = _table(tables, "project")
    dynamic = project.get("dynamic") or ()
    locked_lines = metadata.get("requires-dist") or ()
    written_extras = project.get("optional-dependencies") or {}
    optional: dict[str, Any] = {canonicalize_name(name): texts for name, texts in written_extras.items()}
    chosen = list(optional) if extras is None else [canonicalize_name(e) for e in extras]
    found: list[str] = []
    for extra in ("", *chosen) if "dependencies" not in dynamic else ():
        texts = optional.get(extra, ()) if extra else project.get("dependencies") or ()
        wanted = _wanted_of(texts, place, target, extra=extra)
        locked = _locked_of(locked_lines, target, extra)
        found += _differences(f"{name}[{extra}]" if extra else name, wanted, locked)
    locked_groups = metadata.get("requires-dev") or {}
    written = _groups(tables)
    for group in groups:
        name_of = canonicalize_name(group)
        wanted = _wanted_of(written.get(name_of, ()), place, target, group=name_of)
        locked = _locked_of(_by_name(locked_groups, group), target, "")
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


def _of_settings(manifest: Mapping[str, Any], uv: Mapping[str, Any], target: Target) -> list[str]:
    found: list[str] = []
    for key, of in (("constraints", "constraint-dependencies"), ("overrides", "override-dependencies")):
        wanted = [(n, e, s, "") for n, e, s, _ in _wanted_of(uv.get(of) or (), None, target)]
        locked = [(n, e, s, "") for n, e, s, _ in _locked_of(manifest.get(key) or (), target, "")]
        found += _differences(f"[tool.uv] {of}", wanted, locked)
    return found


def _wanted_of(
    texts: Iterable[Any], place: MemberSources | None, target: Target, *, extra: str = "", group: str = ""
) -> list[_Wanted]:
    found: list[_Wanted] = []
    for text in texts:
        try:
            requirement = Requirement(text)
        except (InvalidRequirement, TypeError):
            continue  # the readers of the project say what is wrong with it
        if requirement.marker is not None and not requirement.marker.evaluate({**target.environment, "extra": ""}):
            continue
        source = "" if place is None else place.of(requirement, target, extra=extra, group=group)
        names = frozenset(canonicalize_name(e) for e in requirement.extras)
        found.append((canonicalize_name(requirement.name), names, requirement.specifier, source))
    return found


def _locked_of(lines: Iterable[Any], target: Target, extra: str) -> list[_Wanted]:
    """What the lock recorded: that of the extra alone, or that of none."""
    found: list[_Wanted] = []
    for line in lines:
        marker = line.get("marker")
        applies = holds(marker, target, extra)
        if not applies or (extra and holds(marker, target, "")):
            continue
        try:
            specifier = SpecifierSet(line.get("specifier", ""))
        except InvalidSpecifier:
            continue
        names = frozenset(canonicalize_name(e) for e in line.get("extras") or ())
        found.append((canonicalize_name(line["name"]), names, specifier, source_text(line)))
    return found


def _groups(tables: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {
        n: [line.text for line in lines] for n, lines in read_groups(_table(tables, "dependency-groups"), "").items()
    }
    legacy = _table(tables, "tool", "uv").get("dev-dependencies")
    if isinstance(legacy, list):
        found["dev"] = [*found.get("dev", []), *legacy]
    return found


def _by_name(table: Mapping[str, Any], name: str) -> Sequence[Any]:
    return next((v for k, v in table.items() if canonicalize_name(k) == canonicalize_name(name)), ())


def _is_local(package: Mapping[str, Any]) -> bool:
    source = package.get("source")
    return isinstance(source, dict) and bool({"editable", "virtual", "directory"} & set(source))


def _table(tables: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    found: Any = tables
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _shown(one: _Wanted) -> str:
    name, extras, specifier, source = one
    where = "" if source in (ANY, "") else f" ({source})"
    return f"{name}{f'[{chr(44).join(sorted(extras))}]' if extras else ''}{specifier}{where}"
