"""How often a project's dependencies and its other files change: what its git history says. Pure, but for ``read``.

A change is a day on which the main line has one: a merge counts once, and several commits of a day as one, since people
build what a day came to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from imagekit.git.working_tree import ask_git

PERIOD = 90  # days that are looked back
_LEAST = 7  # days: what happened in fewer says nothing of a month
_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Changes of the last ``days``; ``unknown`` says, in words, why there is no telling."""

    days: float = 0.0
    dependencies: int = 0  # days on which a file that names dependencies changed
    source: int = 0  # days on which any other file of the source changed
    unknown: str | None = None
    is_repository: bool = False  # the project's files are in one

    def a_month(self, count: int, days: int = 30) -> float:
        """``count`` changes of the period, of ``days`` days."""
        return count * days / self.days if self.unknown is None and self.days else 0.0

    def to_json(self) -> dict[str, Any]:
        known = self.unknown is None
        return {
            "days": round(self.days, 1) if known else None,
            "dependency_changes": self.dependencies if known else None,
            "source_changes": self.source if known else None,
            "unknown": self.unknown,
            "repository": self.is_repository,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit of the main line: when, and which files of the project changed in it."""

    time: float  # seconds since 1970
    paths: tuple[str, ...]  # relative to the project


def read(project: Path, *, names_dependencies: Callable[[str], bool], is_source: Callable[[str], bool]) -> History:
    """The history of ``project``. Nothing is fetched, and nothing that a repository configures is run.

    The two functions judge a path relative to the project; what neither of them takes counts as no change.
    """
    found = ask_git(project, "rev-parse", "--is-inside-work-tree", "--is-shallow-repository")
    if found is None or found.split()[:1] != [b"true"]:
        return History(unknown="the project is in no git repository that git can read")
    if not (ask_git(project, "ls-files", "-z", "--", ".") or b""):
        return History(unknown="none of the project's files is in git")
    if found.split()[1:2] == [b"true"]:
        return History(
            unknown="the clone is shallow, and its history is cut short: git fetch --unshallow", is_repository=True
        )
    first = ask_git(project, "log", "--no-show-signature", "--first-parent", "--reverse", "--format=%ct", "--", ".")
    began = (first or b"").split()[:1]
    listed = ask_git(
        project,
        *("log", "--no-show-signature", "--first-parent", "-m", "--no-renames", "--no-ext-diff", "--name-only", "-z"),
        *("--relative", "--format=%x01%ct", f"--since={PERIOD}.days.ago", "--", "."),
    )
    if not began or listed is None:
        return History(unknown="git could not list the commits of the project's files", is_repository=True)
    now = datetime.now(timezone.utc).timestamp()
    return changes(
        commits_of(listed), began=float(began[0]), now=now, names_dependencies=names_dependencies, is_source=is_source
    )


def commits_of(listed: bytes) -> list[Commit]:
    r"""What ``git log --format=%x01%ct --name-only -z`` prints: ``\x01TIME``, NUL, a newline, and NUL-ended paths."""
    found = []
    for block in listed.split(b"\x01")[1:]:
        head, _, rest = block.partition(b"\0")
        if head.isdigit():  # else a path has the mark in it
            paths = rest.removeprefix(b"\n").split(b"\0")
            names = tuple(path.decode("utf-8", "surrogateescape") for path in paths if path)
            found.append(Commit(time=float(head), paths=names))
    return found


def changes(
    commits: Iterable[Commit],
    *,
    began: float,
    now: float,
    names_dependencies: Callable[[str], bool],
    is_source: Callable[[str], bool],
) -> History:
    """The changes of ``commits``. The first of the repository, at ``began``, is none: it is where all comes from."""
    days = min(max(now - began, 0.0) / _DAY, float(PERIOD))
    if days < _LEAST:
        words = "less than a day" if days < 1 else f"{days:.0f} day{'s' if round(days) != 1 else ''}"
        return History(unknown=f"its history is {words} old", is_repository=True)
    dependencies, source = set(), set()
    for commit in commits:
        if commit.time <= began:
            continue
        day = datetime.fromtimestamp(commit.time, timezone.utc).date()
        for path in commit.paths:
            if names_dependencies(path):
                dependencies.add(day)
            elif is_source(path):
                source.add(day)
    return History(days=days, dependencies=len(dependencies), source=len(source), is_repository=True)
