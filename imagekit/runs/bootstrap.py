"""Runs inside the container: calls the flow and writes down how it went.

This file is shipped as text, so it imports nothing but the standard library and keeps to
the syntax of Python 3.8. It is started as ``python bootstrap.py [REQUEST OUTCOME]``: a JSON file
``{"path", "function", "parameters", "serializer"}`` and the file to write, by default
``request.json`` and ``out/outcome.json`` beside this one. Where the source is not the image's, the request has
``"root"``, too, the directory that the path is below, and ``"imports"``, directories below that to import from.
``"options"`` are those that the flow's ``with_options`` is called with.

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

import gc
import os
import sys
import time

try:
    # Without the names of signals, whose enumeration takes as long to import as the interpreter to start.
    import _signal as signal  # type: ignore[import-not-found]
except ImportError:
    import signal

from bootstrap_json import NotJson, Written, json_text, parsed, type_name  # type: ignore[import-not-found]
from bootstrap_usage import end_document, oom_kills  # type: ignore[import-not-found]

TYPE_CHECKING = False  # typing itself takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
STOPPING = (signal.SIGTERM, signal.SIGINT)
LARGEST_RESULT = (1 << 28) - (1 << 16)  # bytes; the outcome has some more
# Beside the outcome, as long as there is none: room for it on a disk that is full by then.
RESERVE, RESERVED = "reserve", 1 << 14
NO_SPACE = (28, 122)  # errno.ENOSPC and, of a quota, EDQUOT
FEW_COLLECTIONS = (500_000, 10, 10)  # gc.set_threshold's


class Stopped(KeyboardInterrupt):
    """Raised in the flow by SIGTERM and SIGINT, so that ``finally`` blocks run."""

    def __init__(self, number: int) -> None:
        import signal

        KeyboardInterrupt.__init__(self, f"stopped by {signal.Signals(number).name}")
        self.number = number


class Refused(Exception):
    """The request cannot be carried out: there is no such file or function."""


def main(request_path: str, outcome_path: str) -> None:
    # Signals wait until both processes have said what to do with them.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    spare = os.path.join(os.path.dirname(outcome_path), RESERVE)
    reserve(spare)
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
        outcome = ends().crashed(ended_by, code, oom_kills())
        write(outcome_path, dict(outcome, started=started, ended=time.time(), python=version()))
    try:
        put(os.path.join(os.path.dirname(outcome_path), "end.json"), end_document(code), synced=False)
        os.unlink(spare)
    except OSError:
        pass  # the outcome is what counts
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
    with open(request_path, encoding="ascii") as file:
        request = parsed(file.read())
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
        outcome, code = ends().cancelled(stopped)
    if os.getpid() != process:
        # A child that the flow forked came back from it: how the flow went is not its to say.
        flush()
        os._exit(code)
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    outcome.update(started=started, ended=time.time(), python=version(), exit_code=code)
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


def carry_out(request: dict[str, Any], result_path: str) -> tuple[dict[str, Any], int]:
    """Import the flow, call it, look at what it returns: ``(outcome, exit code)``."""
    phase = "import"
    try:
        with FewerCollections():
            function = load(request["path"], request["function"], request.get("root"), request.get("imports", ()))
        if "options" in request:
            function = changed(function, request["options"])
        phase = "flow"
        result = call(function, request["parameters"])
        phase = "result"
        name = request.get("serializer", "json")
        if name != "json":
            return serialize(result, name, result_path)
        text = json_text(result, "result", set())
        if len(text) > LARGEST_RESULT:
            return unwritten(type_name(result), "result", too_large(len(text))), 1
        return {"state": "completed", "result": Written(text)}, 0
    except NotJson as error:
        return unwritten(error.kind, error.where, str(error)), 1
    except RecursionError as error:
        if phase == "result":
            message = "the result is nested deeper than JSON can be written here"
            return unwritten(None, "result", message), 1
        return ends().failed(error, phase)  # type: ignore[no-any-return]
    except Refused as error:
        return {"state": "failed", "error": {"kind": "entrypoint", "type": None, "message": str(error)}}, 1
    except SystemExit as error:
        return ends().exited(error, phase)  # type: ignore[no-any-return]
    except KeyboardInterrupt as error:
        return ends().cancelled(error)  # type: ignore[no-any-return]
    except BaseException as error:
        return ends().failed(error, phase)  # type: ignore[no-any-return]


class FewerCollections:
    """Imports make what stays: looking through it for cycles again and again takes a fifth of an import of Prefect's.

    What the flow's modules set themselves, stays.
    """

    def __enter__(self) -> None:
        self.before = gc.get_threshold()
        gc.set_threshold(*FEW_COLLECTIONS)
        self.meanwhile = gc.get_threshold()  # Python 3.14 knows two of the three

    def __exit__(self, *_: object) -> None:
        if gc.get_threshold() == self.meanwhile:
            gc.set_threshold(*self.before)


def serialize(result: Any, name: str, path: str) -> tuple[dict[str, Any], int]:
    try:
        data = ends().serialized(result, name)
        if len(data) > LARGEST_RESULT:
            return unwritten(type_name(result), "result", too_large(len(data))), 1
        put(path, data)
    except Exception as error:
        kind = type_name(result)
        message = f"the result is of the type {kind}, which {name} cannot write: {type(error).__name__}: {error}"
        return unwritten(kind, "result", message), 1
    return {"state": "completed", "serializer": name}, 0


def too_large(size: int) -> str:
    return f"the result is of {size} bytes, and {LARGEST_RESULT} are the most"


def unwritten(kind: str | None, where: str, message: str) -> dict[str, Any]:
    problem = {"kind": "result-not-serializable", "type": kind, "where": where, "message": message}
    return {"state": "failed", "error": problem}


def ends() -> Any:
    """``bootstrap_ends``, from beside this file, where nothing of the flow's is found."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, own)
    try:
        import bootstrap_ends  # type: ignore[import-not-found]
    finally:
        sys.path.remove(own)
    return bootstrap_ends


def describe(error: BaseException, kind: str) -> dict[str, Any]:
    """What is to be told of an exception."""
    return ends().describe(error, kind)  # type: ignore[no-any-return]


def load(
    path: str, name: str, root: str | None = None, imports: list[str] | tuple[str, ...] = ()
) -> Callable[..., Any]:
    """The function ``name`` of the file ``path``, which is relative to ``root``, by default the working directory."""
    import importlib

    here = root or os.getcwd()
    path = os.path.join(here, path)
    if not os.path.isfile(path):
        raise Refused(ends().missing(path, root))
    path = os.path.realpath(path)
    directory, filename = os.path.split(path)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != own]
    stem = os.path.splitext(filename)[0]
    if stem in getattr(sys, "stdlib_module_names", ("json", "re", "signal")):
        # A file called json.py must not take the place of the module that others mean.
        importlib.import_module(stem)
    for entry in [os.path.join(here, each) for each in imports] + [here, directory]:
        if entry not in sys.path[:2]:
            sys.path.insert(0, entry)
    # A flow's file may import imagekit, which its image need not have.
    sys.path.append(os.path.join(own, "stand_in"))
    # A file of a package is imported as the module that it is, so that relative imports work.
    parts = [stem]
    root = directory
    while os.path.isfile(os.path.join(root, "__init__.py")) and root not in (here, os.path.dirname(root)):
        root, package = os.path.split(root)
        parts.insert(0, package)
    if len(parts) > 1:
        if root not in sys.path:
            sys.path.insert(0, root)
        module = importlib.import_module(".".join(parts))
    else:
        module_name = "flow_" + parts[0] if parts[0] in sys.modules else parts[0]
        spec_from_file_location, module_from_spec = module_makers()
        spec = spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise Refused(f"{path} is not a Python file")
        module = module_from_spec(spec)
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


def changed(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    """The flow with what was deployed of it otherwise than its file has it."""
    if not hasattr(function, "with_options"):
        import importlib

        # The image's own, or what stands in for it; nothing else of this package is there.
        function = importlib.import_module("imagekit").flow(function)
    return function.with_options(**options)  # type: ignore[no-any-return, attr-defined]


def module_makers() -> tuple[Any, Any]:
    """``spec_from_file_location`` and ``module_from_spec`` of ``importlib.util``, which imports much besides."""
    import importlib

    try:
        return importlib._bootstrap_external.spec_from_file_location, importlib._bootstrap.module_from_spec
    except AttributeError:
        import importlib.util

        return importlib.util.spec_from_file_location, importlib.util.module_from_spec


def call(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """Call it; whatever can be awaited (an async function, an async Prefect flow) is."""
    result = function(**parameters)
    if hasattr(result, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited())
    return result


def version() -> str:
    return sys.version.split()[0]


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # Who reads it is gone; the flow closed it, or put something else in its place.
            continue


def write(path: str, outcome: dict[str, Any]) -> None:
    put(path, json_text(outcome, "outcome", set(), lone=True))


def put(path: str, data: str | bytes, *, synced: bool = True) -> None:
    """All of it or none: written aside, synced, renamed."""
    aside = f"{path}.{os.getpid()}"
    content = data.encode("ascii") if isinstance(data, str) else data
    try:
        fill(aside, "wb", content, synced)
    except OSError as error:
        spare = os.path.join(os.path.dirname(path), RESERVE)
        if error.errno not in NO_SPACE or len(content) > RESERVED or not os.path.exists(spare):
            raise
        if os.path.exists(aside):
            os.unlink(aside)
        fill(spare, "r+b", content, synced)
        aside = spare
    os.rename(aside, path)


def fill(path: str, mode: str, content: bytes, synced: bool) -> None:
    with open(path, mode) as file:
        file.write(content)
        file.truncate()
        if synced:
            file.flush()
            os.fsync(file.fileno())


def reserve(path: str) -> None:
    try:
        fill(path, "wb", bytes(RESERVED), synced=False)
    except OSError:
        return  # where there is no room now, there may be some at the end


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    given = sys.argv[1:] or [os.path.join(here, "request.json"), os.path.join(here, "out", "outcome.json")]
    main(given[0], given[1])
