"""What a run is asked for, checked and put into files for the bootstrap."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.runs.own_directory import DIRECTORY, OUT
from imagekit.spec.entrypoint import Entrypoint, check_json
from imagekit.wrong_type import wrong_type

BOOTSTRAP = f"{DIRECTORY}/bootstrap.py"
REQUEST = f"{DIRECTORY}/request.json"
OUTCOME = f"{OUT}/outcome.json"
# Names in OUT.
OUTCOME_FILE = "outcome.json"
END_FILE = "end.json"
RESULT_FILE = "result"
# Bytes of it, and of the outcome; the bootstrap refuses to write more.
LARGEST_RESULT = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A flow and its parameters, checked as far as that can be done from outside."""

    path: str
    function: str
    parameters: str  # JSON object
    serializer: str = "json"  # of the result: json, pickle, PACKAGE.MODULE:NAME
    root: str = ""  # the directory in the container that the path is below; by default the working directory
    imports: tuple[str, ...] = ()  # below that: where modules are imported from, too
    options: tuple[tuple[str, Any], ...] = ()  # what the flow's with_options is called with

    @classmethod
    def of(
        cls,
        entrypoint: Entrypoint | str,
        parameters: Mapping[str, Any] | None,
        *,
        serializer: str = "json",
        options: Mapping[str, Any] | None = None,
    ) -> Request:
        """Raises ``InvalidEntrypoint`` or ``InvalidParameters``."""
        if isinstance(entrypoint, str):
            entrypoint = Entrypoint.parse(entrypoint)
        check_json(parameters or {})
        return cls(
            path=entrypoint.path,
            function=entrypoint.function,
            parameters=json.dumps(dict(parameters or {}), allow_nan=False),
            serializer=serializer,
            options=tuple((options or {}).items()),
        )

    @property
    def entrypoint(self) -> str:
        return f"{self.path}:{self.function}"

    @property
    def given(self) -> dict[str, Any]:
        """The parameters, as JSON has them."""
        found: dict[str, Any] = json.loads(self.parameters)
        return found

    def files(self) -> dict[str, bytes]:
        """What is to be put into ``DIRECTORY``."""
        return {**program_sources(), "request.json": self._document()}

    def _document(self) -> bytes:
        head: dict[str, Any] = {"path": self.path, "function": self.function, "serializer": self.serializer}
        if self.root:
            head |= {"root": self.root, "imports": list(self.imports)}
        if self.options:
            head["options"] = dict(self.options)
        # The parameters were serialized when they were checked.
        return f'{json.dumps(head)[:-1]}, "parameters": {self.parameters}}}'.encode("ascii")


@cache
def program_sources() -> dict[str, bytes]:
    """The bootstrap and what it imports, by their names beside it."""
    names = ("bootstrap.py", "bootstrap_json.py", "bootstrap_ends.py", "bootstrap_usage.py")
    found = {name: (Path(__file__).parent / name).read_bytes() for name in names}
    # In a directory of its own, which is looked into last.
    return {**found, "stand_in/imagekit.py": (Path(__file__).parent / "stand_in.py").read_bytes()}


def new_name(function: str) -> str:
    """``imagekit-run-FLOW-xxxxxx``, of a run whose name nobody chose."""
    flow = re.sub(r"[^a-z0-9]+", "-", function.lower()).strip("-")[:40].strip("-")
    return f"imagekit-run-{flow or 'flow'}-{secrets.token_hex(3)}"


def check_environment(env: Mapping[str, str]) -> None:
    """Raises ``InputError`` for a name or value that no environment can hold."""
    for key, value in env.items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key or any(c.isspace() for c in key):
            raise InputError(f"{key!r} is not an environment variable's name", hint="use letters, digits and '_'")
        if not isinstance(value, str):
            raise wrong_type(value, f"the environment variable {key}", "a string", f"write {{{key!r}: '…'}}")
        if "\0" in value or not _is_utf8(key + value):
            raise InputError(
                f"the environment variable {key!a} has a NUL or no valid text (UTF-8) in it", hint="pass it as a file"
            )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
