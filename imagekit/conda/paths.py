"""What a package says of its files: which there are, and in which the prefix is written. Pure.

Sources: ``info/paths.json`` (CEP 34), and what older packages have in its place: ``info/files``,
``info/has_prefix`` and ``info/no_link``; ``info/link.json`` of noarch packages (CEP 34).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagekit.conda.package_file import CondaFile, Member
from imagekit.errors import CondaRefused

TEXT, BINARY = "text", "binary"
HARD, SOFT = "hardlink", "softlink"
# Where has_prefix names none (conda's source, ``PREFIX_PLACEHOLDER``); in two parts, as there: it is looked for.
_PLACEHOLDER = "/opt/anaconda1anaconda2" + "anaconda3"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePath:
    """One file of a package."""

    member: Member
    kind: str  # hardlink (a file), softlink
    placeholder: str = ""  # the prefix that is written in it
    mode: str = ""  # text or binary, where there is a placeholder
    no_link: bool = False

    @property
    def path(self) -> str:
        return self.member.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Noarch:
    """What a noarch package of Python's asks of who installs it."""

    entry_points: tuple[str, ...]  # name = module:function


def package_paths(package: CondaFile) -> tuple[PackagePath, ...]:
    """The files of ``package``, by their paths. Raises ``CondaRefused``."""
    document = package.json("paths.json")
    members = package.members
    try:
        found = _listed(document, members) if document is not None else _of_old(package, members)
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeError) as error:
        words = f"{error} is not in it" if isinstance(error, KeyError) else str(error)
        raise CondaRefused(f"{package.filename}: its list of files does not fit: {words}") from error
    return tuple(sorted(found, key=lambda each: each.path))


def _listed(document: Mapping[str, Any], members: Mapping[str, Member]) -> list[PackagePath]:
    found = []
    for entry in document["paths"]:
        kind = str(entry.get("path_type", HARD))
        if kind == "directory":
            continue
        member = members[entry["_path"]]
        placeholder = str(entry.get("prefix_placeholder") or "")
        found.append(
            PackagePath(
                member=member,
                kind=SOFT if member.link is not None else HARD,
                placeholder=placeholder,
                mode=_mode(str(entry.get("file_mode") or TEXT)) if placeholder else "",
                no_link=bool(entry.get("no_link")),
            )
        )
    return found


def _of_old(package: CondaFile, members: Mapping[str, Member]) -> list[PackagePath]:
    replaced: dict[str, tuple[str, str]] = {}
    for line in _lines(package, "has_prefix"):
        words = shlex.split(line)
        if len(words) == 3:
            replaced[words[2]] = (words[0], _mode(words[1]))
        else:
            replaced[words[0] if len(words) == 1 else line] = (_PLACEHOLDER, TEXT)
    no_link = set(_lines(package, "no_link"))
    names = _lines(package, "files") if package.info("files") is not None else sorted(members)
    return [
        PackagePath(
            member=members[name],
            kind=SOFT if members[name].link is not None else HARD,
            placeholder=replaced.get(name, ("", ""))[0],
            mode=replaced.get(name, ("", ""))[1],
            no_link=name in no_link,
        )
        for name in names
    ]


def _lines(package: CondaFile, name: str) -> list[str]:
    text = (package.info(name) or b"").decode()
    return [line.strip() for line in text.splitlines() if line.strip()]


def _mode(text: str) -> str:
    if text not in (TEXT, BINARY):
        raise ValueError(f"file mode {text!r}")
    return text


def noarch_of(package: CondaFile) -> Noarch | None:
    """What a noarch package of Python's says; ``None`` for any other package."""
    index = package.json("index.json") or {}
    document = package.json("link.json") or {}
    noarch = document.get("noarch")
    kind = noarch.get("type") if isinstance(noarch, dict) else None
    if "python" not in (kind, index.get("noarch")):
        return None
    points = noarch.get("entry_points") if isinstance(noarch, dict) else None
    return Noarch(entry_points=tuple(str(point) for point in points or ()))
