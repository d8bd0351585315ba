"""What a wheel is built from, put into a directory of its own for a stage: an archive, a commit's files, a tree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from imagekit.errors import SourceBuildFailed
from imagekit.git.remote import Git
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Directory, GitCommit, LockedPackage
from imagekit.spec.source_tree import scan

# setuptools-scm, and what builds on it: they read ``.git_archival.txt`` where there is no repository.
_FROM_TAGS = re.compile(rb"setuptools[-_]scm|hatch[-_]vcs|vcs[-_]versioning|flit[-_]scm")
# One level down: a `.dockerignore` at the top of a context would be obeyed once more.
TREE = "tree"


def place_source(package: LockedPackage, directory: Path, store: WheelStore, git: Git) -> str:
    """Put what ``package`` is built from into ``directory``; what to build, relative to it.

    Of a directory, what ``.dockerignore`` rules leave: never ``.git``, caches or virtual environments.
    """
    origin = package.artifact.origin
    if isinstance(origin, GitCommit):
        git.checkout(origin.url, origin.commit, directory / TREE)
        place = directory / TREE / origin.subdirectory
        if not place.is_dir() or not place.resolve().is_relative_to((directory / TREE).resolve()):
            raise SourceBuildFailed(
                f"{package.name}: {origin.url} has no directory {origin.subdirectory!r} at {origin.commit[:12]}",
                hint="look at its #subdirectory=…",
            )
        _state_version(place, origin, directory / TREE, git)
        return place.relative_to(directory).as_posix()
    if isinstance(origin, Directory):
        tree = scan(origin.path)
        copy_files({f.path: origin.path / f.path for f in tree.files if f.kind != "dir"}, directory / TREE)
        if scan(origin.path).digest() != f"sha256:{package.artifact.sha256}":
            raise SourceBuildFailed(f"{package.name}: {origin.path} changed while it was read", hint="build again")
        return TREE
    path = store.get(package.artifact, package=package.name)
    shutil.copyfile(path, directory / package.artifact.filename)
    return package.artifact.filename


def _state_version(project: Path, origin: GitCommit, tree: Path, git: Git) -> None:
    """Where the version is read from git's tags, write down what they say, as ``git archive`` does it."""
    declaring = [place / name for place in {project, tree} for name in ("pyproject.toml", "setup.cfg", "setup.py")]
    archival = tree / ".git_archival.txt"
    if any(_FROM_TAGS.search(file.read_bytes()) for file in declaring if file.is_file() and not file.is_symlink()):
        described = git.describe(origin.url, origin.commit)
        if described is not None and not archival.is_symlink():
            archival.write_text(f"node: {origin.commit}\ndescribe-name: {described}\n")


def copy_files(files: Mapping[str, Path], into: Path) -> None:
    """Copy ``files`` (relative POSIX path → file on the host), links as links."""
    for relative, path in sorted(files.items()):
        place = into / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place, follow_symlinks=False)
