"""Seeing which files and directories a build reads, by the interpreter's own audit events (PEP 578)."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagekit.recall.seen import Sights


class Watch:
    """What this process opens and lists from now on, but below ``aside`` directories.

    An audit hook stays for the process's life, so there is one watch in a process.
    """

    def __init__(self, aside: list[Path]) -> None:
        # Where modules are, and no more of a prefix: a project may lie below /usr, or in its own environment.
        modules = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        own = {*modules, "/proc", "/sys", "/dev", str(Path(__file__).parents[1]), *map(str, aside)}
        self._aside = tuple(f"{path.rstrip('/')}/" for path in own)
        self._files: set[str] = set()
        self._source: set[str] = set()
        self._directories: set[str] = set()
        self._on = True
        self._in_source = False
        sys.addaudithook(self._note)

    @contextmanager
    def reading_source(self) -> Iterator[None]:
        """What is opened in this block is the project's source, unless it is opened outside it too."""
        self._in_source = True
        try:
            yield
        finally:
            self._in_source = False

    def end(self) -> None:
        """What is read from here on decides nothing any more."""
        self._on = False

    def sights(self, *, asked_for: Iterable[Path], listed: Iterable[Path], aside: Iterable[Path]) -> Sights:
        """What was read, as it is now; the watch ends.

        ``asked_for`` are files that may have been looked for without being opened, ``listed`` directories
        in which names were. ``aside`` are directories that were not known to be so when the watch began.
        """
        self.end()
        own = tuple(f"{path}/" for path in aside)
        read, directories = (
            {name for name in names if not f"{name}/".startswith(own)} for names in (self._files, self._directories)
        )
        return Sights.of({*read, *map(str, asked_for)}, self._source, {*directories, *map(str, listed)})

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = arguments[0]
        if isinstance(path, int) or path is None:
            return
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        name = os.path.abspath(os.fsdecode(path))
        if name.startswith(self._aside):
            return
        if event != "open":
            self._directories.add(name)
        elif self._in_source:
            self._source.add(name)
        else:
            self._files.add(name)
