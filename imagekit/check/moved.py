"""What a passed health check says of an image in which only versions of packages moved. Pure.

Without entrypoints the check imports nothing of a package: it looks at the interpreter, at what the packages' metadata
says, and at scripts. So of an image that passed, and of one whose wheels alone are others, with the same names and
files at the same places of the import path, the answer can be told without starting a container.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import Any

from packaging.utils import canonicalize_name

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_AT_START = ("sitecustomize", "usercustomize")
_SCRIPTS = ("console_scripts", "gui_scripts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A wheel that took another's place, as the check would find it."""

    version: str
    requires: tuple[str, ...]
    scripts: tuple[str, ...]  # of its entry points

    @classmethod
    def of(cls, name: str, metadata: str, entry_points: str) -> Moved:
        """From the ``METADATA`` and ``entry_points.txt`` of the wheel of ``name``.

        Raises ``ValueError`` where they are not its own, or could be read otherwise than here.
        """
        headers = HeaderParser().parsestr(metadata)
        version = headers["Version"]
        if version is None or canonicalize_name(headers["Name"] or "") != name:
            raise ValueError("METADATA is not this package's")
        # As strict as the strictest that reads them in an image (importlib.metadata of Python 3.8 and 3.9).
        parser = ConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(entry_points)
            names = [entry for group in parser.sections() for entry, _ in parser.items(group) if group in _SCRIPTS]
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return cls(version=version, requires=tuple(headers.get_all("Requires-Dist") or ()), scripts=tuple(names))

    def to_json(self) -> dict[str, Any]:
        """As the probe has it."""
        return {"version": self.version, "requires": list(self.requires), "scripts": list(self.scripts)}


def may_touch_others(reached: Iterable[str]) -> bool:
    """Whether one of these places does more than hold a package: what it says decides what the interpreter finds."""
    return any(top.endswith((".pth", ".egg-info")) or top.partition(".")[0] in _AT_START for top in reached)


def reach(paths: Iterable[str], site: str) -> frozenset[str]:
    """Where the files at ``paths`` can be met: the first part of those below ``site``, and each other path whole.

    Directories of metadata are not among them.
    """
    inside = f"{site}/"
    found = set()
    for path in paths:
        top = path[len(inside) :].partition("/")[0] if path.startswith(inside) else f"/{path}"
        if not top.endswith(".dist-info"):
            found.add(top)
    return frozenset(found)


def foretold(answer: Mapping[str, Any], moved: Mapping[str, Moved]) -> dict[str, Any] | None:
    """The probe's answer for an image in which ``moved`` (by normalized name) took the place of what ``answer`` has.

    ``None`` where one of ``moved`` was not there exactly once.
    """
    names: list[str] = [canonicalize_name(entry["name"] or "") for entry in answer["distributions"]]
    if any(names.count(name) != 1 for name in moved):
        return None
    distributions = [
        {**entry, **(moved[name].to_json() if name in moved else {})}
        for name, entry in zip(names, answer["distributions"], strict=True)
    ]
    return {**answer, "distributions": distributions}


def concerning(answer: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """``answer`` without those requirements that are neither of ``names`` nor about them: what is to be judged anew."""
    distributions = [
        entry
        if canonicalize_name(entry["name"] or "") in names
        else {**entry, "requires": [text for text in entry.get("requires", ()) if _is_about(text, names)]}
        for entry in answer["distributions"]
    ]
    return {**answer, "distributions": distributions}


def _is_about(requirement: str, names: Collection[str]) -> bool:
    found = _NAME.match(requirement)
    return found is not None and canonicalize_name(found[1]) in names
