"""What a package of a ``pylock.toml`` is installed from: files, archives, commits, directories (PEP 751)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.pylock import Package, PackageArchive, PackageDirectory, PackageSdist, PackageVcs, PackageWheel
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from imagekit.errors import InputError, InvalidProject, InvalidRequirement
from imagekit.lock.values import Artifact, Directory, GitCommit, is_file_name
from imagekit.network.urls import without_login
from imagekit.oci.digest import is_digest
from imagekit.spec.local_source import SDISTS, Places, local_source, path_within
from imagekit.spec.toml import read_toml
from imagekit.spec.url import check_requirement_url, redacted

Source = PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist

_UNKNOWN_VERSION = "0"  # until it is built: what a directory's build backend will say


def artifact_of(
    package: Package, source: Source, origin: Path, root: Path | None = None, *, line: int | None = None
) -> Artifact:
    """``source`` of ``package``, which is on ``line`` of the lock ``origin``, at whose directory relative paths start.

    A directory is read now; neither it nor a repository may lie outside ``root``, where one is given.
    :class:`InvalidProject` names what cannot be honoured.
    """
    name, place = str(package.name), str(origin) if line is None else f"{origin}:{line}"
    if isinstance(source, PackageVcs):
        return Artifact.of_commit(name, _commit(name, source, origin, root, f"{place}: packages.vcs: {name}"))
    if isinstance(source, PackageDirectory):
        path = "/".join(filter(None, (source.path, source.subdirectory)))
        places = Places(base=origin.parent.resolve(), root=root)
        try:
            found = local_source(path, places, f"{place}: packages.directory: {name}")
        except InvalidRequirement as problem:
            raise InvalidProject(problem.message, hint=problem.hint) from None
        if not found.path.is_dir():
            raise InvalidProject(
                f"{place}: packages.directory: {name}: {source.path!r} is no directory",
                hint="put the directory back, or lock it anew",
            )
        return Artifact.of_directory(name, found.path, found.content)
    if isinstance(source, PackageArchive):
        if source.subdirectory:
            raise InvalidProject(
                f"{place}: packages.archive.subdirectory: {name}: a project inside an archive is not honoured",
                hint=f"build a wheel of {name}, or lock it to a commit of its repository",
            )
        filename = _last_part(source.url or source.path or "")
        if not filename.endswith((".whl", *SDISTS)):
            raise InvalidProject(
                f"{place}: packages.archive: {name}: {filename!r} is neither a wheel nor a source distribution",
                hint=f"those end with .whl, {', '.join(SDISTS)}",
            )
        if filename.endswith(".whl"):
            _check_wheel(package, filename, place)
        return _file(package, filename, source, origin, place, by_url=True)
    return _file(package, source.filename, source, origin, place, by_url=False)


def source_table(artifact: Artifact, relative_to: Path | None) -> dict[str, Any]:
    """The ``vcs``, ``directory`` or ``archive`` table of an artifact that was asked for by its place."""
    if isinstance(artifact.origin, GitCommit):
        commit = artifact.origin
        vcs = {"type": "git", **_location(commit.url, relative_to)}
        if commit.requested is not None:
            vcs["requested-revision"] = commit.requested
        vcs["commit-id"] = commit.commit
        if commit.subdirectory:
            vcs["subdirectory"] = commit.subdirectory
        return {"vcs": vcs}
    if isinstance(artifact.origin, Directory):
        path = artifact.origin.path
        inside = relative_to is not None and path.is_relative_to(relative_to)
        # Copied, and not linked to: never editable.
        return {"directory": {"path": path.relative_to(relative_to).as_posix() if inside else str(path)}}  # type: ignore[arg-type]
    return {"archive": file_table(artifact, relative_to)}


def file_table(artifact: Artifact, relative_to: Path | None) -> dict[str, Any]:
    """Where a file is, its size and its hash. Below ``relative_to`` it is named by its path; no URL keeps a login."""
    table: dict[str, Any] = dict(_location(artifact.url, relative_to))
    if artifact.size is not None:
        table["size"] = artifact.size
    return {**table, "hashes": {"sha256": artifact.sha256}}


def stated_version(origin: GitCommit | Directory) -> str:
    """The version that a directory's ``pyproject.toml`` states; ``0`` where only its build can say it."""
    if isinstance(origin, Directory):
        try:
            project = read_toml(origin.path / "pyproject.toml", InvalidProject).get("project")
        except InputError:
            project = None
        if isinstance(project, dict) and isinstance(project.get("version"), str):
            return str(project["version"])
    return _UNKNOWN_VERSION


def _commit(name: str, source: PackageVcs, origin: Path, root: Path | None, where: str) -> GitCommit:
    if source.type != "git":
        raise InvalidProject(
            f"{where} is locked to {redacted(source.type)!r}, and git is the one that is known",
            hint=f"build a wheel of {name} and name it by its path or URL",
        )
    url = source.url or (origin.parent / (source.path or "")).resolve().as_uri()
    url = url.removeprefix("git+")
    if len(source.commit_id) not in (40, 64) or not set(source.commit_id) <= set("0123456789abcdef"):
        raise InvalidProject(
            f"{where}: commit-id {redacted(source.commit_id)[:80]!r} is no full commit", hint="lock it anew"
        )
    inside = source.subdirectory or ""
    fragment = f"#subdirectory={inside}" if inside else ""
    try:
        parts = check_requirement_url(name, f"git+{url}@{source.commit_id}{fragment}", where)
        if parts.scheme == "git+file":
            path_within(url2pathname(urlsplit(url).path), Places(base=origin.parent, root=root), where)
    except InvalidRequirement as problem:
        raise InvalidProject(problem.message, hint=problem.hint) from None
    return GitCommit(
        url=url, commit=source.commit_id, requested=source.requested_revision, subdirectory=source.subdirectory or ""
    )


def _file(
    package: Package,
    filename: str,
    source: PackageArchive | PackageWheel | PackageSdist,
    origin: Path,
    place: str,
    *,
    by_url: bool,
) -> Artifact:
    name = package.name
    sha256 = source.hashes.get("sha256", "")
    if not is_digest(f"sha256:{sha256}"):
        raise InvalidProject(f"{place}: packages.hashes: {name}: {filename!r} has no sha256 hash", hint="lock it anew")
    if not is_file_name(filename):
        raise InvalidProject(f"{place}: packages.name: {name}: {filename!r} is not a file name", hint="lock it anew")
    url = source.url
    if url is None:
        assert source.path is not None  # the parser demands one of the two
        url = (origin.parent.resolve() / source.path).as_uri()
    elif _scheme(url) not in ("https", "http", "file"):
        raise InvalidProject(f"{place}: packages.url: {name}: cannot fetch {redacted(url)!r}", hint="lock it anew")
    return Artifact(filename=filename, url=url, sha256=sha256, size=source.size, by_url=by_url)


def _check_wheel(package: Package, filename: str, place: str) -> None:
    """An archive that is a wheel says whose it is, and of which version; the parser looks at those of indexes alone.

    The name of one that is a source distribution is anyone's; what is built of it is looked at.
    """
    hint = "find out who changed the lock, and make it anew"
    try:
        found, version = parse_wheel_filename(filename)[:2]
    except InvalidWheelFilename:
        words = f"{filename!r} is no name of a wheel"
        raise InvalidProject(f"{place}: packages.archive: {package.name}: {words}", hint=hint) from None
    if found != package.name:
        words = f"{filename!r} is a file of {found}"
    elif package.version is not None and version != package.version:
        words = f"{filename!r} is not of version {package.version}"
    else:
        return
    raise InvalidProject(f"{place}: packages.archive: {package.name}: {words}", hint=hint)


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _location(url: str, relative_to: Path | None) -> dict[str, str]:
    if relative_to is not None and url.startswith("file:"):
        path = Path(url2pathname(urlsplit(url).path))
        if path.is_relative_to(relative_to):
            return {"path": path.relative_to(relative_to).as_posix()}
    return {"url": without_login(url)}


def _last_part(location: str) -> str:
    # What is behind the path is no part of a name; what is no URL at all is told when it is read as one.
    path = re.split(r"[?#]", location, maxsplit=1)[0] if "://" in location else location
    return unquote(path.replace("\\", "/").rsplit("/", 1)[-1])
