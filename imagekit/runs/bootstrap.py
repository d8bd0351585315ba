"""Runs inside the container: calls the flow and writes down how it went.

This file is shipped as text, so it imports nothing but the standard library and keeps to
the syntax of Python 3.8. It is started as ``python bootstrap.py [REQUEST OUTCOME]``: a JSON file
``{"path", "function", "parameters", "serializer"}`` and the file to write, by default
``request.json`` and ``out/outcome.json`` beside this one.

Two processes: the first one (the container's process 1) passes signals on, reaps what the flow
leaves behind and, where the flow's process dies without a word, writes down of what. The
second one runs the flow, so that ``os._exit``, a segmentation fault, or the kernel's
out-of-memory killer still have somebody to tell of them.

The outcome's ``state`` is ``completed``, ``failed``, ``cancelled`` (SIGTERM or SIGINT, after
the flow's ``finally`` blocks) or ``crashed``. A result must be JSON, unless the request names
another serializer, which then writes ``result`` beside the outcome: tuples become lists, keys must
be strings, and NaN and the infinities are refused.

When all is over the first process writes ``end.json`` beside the outcome: the exit code of the
flow's process, the processor time and the most memory that the container used.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False  # typing itself takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
STOPPING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """Raised in the flow by SIGTERM and SIGINT, so that ``finally`` blocks run."""

    def __init__(self, number: int) -> None:
        KeyboardInterrupt.__init__(self, f"stopped by {signal.Signals(number).name}")
        self.number = number


class NotJson(Exception):
    """A value that JSON cannot hold; ``where`` is its place in the result."""

    def __init__(self, message: str, kind: str, where: str) -> None:
        Exception.__init__(self, message)
        self.kind = kind
        self.where = where


class Refused(Exception):
    """The request cannot be carried out: there is no such file or function."""


def main(request_path: str, outcome_path: str) -> None:
    from bootstrap_system import end_document, oom_kills, put, signal_name  # type: ignore[import-not-found]

    # Signals wait until both processes have said what to do with them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = os.fork()
    if child == 0:
        sys.exit(flow_process(request_path, outcome_path))
    for number in SIGNALS:
        signal.signal(number, lambda n, _: pass_on(child, n))
    started = time.time()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    if os.WIFSIGNALED(status):
        ended_by = os.WTERMSIG(status)
        code = 128 + ended_by
    else:
        ended_by = 0
        code = os.WEXITSTATUS(status)
    if not os.path.exists(outcome_path):
        kills = oom_kills()
        cause = "exit" if not ended_by else "oom" if ended_by == signal.SIGKILL and kills else "signal"
        write(
            outcome_path,
            {
                "state": "crashed",
                "cause": cause,
                "signal": signal_name(ended_by) if ended_by else None,
                "exit_code": code,
                "oom_kills": kills,
                "started": started,
                "ended": time.time(),
                "python": sys.version.split()[0],
            },
        )
    put(os.path.join(os.path.dirname(outcome_path), "end.json"), end_document(code))
    # Not sys.exit: there is nothing of the flow's in this process to end.
    os._exit(code)


def pass_on(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except OSError:
        return  # it has ended just now


def flow_process(request_path: str, outcome_path: str) -> int:
    """Run the flow and write the outcome; the exit code."""
    for number in SIGNALS:
        signal.signal(number, stop if number in STOPPING else signal.SIG_DFL)
    import json

    from bootstrap_system import oom_kills

    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    # As at a terminal: a line is seen when it is written, not when 8 KiB are full; and it is
    # seen whole, which PYTHONUNBUFFERED alone does not give: print writes its line's end by itself.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, write_through=False)
    sys.argv[:] = [request["path"]]
    started, process = time.time(), os.getpid()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        outcome, code = carry_out(request, os.path.join(os.path.dirname(outcome_path), "result"))
    except Stopped as stopped:
        # Between two blocks of carry_out, or before it.
        outcome, code = cancelled(stopped)
    if os.getpid() != process:
        # A child that the flow forked came back from it: how the flow went is not its to say.
        flush()
        os._exit(code)
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    outcome.update(started=started, ended=time.time(), python=sys.version.split()[0], exit_code=code)
    kills = oom_kills()
    if kills:
        outcome["oom_kills"] = kills
    flush()
    write(outcome_path, outcome)
    # What the flow registered (atexit, threads) ends as in any program; a second signal ends it now.
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    return code


def stop(number: int, _: object) -> None:
    raise Stopped(number)


def cancelled(error: BaseException) -> tuple[dict[str, Any], int]:
    from bootstrap_system import signal_name

    number = getattr(error, "number", signal.SIGINT)
    return {"state": "cancelled", "signal": signal_name(number), "error": describe(error, "cancelled")}, 128 + number


def carry_out(request: dict[str, Any], result_path: str) -> tuple[dict[str, Any], int]:
    """Import the flow, call it, look at what it returns: ``(outcome, exit code)``."""
    from bootstrap_system import put

    phase = "import"
    try:
        function = load(request["path"], request["function"])
        phase = "flow"
        result = call(function, request["parameters"])
        phase = "result"
        name = request.get("serializer", "json")
        if name != "json":
            put(result_path, serialized(result, name))
            return {"state": "completed", "serializer": name}, 0
        return {"state": "completed", "result": plain(result, "result", set())}, 0
    except NotJson as error:
        return unwritten(error.kind, error.where, str(error)), 1
    except RecursionError as error:
        if phase == "result":
            message = "the result is nested deeper than JSON can be written here"
            return unwritten(None, "result", message), 1
        return failed(error, phase)
    except Refused as error:
        return {"state": "failed", "error": {"kind": "entrypoint", "type": None, "message": str(error)}}, 1
    except SystemExit as error:
        return exited(error, phase)
    except KeyboardInterrupt as error:
        return cancelled(error)
    except BaseException as error:
        return failed(error, phase)


def unwritten(kind: str | None, where: str, message: str) -> dict[str, Any]:
    problem = {"kind": "result-not-serializable", "type": kind, "where": where, "message": message}
    return {"state": "failed", "error": problem}


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


def load(path: str, name: str) -> Callable[..., Any]:
    """The function ``name`` of the file ``path``, which is relative to the working directory."""
    import importlib
    import importlib.util

    here = os.getcwd()
    path = os.path.join(here, path)
    if not os.path.isfile(path):
        raise Refused(f"there is no file {path} in the image (working directory {here})")
    path = os.path.realpath(path)
    directory, filename = os.path.split(path)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != own]
    for entry in (here, directory):
        if entry not in sys.path[:2]:
            sys.path.insert(0, entry)
    # A file of a package is imported as the module that it is, so that relative imports work.
    parts = [os.path.splitext(filename)[0]]
    root = directory
    while os.path.isfile(os.path.join(root, "__init__.py")) and root not in (here, os.path.dirname(root)):
        root, package = os.path.split(root)
        parts.insert(0, package)
    if len(parts) > 1:
        if root not in sys.path:
            sys.path.insert(0, root)
        module = importlib.import_module(".".join(parts))
    else:
        # A file called json.py must not take the place of the module that is there already.
        module_name = parts[0] if parts[0] not in sys.modules else "flow_" + parts[0]
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise Refused(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise Refused(f"{path} has no function {name}")
        found = getattr(found, part)
    if not callable(found):
        raise Refused(f"{name} in {path} is not a function, but a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def call(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Call it; whatever can be awaited (an async function, an async Prefect flow) is."""
    result = function(**parameters)
    if hasattr(result, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited())
    return result


def plain(value: Any, where: str, open_ones: set[int]) -> Any:
    """``value`` in JSON's own types, or ``NotJson`` that says where it is not."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise NotJson(f"{where} is {number!r}, which JSON cannot hold", "float", where)
        return number
    if isinstance(value, (list, tuple, dict)):
        if id(value) in open_ones:
            raise NotJson(f"{where} contains itself, which JSON cannot hold", type_name(value), where)
        open_ones.add(id(value))
        if isinstance(value, dict):
            copy: Any = {}
            for key, item in value.items():
                if not isinstance(key, str):
                    message = f"{where} has the key {repr(key)[:80]}, a {type_name(key)}: JSON's keys are strings"
                    raise NotJson(message, type_name(key), where)
                copy[key] = plain(item, f"{where}[{repr(key)[:80]}]", open_ones)
        else:
            copy = [plain(item, f"{where}[{n}]", open_ones) for n, item in enumerate(value)]
        open_ones.discard(id(value))
        return copy
    raise NotJson(f"{where} is a {type_name(value)}, which JSON cannot hold", type_name(value), where)


def serialized(value: Any, name: str) -> bytes:
    """``value`` as the serializer ``name`` (``MODULE`` or ``MODULE:NAME``, with ``dumps``) writes it."""
    import importlib

    try:
        module, _, attribute = name.partition(":")
        found: Any = importlib.import_module(module)
        if attribute:
            found = getattr(found, attribute)
        if isinstance(found, type):
            found = found()
        data = found.dumps(value)
    except Exception as error:
        message = f"the result is a {type_name(value)}, which {name} cannot write: {type(error).__name__}: {error}"
        raise NotJson(message, type_name(value), "result") from error
    return data.encode() if isinstance(data, str) else bytes(data)


def type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def own_frames_cut(tb: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is neither of this directory nor of the import system."""
    own = os.path.dirname(os.path.abspath(__file__)) + os.sep
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith((own, "<frozen importlib")):
        tb = tb.tb_next
    return tb


def describe(error: BaseException, kind: str) -> dict[str, Any]:
    import traceback

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


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # Who reads it is gone; the flow closed it, or put something else in its place.
            continue


def write(path: str, outcome: dict[str, Any]) -> None:
    """The outcome as JSON."""
    import json

    from bootstrap_system import put

    try:
        # Escaped to ASCII, so that a lone surrogate in a message survives.
        data = json.dumps(outcome, allow_nan=False)
    except ValueError as error:
        # An integer of more digits than the interpreter will print.
        outcome = {**outcome, **unwritten("int", "result", str(error)), "exit_code": 1}
        outcome.pop("result", None)
        data = json.dumps(outcome, allow_nan=False)
    put(path, data)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    given = sys.argv[1:] or [os.path.join(here, "request.json"), os.path.join(here, "out", "outcome.json")]
    main(given[0], given[1])
