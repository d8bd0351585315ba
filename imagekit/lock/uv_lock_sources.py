"""Where a requirement comes from, in one spelling for what ``pyproject.toml`` and what a ``uv.lock`` say of it.

The lock's side is uv's ``requires-dist`` (``crates/uv-distribution-types/src/requirement.rs``): a repository with its
directory and ref in the query, an archive, a path, or the URL of the one index; never with a login.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.lock.target import Target
from imagekit.network.urls import bare
from imagekit.spec.git_url import git_url
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.url import fragment_items, split_ref
from imagekit.spec.uv_index import uv_indexes
from imagekit.spec.uv_workspace import Workspace, uv_table

ANY = "index"  # of no index in particular
_REFS = ("rev", "tag", "branch")


class MemberSources:
    """The sources that the requirements of the member in ``directory`` have."""

    def __init__(self, directory: Path, workspace: Workspace) -> None:
        self.directory, self.workspace = directory, workspace
        self._sources: dict[str, tuple[list[TypedTable], Path]] = {}
        self._indexes: dict[str, str] = {}
        # A member's own go before the root's (uv, "Workspace sources").
        for base in dict.fromkeys((workspace.root, directory)):
            uv = uv_table(base, directory)
            sources = uv.table("sources")
            for name in sources:
                self._sources[canonicalize_name(name)] = (sources.tables(name, single=True), base)
            self._indexes |= {index.name: index.url for index in uv_indexes(uv, base) if index.name is not None}
            uv.raise_problems()

    def of(self, requirement: Requirement, target: Target, *, extra: str = "", group: str = "") -> str:
        """Where ``requirement``, of the extra or group, comes from on ``target``."""
        if requirement.url:
            return _of_url(requirement.url)
        entries, base = self._sources.get(canonicalize_name(requirement.name), ([], self.directory))
        for entry in entries:
            for key, name in (("extra", extra), ("group", group)):
                asked = entry.text(key)
                if asked is not None and canonicalize_name(asked) != name:
                    break
            else:
                if holds(entry.text("marker"), target):
                    return self._entry(entry.values, requirement.name, base)
        return ANY

    def _entry(self, source: Mapping[str, Any], name: str, base: Path) -> str:
        if source.get("workspace") is True:
            found = self.workspace.members.get(canonicalize_name(name))
            return "path ?" if found is None else source_text({"path": os.path.relpath(found, self.workspace.root)})
        if isinstance(path := source.get("path"), str):
            return source_text({"path": os.path.relpath(base / path, self.workspace.root)})
        if isinstance(index := source.get("index"), str):
            return source_text({"index": self._indexes.get(index, f"? {index}")})
        if isinstance(source.get("git"), str):
            return source_text({**source, "git": git_url(source["git"])})
        return source_text(source)


def source_text(source: Mapping[str, Any]) -> str:
    """``source``, of ``[tool.uv.sources]`` or of a lock's ``requires-dist``, as text to compare and to show."""
    for key in ("path", "editable", "directory", "virtual"):
        if isinstance(source.get(key), str):
            return f"path {os.path.normpath(source[key])}"
    if isinstance(source.get("git"), str):
        parts = _split(source["git"])
        said = {**dict(parse_qsl(parts.query)), **{k: v for k, v in source.items() if isinstance(v, str)}}
        ref = next((f" {key} {said[key]}" for key in _REFS if key in said), "")
        place = _bare(source["git"]).removesuffix("/").removesuffix(".git")
        return f"git {place}{ref}{_inside(said)}"
    if isinstance(source.get("url"), str):
        return f"url {_bare(source['url'])}{_inside(source)}"
    if isinstance(source.get("index"), str):
        return f"index {_bare(source['index']).rstrip('/')}"
    return ANY


def holds(marker: Any, target: Target, extra: str = "") -> bool:
    """Whether ``marker`` does on ``target``; what is none does."""
    if not isinstance(marker, str):
        return True
    try:
        return Marker(marker).evaluate({**target.environment, "extra": extra})
    except InvalidMarker:
        return True


def _of_url(url: str) -> str:
    if not url.startswith("git+"):
        return source_text({"url": url, **fragment_items(_split(url).fragment)})
    parts = _split(url.removeprefix("git+"))
    path, ref = split_ref(parts.path)
    source = {"git": parts._replace(path=path, fragment="").geturl(), **fragment_items(parts.fragment)}
    return source_text({**source, "rev": ref} if ref else source)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # which the reader of the requirement says, too
        return SplitResult("", "", url, "", "")


def _inside(source: Mapping[str, Any]) -> str:
    subdirectory = source.get("subdirectory")
    return f" in {subdirectory.strip('/')}" if isinstance(subdirectory, str) and subdirectory.strip("/") else ""


def _bare(url: str) -> str:
    """``url`` without login, query and fragment; git's user of ssh is none of the place's, too."""
    try:
        return bare(url)
    except ValueError:  # as in ``_split``
        return url
