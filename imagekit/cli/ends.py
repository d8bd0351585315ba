"""How a command ends: exit codes, errors in words or JSON, signals, a reader that went away."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from typing import Any

from imagekit.cli.exit_codes import INTERNAL, INTERRUPTED, READER_GONE, TERMINATED
from imagekit.cli.output import one_line, styled
from imagekit.cli.signals import Terminated
from imagekit.errors import DiskFull, ImagekitError, InputError

_NO_ROOM = 1 << 20  # bytes


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

        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        _line(_shown(lines).rstrip())
    if isinstance(error, ImagekitError):
        return _say(error, type(error).__name__, error.exit_code, as_json)
    if isinstance(error, OSError) and _is_disk_full(error):
        place = error.filename or _full_place()
        where = f": {place}" if place else ""
        _keep_stdout()
        full = DiskFull(f"no space left on the device{where}", hint="imagekit doctor shows how much is free where")
        return _say(full, "DiskFull", full.exit_code, as_json)
    words = str(error).splitlines()[0] if str(error) else ""
    fault = ImagekitError(
        f"a fault of imagekit's own: {type(error).__name__}{': ' if words else ''}{words}",
        hint="run it again with IMAGEKIT_DEBUG=1 and report the traceback",
    )
    return _say(fault, "InternalError", INTERNAL, as_json)


def end_usage(error: Any, ctx: Any, *, as_json: bool) -> int:
    """A command line that does not parse (Click's ``UsageError``)."""
    where = getattr(error, "ctx", None) or ctx
    if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        _line(where.get_help())
        return InputError.exit_code
    words = InputError(error.format_message(), hint=f"{where.command_path} --help tells what it takes")
    return _say(words, "UsageError", InputError.exit_code, as_json, before=where.get_usage())


def _full_place() -> str | None:
    """The directory of temporary files, where that has no room: what is written there has no name to tell."""
    import shutil
    import tempfile

    try:
        directory = tempfile.gettempdir()
        return directory if shutil.disk_usage(directory).free < _NO_ROOM else None
    except OSError as error:
        # Not even the smallest file could be made in any directory for them.
        return os.environ.get("TMPDIR") if error.errno == errno.ENOENT or _is_disk_full(error) else None


def _is_disk_full(error: OSError) -> bool:
    from imagekit.atomic import is_disk_full

    return is_disk_full(error)


def _keep_stdout() -> None:
    """Forget stdout if it is what cannot be written."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        forget_stdout()


def forget_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def _say(error: ImagekitError, kind: str, code: int, as_json: bool, *, before: str = "") -> int:
    if before:
        _line(before)
    if kind not in ("Terminated", "Interrupted"):
        error.message = _shown(error.message)
        error.hint = _shown(error.hint) if error.hint else error.hint
        error.details = _shown(error.details) if error.details else error.details
    if kind in ("Terminated", "Interrupted"):
        _line(error.message)
    else:
        _line(f"{styled('error:', '1;31', sys.stderr)} {one_line(error.message)}")
    problems = error.problems if isinstance(error, InputError) else ()
    hint = styled("hint:", "1;36", sys.stderr)
    if len({problem.hint for problem in problems}) > 1:
        # What mends one does not mend the others.
        for problem in problems:
            _line(f"  {one_line(_shown(problem.message))}")
            if problem.hint:
                _line(f"    {hint} {one_line(_shown(problem.hint))}")
    else:
        for line in (error.details or "").rstrip().splitlines():
            _line(f"  {one_line(line)}")
        if error.hint:
            _line(f"{hint} {one_line(error.hint)}")
    if as_json:
        try:
            print(json.dumps({**error.to_json(), "error": kind, "exit_code": code}), flush=True)
        except OSError:
            # A reader that went away, or the full disk that the error is about: stderr has been told.
            forget_stdout()
    return code


def _shown(text: str) -> str:
    """What was mistyped may be a credential, and the error repeats it."""
    from imagekit.secrets.redaction import without_credentials

    return without_credentials(text)


def _line(text: str) -> None:
    if sys.stderr is None:
        return
    # What other programs said may hold what a terminal's encoding has not.
    encoding = sys.stderr.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)
