"""Bytecode without an engine: ``compile_server.py`` in a process of this machine.

By the base's own interpreter, from its unpacked files, where this processor runs it. Else by another one of
the same implementation and full version, which compiles to the same bytes: that of another base, or the host's.
Else there is none, and a word that says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import BaseUnusable
from imagekit.oci.content import ImageContent
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.base import BaseImage
from imagekit.stages.compile_client import ALONE, ServedCompiler, server_program
from imagekit.stages.local_python import Bytecode, LocalPython, python_of_base, python_of_host
from imagekit.stages.probe_files import unpacked_base, unpacked_store

_HINT = "imagekit cache prune --all empties the whole cache, this interpreter too; then build again"


class ProcessCompiler(ServedCompiler):
    """A ``layers.bytecode.Compiler`` in a process of ours, which ends with us."""

    def __init__(self, python: LocalPython) -> None:
        super().__init__(name=python.where, hint=_HINT)
        self._python = python

    def start(self) -> _InProcess:
        return _InProcess(self._python)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What compiles for a base, if anything does, and a word on it worth showing."""

    compiler: ProcessCompiler | None
    word: str | None = None


class _InProcess:
    """The server as a process; a ``compile_client.Server``.

    It is a session of its own, so that its own processes can be ended with it, and a Ctrl-C is for us alone.
    When this process is killed, its input ends, and so does it.
    """

    def __init__(self, python: LocalPython) -> None:
        self._where = python.where
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        try:
            self._process = subprocess.Popen(
                [*python.argv, *ALONE, server_program()],
                env=dict(python.environment),
                cwd=python.directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise BaseUnusable(f"{python.where} does not start: {error}", hint=_HINT) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._watcher = threading.Thread(target=self._watch, name="imagekit-compile-end", daemon=True)
        self._watcher.start()

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._input.write(rest) :]
        except (OSError, ValueError) as error:
            raise BaseUnusable(f"{self._where} stopped while compiling bytecode", hint=_HINT) from error

    def frames(self) -> Iterator[tuple[int, bytes]]:
        while piece := self._output.read(1 << 18):
            yield 1, piece
        self._errors.seek(0)
        while piece := self._errors.read(1 << 18):
            yield 2, piece

    def _watch(self) -> None:
        """End the processes of its pool when it has ended: they would hold its streams open, and wait for ever."""
        with contextlib.suppress(OSError):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self.break_off()

    def break_off(self) -> None:
        # Not reaped before the end, so its number is still its own; its pool is of its group.
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.break_off()
        self._watcher.join()
        self._process.wait()
        self._input.close()


def compiler_here(
    base: BaseImage,
    content: ImageContent,
    cache: Path,
    reporter: Reporter | None = None,
    *,
    same_here: Callable[[], ImageContent | None] = lambda: None,
) -> Compilation:
    """What compiles for ``base``, whose ``content`` is at hand, on this machine.

    ``same_here`` is asked for the base's sibling for this machine's platform (of the same image index) where
    the base's own interpreter does not run here, and there is no other of the same version yet.
    """
    reporter = reporter or SilentReporter()
    python = base.python
    wanted = Bytecode(implementation=python.implementation, version=python.version, cache_tag=python.cache_tag)
    reason = f"{base.config.platform} programs do not run here"
    if base.config.platform.architecture == Platform.host().architecture and sys.platform == "linux":
        found = _of_base(content, base.reference, wanted, cache, reporter)
        if isinstance(found, LocalPython):
            return Compilation(compiler=ProcessCompiler(found))
        reason = f"its own Python does not start here ({found})"
    other = _stand_in(wanted, cache, same_here, base.reference, reporter)
    if other is not None:
        word = f"{reason}: bytecode is compiled by the same CPython {python.version} of {other.where}"
        return Compilation(compiler=ProcessCompiler(other), word=word)
    word = f"{reason}, and there is no other CPython {python.version} here: no bytecode for {base.reference}"
    return Compilation(compiler=None, word=word)


def _of_base(
    content: ImageContent, reference: str, wanted: Bytecode, cache: Path, reporter: Reporter
) -> LocalPython | str:
    """The interpreter of ``content``, seen to start; or why not."""
    answer: tuple[Bytecode, str] | str = ""
    for attempt in (1, 2):
        directory = unpacked_base(content, reference, cache, reporter)
        python = _kept(directory, wanted)
        if python is not None:
            answer = python.introduction()
            if not isinstance(answer, str) and answer[0] == wanted:
                return python
        if attempt == 1:
            # What lies there may have been damaged since: it is unpacked once more.
            shutil.rmtree(directory, ignore_errors=True)
    return answer.strip().rpartition("\n")[2] if isinstance(answer, str) else f"it says it is {answer[0].version}"


def _stand_in(
    wanted: Bytecode, cache: Path, same_here: Callable[[], ImageContent | None], reference: str, reporter: Reporter
) -> LocalPython | None:
    """Another one that compiles as ``wanted`` does: of a base unpacked before, the host's, the base's sibling's."""
    store = unpacked_store(cache)
    for note in sorted(store.glob("*/note.json")):
        python = _kept(note.parent, wanted)
        answer = python.introduction() if python is not None else ""
        if python is not None and not isinstance(answer, str) and answer[0] == wanted:
            return python
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    hosts = python_of_host(wanted, store)
    if hosts is not None:
        return hosts
    sibling = same_here()
    found = _of_base(sibling, reference, wanted, cache, reporter) if sibling is not None else None
    return found if isinstance(found, LocalPython) else None


def _kept(directory: Path, wanted: Bytecode) -> LocalPython | None:
    """The interpreter that lies unpacked in ``directory``, if it is for this machine and the one ``wanted``."""
    try:
        note = json.loads((directory / "note.json").read_bytes())
        same = (note["version"], note["cache_tag"]) == (wanted.version, wanted.cache_tag)
        if not same or note["machine"] != Platform.host().machine:
            return None
        mark_used(directory / "note.json", directory.parents[1])
        return python_of_base(directory, note, f"{note['reference']} for {Platform.host()}")
    except (OSError, ValueError, KeyError, TypeError):
        return None
