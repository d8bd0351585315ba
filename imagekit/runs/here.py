"""What a run has of the process that it is asked for in: its functions, its streams, and its machine's memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from imagekit.errors import InvalidEntrypoint
from imagekit.spec.entrypoint import Entrypoint
from imagekit.wrong_type import wrong_type


def memory_here(engine_address: str) -> int | None:
    """Bytes that a run may have where nothing is said: nine tenths of this machine's, so that it is the run that ends.

    Of an engine elsewhere nothing is known.
    """
    if not engine_address.startswith("unix:"):
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 9 // 10
    except (ValueError, OSError):
        return None


def to_own_streams(stream: int, data: bytes) -> None:
    """Output as it comes, to this process's standard output and error."""
    target = sys.stdout if stream == 1 else sys.stderr
    # Text streams without bytes below (a notebook's, a test's) get text.
    buffer = getattr(target, "buffer", None)
    if buffer is not None:
        buffer.write(data)
    else:
        target.write(data.decode(errors="replace"))
    target.flush()


def entrypoint_of(flow: Callable[..., Any]) -> str:
    """``PATH.py:FUNCTION`` of a function, or of a Prefect flow, below the working directory."""
    function = getattr(flow, "fn", flow)
    code = getattr(function, "__code__", None)
    if code is None:
        hint = "pass a function, or 'PATH.py:FUNCTION'"
        if not callable(function):
            raise wrong_type(flow, "the flow", "a function, or its place as a string", hint)
        raise InvalidEntrypoint(f"{function!r} is no function written in Python", hint=hint)
    path = os.path.relpath(os.path.realpath(code.co_filename), os.path.realpath(os.getcwd()))
    return str(Entrypoint.parse(f"{path}:{function.__qualname__}"))
