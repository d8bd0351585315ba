"""What is put into the container before it starts: the bootstrap and the request.

Everything lies in one directory of our own at the root, ``/.imagekit``: ``/tmp`` and ``/run`` may be
covered by a tmpfs, which neither takes files before the start nor gives them back after the end.
The files can be read by any user, and ``out`` can be written by any, as the image's user is not
known by number. Where the root filesystem is read-only, an anonymous volume is mounted there.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.spec.entrypoint import Entrypoint, check_json

DIRECTORY = "/.imagekit"
BOOTSTRAP = f"{DIRECTORY}/bootstrap.py"
REQUEST = f"{DIRECTORY}/request.json"
OUTCOME = f"{DIRECTORY}/out/outcome.json"

# What the engine accepts as a container's name (Docker's RestrictedNamePattern).
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A flow and its parameters, checked as far as that can be done from outside."""

    path: str
    function: str
    parameters: str  # JSON object

    @classmethod
    def of(cls, entrypoint: Entrypoint | str, parameters: Mapping[str, Any] | None) -> Request:
        """Raises ``InvalidEntrypoint`` or ``InvalidParameters``."""
        if isinstance(entrypoint, str):
            entrypoint = Entrypoint.parse(entrypoint)
        check_json(parameters or {})
        return cls(
            path=entrypoint.path,
            function=entrypoint.function,
            parameters=json.dumps(dict(parameters or {}), allow_nan=False),
        )

    def archive(self, directory: str) -> bytes:
        """A tar to unpack at ``/`` or, where it is there already, at ``DIRECTORY``."""
        files = {"bootstrap.py": bootstrap_source(), "request.json": self._document()}
        return _archive(posixpath.relpath(DIRECTORY, directory), files)

    def _document(self) -> bytes:
        head = json.dumps({"path": self.path, "function": self.function})
        # The parameters were serialized when they were checked.
        return f'{head[:-1]}, "parameters": {self.parameters}}}'.encode("ascii")


@cache
def bootstrap_source() -> bytes:
    return (Path(__file__).parent / "bootstrap.py").read_bytes()


def _archive(top: str, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, mode in ((top, 0o755), (f"{top}/out", 0o1777)):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            archive.addfile(directory)
        for name, content in files.items():
            file = tarfile.TarInfo(f"{top}/{name}")
            file.size, file.mode = len(content), 0o444
            archive.addfile(file, io.BytesIO(content))
    return buffer.getvalue()


def container_name(given: str | None, function: str) -> str:
    """The name that was given, or ``imagekit-run-FLOW-xxxxxx``. Raises ``InputError``."""
    if given is None:
        flow = re.sub(r"[^a-z0-9]+", "-", function.lower()).strip("-")[:40].strip("-")
        return f"imagekit-run-{flow or 'flow'}-{secrets.token_hex(3)}"
    if not _NAME.fullmatch(given):
        raise InputError(
            f"{given!r} is not a container's name", hint="use letters, digits, '_', '.' and '-', two at least"
        )
    return given


def check_environment(env: Mapping[str, str]) -> None:
    """Raises ``InputError`` for a name or value that no environment can hold."""
    for key, value in env.items():
        if not key or "=" in key or "\0" in key or any(c.isspace() for c in key):
            raise InputError(f"{key!r} is not an environment variable's name", hint="use letters, digits and '_'")
        if "\0" in value:
            raise InputError(f"the value of the environment variable {key} holds a NUL byte")
