"""How a command ends: exit codes, errors in words or JSON, signals, a reader that went away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from types import FrameType

from imagekit.cli.output import styled
from imagekit.errors import ImagekitError, InputError

INTERRUPTED = 130
TERMINATED = 143
READER_GONE = 141  # 128 + SIGPIPE, as shells count it
INTERNAL = 70  # sysexits.h: EX_SOFTWARE

EXIT_CODES = {
    0: "all went well",
    1: "the flow failed; doctor found a fault",
    2: "bad input: nothing was started",
    3: "the engine, or a base image, is not to be had",
    4: "the requirements could not be resolved",
    5: "the image could not be built",
    6: "the health check failed",
    7: "the registry refused or failed",
    8: "the run crashed",
    70: "a fault of imagekit's own",
    124: "the run was stopped at its timeout",
    130: "interrupted, or the run was cancelled",
    141: "whoever read the output went away",
    143: "terminated",
}


class Terminated(KeyboardInterrupt):
    """SIGTERM. A ``KeyboardInterrupt``, so that all that tidies up after Ctrl-C does so here too."""


def terminate_gracefully() -> None:
    """Make SIGTERM unwind the stack, so that ``finally`` blocks run."""

    def raise_terminated(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, raise_terminated)


def end(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Say what ``error`` is, and give the exit code.

    On stderr, for people; with ``as_json`` also as one object on stdout.
    """
    if isinstance(error, Terminated):
        return _say(ImagekitError("terminated"), "Terminated", TERMINATED, as_json)
    if isinstance(error, KeyboardInterrupt):
        return _say(ImagekitError("interrupted"), "Interrupted", INTERRUPTED, as_json)
    if isinstance(error, BrokenPipeError):
        forget_stdout()
        return READER_GONE
    if debug:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    if isinstance(error, ImagekitError):
        return _say(error, type(error).__name__, error.exit_code, as_json)
    words = str(error).splitlines()[0] if str(error) else ""
    fault = ImagekitError(
        f"a fault of imagekit's own: {type(error).__name__}{': ' if words else ''}{words}",
        hint="run it again with IMAGEKIT_DEBUG=1 and report the traceback",
    )
    return _say(fault, "InternalError", INTERNAL, as_json)


def end_usage(message: str, usage: str, hint: str, *, as_json: bool) -> int:
    """A command line that does not parse."""
    _say(InputError(message, hint=hint), "UsageError", InputError.exit_code, as_json, before=usage)
    return InputError.exit_code


def forget_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def _say(error: ImagekitError, kind: str, code: int, as_json: bool, *, before: str = "") -> int:
    if before:
        _line(before)
    if kind in ("Terminated", "Interrupted"):
        _line(error.message)
    else:
        _line(f"{styled('error:', '1;31', sys.stderr)} {error.message}")
    for line in (error.details or "").rstrip().splitlines():
        _line(f"  {line}")
    if error.hint:
        _line(f"{styled('hint:', '1;36', sys.stderr)} {error.hint}")
    if as_json:
        try:
            print(json.dumps({**error.to_json(), "error": kind, "exit_code": code}), flush=True)
        except BrokenPipeError:
            forget_stdout()
    return code


def _line(text: str) -> None:
    if sys.stderr is None:
        return
    # What other programs said may hold what a terminal's encoding has not.
    encoding = sys.stderr.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)
