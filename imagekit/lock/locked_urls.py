"""URLs with credentials in locks, which lie in repositories and images: neither read nor written."""

from __future__ import annotations

from pathlib import Path

from imagekit.errors import InputError, InvalidProject, ResolveError
from imagekit.lock.values import Lock
from imagekit.network.urls import without_login
from imagekit.secrets.urls import WHAT_TO_DO, in_lines, in_url
from imagekit.spec.url import redacted


def refuse_urls_of_file(path: Path, remedy: str) -> None:
    """``InvalidProject`` for each line of the lock ``path`` with a credential in a URL, all at once; none is shown.

    ``remedy``: how the lock is made anew. What cannot be read is told by who reads it.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return
    problems: dict[int, InputError] = {}
    for line, _, kind in in_lines(text):
        hint = f"{WHAT_TO_DO}; then {remedy}"
        problems.setdefault(line, InvalidProject(f"{path.name}:{line}: {kind} stands in the lock", hint=hint))
    if problems:
        raise InputError.join(list(problems.values()))


def refuse_urls_of(lock: Lock) -> None:
    """``ResolveError`` where a file that an index gave has a token in its URL, which a lock would show."""
    for package in lock.packages:
        # A login is left out when it is written.
        url = without_login(package.artifact.url)
        if (kind := in_url(url)) is not None:
            raise ResolveError(
                f"the index has {package.name} at {kind} ({redacted(url)}), and a lock would show it",
                hint="ask an index that takes a login instead, or download the file, and name its directory by "
                "find-links",
            )
