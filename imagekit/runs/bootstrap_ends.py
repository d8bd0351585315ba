"""Runs inside the container beside the bootstrap: what is wanted only where a flow does not simply complete.

Shipped as text: nothing but the standard library, and the syntax of Python 3.8. It is a file of its own because a
container compiles the bootstrap at each start.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

from bootstrap_json import type_name  # type: ignore[import-not-found]

TYPE_CHECKING = False  # typing itself takes longer to import than all else here
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any


def missing(path: str, root: str | None) -> str:
    """Why ``path`` is no file to this user."""
    try:
        os.stat(path)
    except PermissionError:
        return f"the user {os.getuid()} may not read {path}: let others read it (chmod -R o+rX), or run as its owner"
    except OSError:
        pass
    where = "source" if root else f"image (working directory {os.getcwd()})"
    return f"there is no file {path} in the {where}"


def cancelled(error: BaseException) -> tuple[dict[str, Any], int]:
    number = getattr(error, "number", signal.SIGINT)
    return {"state": "cancelled", "signal": signal_name(number), "error": describe(error, "cancelled")}, 128 + number


def failed(error: BaseException, phase: str) -> tuple[dict[str, Any], int]:
    kind = phase
    if phase == "flow" and isinstance(error, TypeError) and not own_frames_cut(error.__traceback__):
        # Raised by the call itself, and not in the function.
        kind = "parameters"
    return {"state": "failed", "error": describe(error, kind)}, 1


def exited(error: SystemExit, phase: str) -> tuple[dict[str, Any], int]:
    """``sys.exit`` in the flow: as the interpreter would take it."""
    if error.code is None:
        code = 0
    elif isinstance(error.code, int):
        code = error.code & 0xFF
    else:
        sys.stderr.write(f"{error.code}\n")
        code = 1
    if code == 0 and phase == "flow":
        return {"state": "completed", "result": None}, 0
    problem = describe(error, "exit" if phase == "flow" else phase)
    problem["message"] = f"the flow ended with sys.exit({error.code!r})"
    if phase == "import":
        problem["message"] = f"the flow's file ended the program while it was imported: sys.exit({error.code!r})"
    return {"state": "failed", "error": problem}, code or 1


def crashed(ended_by: int, code: int, oom_kills: int) -> dict[str, Any]:
    """The outcome of a flow whose process ended without a word, by the signal ``ended_by`` (0: by itself)."""
    cause = "exit" if not ended_by else "oom" if ended_by == signal.SIGKILL and oom_kills else "signal"
    return {
        "state": "crashed",
        "cause": cause,
        "signal": signal_name(ended_by) if ended_by else None,
        "exit_code": code,
        "oom_kills": oom_kills,
    }


def serialized(value: Any, name: str) -> bytes:
    """``value`` as the serializer ``name`` (``MODULE`` or ``MODULE:NAME``, with ``dumps``) writes it."""
    import importlib

    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    if attribute:
        found = getattr(found, attribute)
    if isinstance(found, type):
        found = found()
    data = found.dumps(value)
    return data.encode() if isinstance(data, str) else bytes(data)


def describe(error: BaseException, kind: str) -> dict[str, Any]:
    tb = own_frames_cut(error.__traceback__)
    try:
        message = str(error)
    except Exception:
        message = "(the exception's own text could not be had)"
    try:
        text = "".join(traceback.format_exception(type(error), error, tb))
    except Exception:
        text = "".join(traceback.format_tb(tb))
    problem: dict[str, Any] = {"kind": kind, "type": type_name(error), "message": message, "traceback": text}
    if isinstance(error, ImportError) and error.name:
        problem["module"] = error.name
    if isinstance(error, SyntaxError):
        problem["file"], problem["line"] = error.filename, error.lineno
    else:
        while tb is not None:
            # The innermost frame that has a file.
            if not tb.tb_frame.f_code.co_filename.startswith("<"):
                problem["file"], problem["line"] = tb.tb_frame.f_code.co_filename, tb.tb_lineno
            tb = tb.tb_next
    return problem


def own_frames_cut(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is neither of a file beside this one nor of the import system."""
    own = os.path.dirname(os.path.abspath(__file__))
    # A flow's source may lie in another directory in there.
    ours = (own, os.path.join(own, "stand_in"))
    while tb is not None:
        name = tb.tb_frame.f_code.co_filename
        if os.path.dirname(name) not in ours and not name.startswith("<frozen importlib"):
            break
        tb = tb.tb_next
    return tb


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
