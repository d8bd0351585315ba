"""Requirements that name one certain thing, as another program's lock has it: a file's hash, a commit, a path."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urldefrag

from imagekit.errors import InvalidProject
from imagekit.spec.git_url import git_url
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places, path_of_url
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.url import fragment_items, redacted

_FULL_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def pinned_line(name: str, version: str, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name==version`` with the hashes that its file may have."""
    return parse_requirement(f"{name}=={version}", origin, tuple(hashes))


def git_line(name: str, url: str, commit: str, subdirectory: str, root: Path, origin: str) -> RequirementLine:
    """``name`` at a commit of the repository ``url``, which may be written as ssh has it (``git@HOST:PATH``).

    A branch, a tag or a short commit is refused: it may be another one tomorrow. A repository on this machine
    must lie in ``root``.
    """
    if not _FULL_COMMIT.fullmatch(commit):
        words = f"{redacted(commit)[:80]!r} is no full commit" if commit else "no commit is there"
        raise InvalidProject(
            f"{origin}: {name} comes from {redacted(url)!r}, and {words}",
            hint=f"lock it anew, to the whole commit; to see it: git ls-remote -- {redacted(url)!r}",
        )
    bare = urldefrag(url.removeprefix("git+"))[0]
    inside = f"#subdirectory={subdirectory}" if subdirectory else ""
    return parse_requirement(
        f"{name} @ git+{git_url(bare)}@{commit}{inside}", origin, places=Places(base=root, root=root)
    )


def url_line(name: str, url: str, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name`` as the archive at ``url``, which must have one of ``hashes``, or the one behind its ``#``.

    Without any it is refused, as pip refuses it in its hash-checking mode: the file may be another one tomorrow.
    """
    try:
        bare, fragment = urldefrag(url)
    except ValueError:
        raise InvalidProject(
            f"{origin}: {name}: {redacted(url)!r} is not a URL", hint="write https://HOST/PATH"
        ) from None
    items = fragment_items(fragment)
    if "subdirectory" in items:
        raise inside_archive(name, origin)
    allowed = tuple(hashes)
    if "sha256" in items:
        stated = f"sha256:{items['sha256']}"
        if allowed and stated not in allowed:
            raise InvalidProject(
                f"{origin}: {name}: its URL names another sha256 than its hashes",
                hint="find out who changed it, and lock it anew",
            )
        allowed = (stated,)
    if not allowed:
        raise InvalidProject(
            f"{origin}: {name} comes from {redacted(bare)!r}, and has no sha256 hash",
            hint=f"write it behind the URL where {name} is asked for (URL#sha256=…), and lock anew",
        )
    if len(allowed) == 1:
        return parse_requirement(f"{name} @ {bare}#{allowed[0].replace(':', '=')}", origin)
    return parse_requirement(f"{name} @ {bare}", origin, allowed)


def path_line(name: str, path: str, base: Path, root: Path, hashes: Sequence[str], origin: str) -> RequirementLine:
    """``name`` as what lies at ``path`` (or ``file:`` URL), relative to ``base``; nothing outside ``root`` is taken.

    A file must have one of ``hashes``, if there are any; a directory is what it is when it is read.
    """
    if path.startswith("file:"):
        path = path_of_url(path, origin)
    elif "://" in path:
        raise InvalidProject(f"{origin}: {name}: {redacted(path)!r} is not a path", hint="lock it anew")
    # Whoever looks for it follows the links, and sees whether it is a path.
    place = Path(os.path.abspath(base / path))
    try:
        url = place.as_uri()
    except UnicodeEncodeError:
        raise InvalidProject(f"{origin}: {name}: {path!r} is not a path", hint="lock it anew") from None
    held = () if os.path.isdir(place) else tuple(hashes)
    return parse_requirement(f"{name} @ {url}", origin, held, Places(base=base, root=root))


def inside_archive(name: str, origin: str) -> InvalidProject:
    """The error for a project that is a directory inside an archive."""
    return InvalidProject(
        f"{origin}: {name} is a directory inside an archive, which is not supported",
        hint="name its git repository, with subdirectory",
    )
