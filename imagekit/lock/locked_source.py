"""Requirements that name one certain thing, as another program's lock has it: a file's hash, a commit, a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from imagekit.spec.git_url import git_url
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.requirement import parse_requirement

_NAME = re.compile(r"name\s*=\s*[\"'](?P<name>[^\"']+)[\"']")


def entry_lines(path: Path) -> list[int]:
    """The lines on which the ``[[package]]`` entries of a lock begin, in their order."""
    lines = path.read_text("utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.strip() == "[[package]]"]


def named_lines(path: Path) -> list[tuple[int, str]]:
    """The line of each ``[[package]]`` entry with the name below it."""
    lines = path.read_text("utf-8").splitlines()
    found = ((number, _NAME.match(lines[number])) for number in entry_lines(path) if number < len(lines))
    return [(number, match["name"]) for number, match in found if match is not None]


def pinned_line(name: str, version: str, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name==version`` with the hashes that its file may have."""
    return parse_requirement(f"{name}=={version}", origin, tuple(hashes))


def git_line(name: str, url: str, commit: str, subdirectory: str | None, root: Path, origin: str) -> RequirementLine:
    """``name`` at a commit of the repository ``url``, which may be written as ssh has it (``git@HOST:PATH``).

    A repository on this machine must lie in ``root``.
    """
    inside = f"#subdirectory={subdirectory}" if subdirectory else ""
    return parse_requirement(
        f"{name} @ git+{git_url(url)}@{commit}{inside}", origin, places=Places(base=root, root=root)
    )


def url_line(name: str, url: str, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name`` as the archive at ``url``, which must have the first of ``hashes``."""
    held = f"#{hashes[0].replace(':', '=')}" if hashes and "#" not in url else ""
    return parse_requirement(f"{name} @ {url}{held}", origin)


def path_line(name: str, path: str, base: Path, root: Path, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name`` as what lies at ``path``, relative to ``base``; nothing outside ``root`` is taken."""
    where = f"{name} @ {(base / path).resolve().as_uri()}"
    return parse_requirement(where, origin, tuple(hashes), Places(base=base, root=root))
