"""Which commit a project is at, read from its ``.git`` without starting git.

Format: gitrepository-layout(5), gitglossary(7); a worktree's ``.git`` file is followed.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from imagekit.network.urls import bare

_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^:\s]+")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit and where its repository comes from; ``None`` where it cannot be told."""

    commit: str | None = None
    source: str | None = None  # the URL of the remote "origin", without credentials; never a path of this machine


def read_revision(directory: Path) -> Revision:
    """The revision of the repository that ``directory`` is in; an empty one outside a repository."""
    for above in (directory, *directory.parents):
        dot_git = above / ".git"
        if dot_git.exists():
            git = _directory(dot_git)
            return Revision(commit=_commit(git), source=_source(_common(git))) if git else Revision()
    return Revision()


def _directory(dot_git: Path) -> Path | None:
    if dot_git.is_dir():
        return dot_git
    text = _text(dot_git)
    return (dot_git.parent / text.removeprefix("gitdir:").strip()) if text.startswith("gitdir:") else None


def _common(git: Path) -> Path:
    text = _text(git / "commondir").strip()
    return git / text if text else git


def _commit(git: Path) -> str | None:
    head = _text(git / "HEAD").strip()
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else None
    name = head.removeprefix("ref:").strip()
    for place in (git, _common(git)):
        found = _text(place / name).strip()
        if _COMMIT.fullmatch(found):
            return found
    for line in _text(_common(git) / "packed-refs").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name and _COMMIT.fullmatch(commit):
            return commit
    return None


def _source(git: Path) -> str | None:
    parser = ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(_text(git / "config"))
        url = parser.get('remote "origin"', "url", fallback=None)
    except ConfigError:
        return None
    # git writes quotes around a value with '#' or ';' in it.
    url = (url or "").strip('"')
    if not url:
        return None
    if "://" not in url:
        return url if _SCP_LIKE.fullmatch(url) else None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("https", "http", "ssh", "git"):
        return None
    # A token in a remote's URL must not travel with the image.
    return bare(url)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
