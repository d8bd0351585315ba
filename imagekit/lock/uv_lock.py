"""``uv.lock``, by ``uv export``: uv itself says what its lock comes to for the groups and extras asked for.

uv is given no network, no configuration, no cache and none of the environment, and told that the lock is
frozen. So it writes nothing into the project, runs no build backend, and needs no interpreter.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.pylock import Package

from imagekit.errors import InputError, InvalidProject, StaleLock
from imagekit.lock.locked_source import git_line, inside_archive, path_line, url_line
from imagekit.lock.pylock import LockFile, parse
from imagekit.lock.target import Target
from imagekit.lock.uv import find_uv
from imagekit.lock.uv_lock_check import check_fresh
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import toml_text
from imagekit.spec.url import redacted
from imagekit.spec.uv_workspace import Workspace, find_workspace

REMEDY = "make it anew: uv lock"
# The line that uv stumbles over; its last words say over what.
_PLACE = re.compile(r"Failed to parse `uv\.lock`\s+cause: TOML parse error at line (\d+), column \d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class UvExport:
    """What a ``uv.lock`` comes to: files of indexes, and what is named by path, URL or commit."""

    file: LockFile
    direct: tuple[RequirementLine, ...]  # those that apply on the target


def export_uv_lock(
    path: Path, project: Path, target: Target, *, extras: Sequence[str] = (), groups: Sequence[str] = ()
) -> UvExport:
    """The packages that ``project`` needs of the lock ``path``, with ``extras`` and ``groups``, without itself.

    Of a workspace's root that is no project itself, all members come along. :class:`StaleLock` where the lock
    was made from other requirements than those at hand, :class:`InvalidProject` where it cannot be read.
    """
    workspace = find_workspace(project)
    if workspace.root != path.parent:
        workspace = replace(workspace, root=path.parent)
    check_fresh(path, workspace, project, target, extras=extras, groups=groups)
    written = toml_text(path, InvalidProject)
    file = parse(_exported(path, workspace, project, extras, groups), path, written=written)
    lines: list[RequirementLine] = []
    rest: list[Package] = []
    problems: list[InputError] = []
    environment: dict[str, str | frozenset[str]] = {
        **target.environment,
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    for package in file.pylock.packages:
        if package.wheels or package.sdist:
            rest.append(package)
        elif package.marker is None or package.marker.evaluate(environment, context="lock_file"):
            origin = f"{path.name}:{file.lines.get(package.name, 1)}"
            try:
                lines.append(_line(package, workspace.root, origin))
            except InputError as problem:
                problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return UvExport(file=replace(file, pylock=replace(file.pylock, packages=rest)), direct=tuple(lines))


def export_argv(uv: str, directory: str, name: str | None, extras: Sequence[str], groups: Sequence[str]) -> list[str]:
    """The arguments that write the lock of ``directory`` as a ``pylock.toml`` to standard output."""
    argv = [uv, "export", "--format", "pylock.toml", "--frozen", "--offline", "--no-config", "--no-cache"]
    argv += ["--no-header", "--color", "never", "--no-progress", "--no-python-downloads", "--directory", directory]
    argv += ["--no-default-groups", "--no-emit-project"]
    argv += ["--all-packages"] if name is None else ["--package", name]
    return [*argv, *(f"--extra={e}" for e in extras), *(f"--group={g}" for g in groups)]


def _exported(path: Path, workspace: Workspace, project: Path, extras: Sequence[str], groups: Sequence[str]) -> str:
    root = workspace.root
    with tempfile.TemporaryDirectory(prefix="imagekit-uv-lock-") as home:
        completed = subprocess.run(
            export_argv(str(find_uv()), str(root), workspace.name_of(project), extras, groups),
            cwd=home,
            env={"HOME": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if completed.returncode == 0:
        return completed.stdout
    words = redacted(completed.stderr.replace(str(root) + "/", "").replace(str(root), ".")).strip()
    first = next((line.removeprefix("error: ") for line in words.splitlines() if line.startswith("error: ")), "")
    if "needs to be updated" in words or "is not defined in" in words:
        raise StaleLock(f"{path.name}: {first}", hint=REMEDY, details=words)
    place = _PLACE.search(words)
    if place is not None:
        first = words.splitlines()[-1].strip()
    where = path.name if place is None else f"{path.name}:{place[1]}"
    raise InvalidProject(f"{where}: uv cannot use it: {first}", hint=REMEDY, details=words)


def _line(package: Package, root: Path, origin: str) -> RequirementLine:
    name = str(package.name)
    if package.directory is not None:
        inside = package.directory.subdirectory
        path = f"{package.directory.path}/{inside}" if inside else package.directory.path
        return path_line(name, path, root, root, (), origin)
    if package.vcs is not None:
        vcs = package.vcs
        if vcs.type != "git" or not (vcs.url or vcs.path):
            raise InvalidProject(
                f"{origin}: {name} comes from {vcs.type}, and only git is known",
                hint=f"build a wheel of {name}, and name that by its path or URL",
            )
        url = vcs.url or (root / str(vcs.path)).resolve().as_uri()
        return git_line(name, url, vcs.commit_id, vcs.subdirectory or "", root, origin)
    assert package.archive is not None  # the format has nothing else
    archive = package.archive
    if archive.subdirectory:
        raise inside_archive(name, origin)
    hashes = tuple(f"{kind}:{digest}" for kind, digest in archive.hashes.items() if kind == "sha256")
    if archive.path is not None:
        return path_line(name, archive.path, root, root, hashes, origin)
    return url_line(name, str(archive.url), hashes, origin)
