"""Canaries: credentials that are looked for in all that a command leaves behind, and in what it does meanwhile."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

from imagekit.engine.client import Engine

PIECE = 1 << 24
_END_OF_ZIP = b"PK\x05\x06"


class Canaries:
    """Credentials of one sweep. Each has a part that no other thing on the machine has, and characters to encode."""

    def __init__(self) -> None:
        self.mark = f"Zq{secrets.token_hex(8)}"
        self._named: dict[str, str] = {}
        self._forms = sorted(_forms_of(self.mark))

    def new(self, name: str) -> str:
        self._named[name] = f"{self.mark}/{name}+&{secrets.token_hex(4)}"
        return self._named[name]

    def __getitem__(self, name: str) -> str:
        return self._named[name]

    def watch(self, value: str) -> None:
        """Look for a value that was not made here, too."""
        self._forms = sorted({*self._forms, *_forms_of(value)})

    def forms(self) -> list[bytes]:
        """What is looked for: the mark, which stays as it is in a URL, and all of each in base64 and URL-encoded."""
        return self._forms

    def which(self, data: bytes) -> str:
        """The name of a canary in ``data``, for the test's own report."""
        for name, value in self._named.items():
            for form in (value.encode(), quote(value, safe="").encode(), *_in_base64(value)):
                if form in data:
                    return name
        return "some"


def _forms_of(text: str) -> set[bytes]:
    return {*_in_base64(text), text.encode(), quote(text, safe="").encode(), quote_plus(text).encode()}


def _in_base64(text: str) -> Iterator[bytes]:
    """The characters of base64 that depend on ``text`` alone, at each alignment."""
    data = text.encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield encoded[first:last]


class Sweep:
    """Finds canaries; as a context manager, also in what processes and temporary directories show meanwhile."""

    def __init__(self, canaries: Canaries, temporary: Path) -> None:
        self.canaries = canaries
        self.found: list[str] = []
        self.samples = 0
        self._temporary = temporary
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Sweep:
        self._ended.clear()
        self._forms = self.canaries.forms()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join()

    def look(self, where: str, data: bytes | str) -> None:
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for form in self.canaries.forms():
            if (at := data.find(form)) >= 0:
                which = self.canaries.which(data[max(0, at - 200) : at + 400])
                self.found.append(f"{where}: {which} canary: …{data[max(0, at - 60) : at + 30]!r}")

    def look_through(self, where: str, pieces: Iterable[bytes]) -> bool:
        """As ``look``, in what comes in pieces; whether the end of a zip archive is in it."""
        before, is_zip = b"", False
        for piece in pieces:
            data = before + piece
            self.look(where, data)
            is_zip = is_zip or _END_OF_ZIP in data
            before = piece[-200:]
        return is_zip

    def look_below(self, directory: Path, *, but: Iterable[Path] = ()) -> int:
        """In every file below ``directory``, its name, and the members of zip archives; how many files there are."""
        excluded, number = {os.path.realpath(path) for path in but}, 0
        for root, directories, names in os.walk(directory):
            for name in (*directories, *names):
                self.look(f"the name {root}/{name}", name)
            for name in names:
                path = Path(root, name)
                if (excluded and os.path.realpath(path) in excluded) or not path.is_file() or path.is_symlink():
                    continue
                number += 1
                # What cannot be read to its end is tried as an archive all the same.
                is_zip = True
                with suppress(OSError), open(path, "rb") as stream:
                    is_zip = self.look_through(str(path), iter(lambda stream=stream: stream.read(PIECE), b""))  # type: ignore[misc]
                if is_zip:
                    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
                        for member in archive.namelist():
                            self.look(f"{path}!{member}", archive.read(member))
        return number

    def look_into_engine(self, address: str, references: Iterable[str]) -> None:
        """What an engine tells of images and of BuildKit's cache."""

        def docker(*words: str) -> bytes:
            done = subprocess.run(["docker", "--host", address, *words], capture_output=True)
            return done.stdout + done.stderr

        for reference in references:
            self.look(f"inspect {reference}", docker("image", "inspect", reference))
            self.look(f"history {reference}", docker("history", "--no-trunc", reference))
            with Engine.connect(address) as engine:
                self.look_through(f"save {reference}", engine.save(reference))
        self.look("buildx du", docker("buildx", "du", "--verbose"))
        self.look("system events", docker("info", "--format", "{{json .}}"))

    def _sample(self) -> None:
        own = str(os.getpid())
        while not self._ended.is_set():
            for entry in os.scandir("/proc"):
                if entry.name.isdigit() and entry.name != own:
                    with suppress(OSError), open(f"{entry.path}/cmdline", "rb") as stream:
                        self._look_quickly(f"the arguments of process {entry.name}", stream.read())
            for root, _, names in os.walk(self._temporary):
                for name in names:
                    path = os.path.join(root, name)
                    with suppress(OSError):
                        # A fifo would not end, and what is large is looked at when it is over.
                        if os.path.isfile(path) and os.path.getsize(path) < 1 << 20:
                            with open(path, "rb") as stream:
                                self._look_quickly(f"{path} while it was there", stream.read())
            self.samples += 1
            time.sleep(0.02)

    def _look_quickly(self, where: str, data: bytes) -> None:
        if any(form in data for form in self._forms):
            self.look(where, data)


def saw_itself() -> None:
    """That the sweep finds what is there: each form, in each place."""
    canaries = Canaries()
    value = canaries.new("itself")
    for before in range(3):
        for data in (
            b"x" * before + value.encode(),
            base64.b64encode(b"x" * before + value.encode()),
            quote(value, safe="").encode(),
            json.dumps({"a": value}).encode(),
        ):
            sweep = Sweep(canaries, Path("/nowhere"))
            sweep.look("data", data)
            assert sweep.found, data
    with tempfile.TemporaryDirectory() as directory:
        # Packed, and behind what is no archive: it is not in the file as it is.
        path = Path(directory, "archive")
        path.write_bytes(b"#!/bin/sh\n")
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as out:
            out.writestr("a", "x" * 1000 + value)
        sweep = Sweep(canaries, Path("/nowhere"))
        assert sweep.look_below(path.parent) == 1
        assert [found.partition(": ")[0] for found in sweep.found] == [f"{path}!a"]
    program = "import sys, time; time.sleep(1)"
    with Sweep(canaries, Path("/nowhere")) as sweep:
        subprocess.run([sys.executable, "-c", program, value], check=True)
    assert any("the arguments of process" in found for found in sweep.found)
