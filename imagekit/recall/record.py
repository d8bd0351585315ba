"""What a build saw and came to, kept for the next one of the same command.

A record is found by all that decides a build besides files and the engine: the arguments, the
directory, the environment, and imagekit's own code.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.notes import from_note, to_note
from imagekit.recall.seen import Sights

FORMAT = 3
MOST = 500  # records that stay, as many as in a cache directory that is pruned
_ROOM = 50  # so that not every build takes one away
# Terminals and shells change these from one command to the next, and no build asks for them.
_PASSING = frozenset(
    """_ COLUMNS LINES OLDPWD PWD SHLVL TERM TERM_PROGRAM TERM_PROGRAM_VERSION TERM_SESSION_ID WINDOWID COLORTERM
    SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_AUTH_SOCK TMUX TMUX_PANE STY XDG_SESSION_ID NO_COLOR""".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One build: what was seen, what the engine had at its end, and what was printed."""

    sights: Sights
    engine: str  # its address
    deadline: float  # seconds
    reference: str
    image_id: str
    bases: Mapping[str, str]  # IDs of the base, and of what conda's packages and recipes made of it, by their names
    lacking: Sequence[str]  # base images that would have gone before it
    may_lose: bool  # the engine's image store may lose a part of an image and not know
    result: Mapping[str, Any]  # the build's --json
    shown: Mapping[str, Any]  # how the command shows it: project, as_json, quiet, verbose
    asked: Sequence[str | None]  # the name and the tag that were asked for
    resolved: Any  # the specification, the base and the lock, encoded; None where a source edit changes more

    def write(self, path: Path) -> None:
        value = {
            "format": FORMAT,
            "sights": self.sights.to_json(),
            **{name: getattr(self, name) for name in _PLAIN},
        }
        write_record(path, value)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record at ``path``; ``None`` where there is none, or none of ours."""
        try:
            value = from_note(path.read_bytes())
            if value["format"] != FORMAT:
                return None
            return cls(sights=Sights.from_json(value["sights"]), **{name: value[name] for name in _PLAIN})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


_PLAIN = (
    "engine",
    "deadline",
    "reference",
    "image_id",
    "bases",
    "lacking",
    "may_lose",
    "result",
    "shown",
    "asked",
    "resolved",
)


def write_record(path: Path, value: Mapping[str, Any]) -> None:
    """Put ``value`` at ``path``; of many records beside it the newest stay."""
    write_whole(path, to_note(value))
    # Where the configuration has another cache directory, nothing else prunes this one.
    with suppress(OSError):
        beside = [other for other in path.parent.iterdir() if other.suffix == ".json"]
        if len(beside) >= MOST + _ROOM:
            beside.sort(key=lambda other: other.stat().st_mtime)
            for other in beside[:-MOST]:
                other.unlink(missing_ok=True)


def record_path(arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Where the record of a command in this directory lies.

    Under the user's cache, wherever the layers are: the configuration, which may move those, is not read yet.
    """
    chosen = environ.get("IMAGEKIT_CACHE_DIR") or ""
    if not chosen.startswith("/"):
        above = environ.get("XDG_CACHE_HOME") or ""
        chosen = f"{above if above.startswith('/') else os.path.expanduser('~/.cache')}/imagekit"
    decisive = [
        list(arguments),
        # What is named may be a link that leads elsewhere the next time.
        [os.path.realpath(word.rpartition("=")[2]) for word in arguments],
        os.getcwd(),
        sorted((name, value) for name, value in environ.items() if name not in _PASSING),
        os.getuid() if hasattr(os, "getuid") else 0,
        sys.version,
        _code(),
    ]
    name = hashlib.sha256(json.dumps(decisive).encode("utf-8", "surrogateescape")).hexdigest()
    return Path(chosen) / "builds" / f"{name}.json"


def _code() -> list[tuple[str, int, int]]:
    """imagekit's own modules, by size and time: another version, or an edited one, has other records."""
    root = str(Path(__file__).parents[1])
    found = []
    for directory in (root, *(entry.path for entry in os.scandir(root) if entry.is_dir())):
        for entry in os.scandir(directory):
            if entry.name.endswith(".py"):
                state = entry.stat()
                found.append((entry.path[len(root) :], state.st_size, state.st_mtime_ns))
    return sorted(found)
