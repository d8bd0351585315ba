"""Runs inside a built image and reports what it finds; judging is done outside.

This file is shipped as text beside the run's ``bootstrap.py``, so it imports nothing but the
standard library and that, and keeps to the syntax of Python 3.8. Started as
``python probe_program.py REQUEST REPORT`` it reads ``{"entrypoints": [[path, function], …],
"deadline": seconds, "closely": bool}`` and writes a JSON report. Each entrypoint is imported in a process of its
own (``python probe_program.py --import PATH FUNCTION REPORT``), so that the crash or hang of one is
its own. With ``closely`` also what the entrypoint's file imports later is looked for, and what the console scripts
call is loaded (``python probe_program.py --scripts REQUEST REPORT``), and not called.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The end of what an entrypoint printed while it was imported, in bytes.
TAIL = 4000
# Seconds that one console script may take to load, and all of them together.
SCRIPT_SECONDS = 30.0
SCRIPTS_SECONDS = 180.0


def main(request_path: str, report_path: str) -> None:
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    # The entrypoints' imports take longest: they run while the rest is looked at.
    started = [begin_import(path, name, report_path, n) for n, (path, name) in enumerate(request["entrypoints"])]
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "markers": markers(),
        "distributions": distributions(),
        "scripts": broken_scripts(),
        "entrypoints": [],
    }
    until = time.monotonic() + request["deadline"]
    for item in started:
        report["entrypoints"].append(end_import(item, until, request["deadline"]))
    if request.get("closely"):
        report["started"] = start_scripts(report_path + ".scripts")
    write(report_path, report)


def write(path: str, report: Any) -> None:
    with open(path + ".aside", "w", encoding="ascii") as file:
        json.dump(report, file)
    os.rename(path + ".aside", path)


def markers() -> dict[str, str]:
    """The PEP 508 marker environment."""
    info = sys.implementation.version
    implementation = f"{info.major}.{info.minor}.{info.micro}"
    if info.releaselevel != "final":
        implementation += info.releaselevel[0] + str(info.serial)
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": implementation,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def distributions() -> list[dict[str, Any]]:
    """Every installed distribution, in the order of the import path: of two of a name the first counts."""
    from importlib import metadata

    found = []
    for distribution in metadata.distributions():
        entry: dict[str, Any] = {"location": os.path.realpath(str(distribution.locate_file("")))}
        try:
            entry.update(
                name=distribution.metadata["Name"],
                version=distribution.version,
                requires=list(distribution.requires or ()),
                scripts=[e.name for e in distribution.entry_points if e.group in ("console_scripts", "gui_scripts")],
            )
        except Exception as error:
            entry.update(name=None, version=None, error=f"{type(error).__name__}: {error}")
        found.append(entry)
    return found


def broken_scripts() -> list[dict[str, str]]:
    """Scripts of a virtual environment whose interpreter is not there."""
    if sys.prefix == sys.base_prefix:
        # What lies in the system's own directories is not of our making.
        return []
    directory = sysconfig.get_path("scripts")
    broken = []
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if not os.path.isfile(path):
            if os.path.islink(path) and not os.path.exists(path):
                broken.append({"path": path, "interpreter": os.readlink(path)})
            continue
        with open(path, "rb") as file:
            head = file.read(1024)
        if not head.startswith(b"#!"):
            continue
        lines = head.decode("utf-8", "replace").splitlines()
        words = lines[0][2:].split()
        program = words[0] if words else ""
        if program == "/bin/sh" and len(lines) > 1 and lines[1].startswith("'''exec' "):
            # How an installer writes an interpreter that is too long for the kernel, or has spaces.
            program = lines[1][len("'''exec' ") :].split(' "$0"')[0].strip().strip('"')
        elif os.path.basename(program) == "env" and len(words) > 1 and not words[1].startswith("-"):
            program = shutil.which(words[1]) or words[1]
        if not os.access(program, os.X_OK):
            broken.append({"path": path, "interpreter": program})
    return broken


def begin_import(path: str, name: str, report_path: str, number: int) -> dict[str, Any]:
    place = f"{report_path}.{number}"
    with open(place + ".output", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--import", path, name, place],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return {"path": path, "function": name, "process": process, "place": place, "started": time.monotonic()}


def end_import(item: dict[str, Any], until: float, deadline: float) -> dict[str, Any]:
    process, place = item["process"], item["place"]
    hung = False
    try:
        process.wait(max(until - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        hung = True
    try:
        # With whatever it started.
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        hung = hung and process.poll() is None
    process.wait()
    answer: dict[str, Any] = {"path": item["path"], "function": item["function"]}
    if hung:
        answer["error"] = {"kind": "hang", "message": f"its import had not ended after {deadline:g} s"}
    elif os.path.exists(place):
        with open(place, encoding="ascii") as file:
            answer.update(json.load(file))
    else:
        code = process.returncode
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        answer["error"] = {"kind": "crash", "message": f"the process that imported it ended with {how}"}
    with open(place + ".output", "rb") as file:
        file.seek(max(os.path.getsize(place + ".output") - TAIL, 0))
        answer["output"] = file.read().decode("utf-8", "replace")
    return answer


def import_one(path: str, name: str, place: str) -> None:
    """Import one entrypoint as a run would, and say how that went."""
    import bootstrap  # type: ignore[import-not-found]

    started = time.monotonic()
    answer: dict[str, Any] = {"error": None}
    try:
        bootstrap.load(path, name)
    except bootstrap.Refused as error:
        answer["error"] = {"kind": "entrypoint", "message": str(error)}
    except SystemExit as error:
        message = f"the file ended the program while it was imported: sys.exit({error.code!r})"
        answer["error"] = dict(bootstrap.describe(error, "exit"), message=message)
    except BaseException as error:
        answer["error"] = bootstrap.describe(error, "import")
    answer["seconds"] = time.monotonic() - started
    if answer["error"] is None:
        answer["absent"] = absent_imports(path)
    write(place, answer)
    sys.stdout.flush()
    # Threads that the import started would keep the process.
    os._exit(0)


def absent_imports(path: str) -> list[str]:
    """Modules that the file imports somewhere, in a function say, and that are not there."""
    import ast
    import importlib.util

    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return []
    absent = []
    for name in sorted(imported_names(tree)):
        try:
            there = name in sys.modules or importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            there = False
        if not there:
            absent.append(name)
    return absent


def imported_names(node: Any) -> set[str]:
    """Top-level modules of absolute imports, but for those whose failure is reckoned with."""
    import ast

    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module.partition(".")[0]} if node.module and not node.level else set()
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Try) and node.handlers:
        # One of several ways to have it.
        children = [*node.orelse, *node.finalbody]
    elif isinstance(node, ast.If):
        # TYPE_CHECKING, a version, a platform.
        children = [child for child in children if not isinstance(child, (ast.Import, ast.ImportFrom))]
    found: set[str] = set()
    for child in children:
        found |= imported_names(child)
    return found


def start_scripts(place: str) -> list[dict[str, Any]]:
    """Each console script, and the error that it would not start with; ``None`` where it would."""
    from importlib import metadata

    rest = []
    for distribution in metadata.distributions():
        for entry in distribution.entry_points:
            # One with an extra in brackets is not meant to work without that.
            if entry.group == "console_scripts" and "[" not in entry.value:
                rest.append([distribution.metadata["Name"], entry.name, entry.value])
    results: list[dict[str, Any]] = []
    until = time.monotonic() + SCRIPTS_SECONDS
    while rest and time.monotonic() < until:
        found, whole = load_scripts(rest, place, until)
        results += [{"package": rest[n][0], "script": rest[n][1], "error": error} for n, error in enumerate(found)]
        rest = [] if whole else rest[len(found) :]
    untried = {"kind": "time", "message": "there was no time left to try it"}
    return results + [{"package": package, "script": script, "error": untried} for package, script, _ in rest]


def load_scripts(rest: list[list[str]], place: str, until: float) -> tuple[list[Any], bool]:
    """Their errors as far as one process comes, and whether that is all of them."""
    with open(place + ".request", "w", encoding="ascii") as file:
        json.dump(rest, file)
    open(place, "w").close()
    process = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--scripts", place + ".request", place],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    size, since = 0, time.monotonic()
    hung = False
    while True:
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            if os.path.getsize(place) != size:
                size, since = os.path.getsize(place), now
            elif now - since > SCRIPT_SECONDS or now > until:
                hung = True
                break
    with contextlib.suppress(OSError):
        # With whatever it started.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with open(place, encoding="ascii") as file:
        found = [json.loads(line) for line in file if line.endswith("\n")]
    if len(found) >= len(rest):
        return found, True
    if hung:
        found.append({"kind": "hang", "message": f"its import had not ended after {SCRIPT_SECONDS:g} s"})
    else:
        code = process.returncode
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        found.append({"kind": "crash", "message": f"the process that imported it ended with {how}"})
    return found, False


def load_all(request_path: str, place: str) -> None:
    """Load what each script would call; a line of JSON for each."""
    import importlib

    import bootstrap

    with open(request_path, encoding="ascii") as file:
        scripts = json.load(file)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != own]
    with open(place, "a", encoding="ascii") as out:
        for _, name, value in scripts:
            sys.argv[:] = [name]
            error = None
            try:
                module, _, attribute = value.partition(":")
                found: Any = importlib.import_module(module.strip())
                for part in filter(None, attribute.strip().split(".")):
                    found = getattr(found, part)
            except SystemExit as ended:
                message = f"its module ended the program while it was imported: sys.exit({ended.code!r})"
                error = {"kind": "exit", "type": "SystemExit", "message": message}
            except BaseException as raised:
                described = bootstrap.describe(raised, "import")
                error = {key: described.get(key) for key in ("kind", "type", "message", "module")}
            out.write(json.dumps(error) + "\n")
            out.flush()
    # Threads that imports started would keep the process.
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--import":
        import_one(*sys.argv[2:5])
    elif sys.argv[1] == "--scripts":
        load_all(sys.argv[2], sys.argv[3])
    else:
        main(sys.argv[1], sys.argv[2])
