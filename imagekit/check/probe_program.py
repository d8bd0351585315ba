"""Runs inside a built image and reports what it finds; judging is done outside.

This file is shipped as text beside the run's ``bootstrap.py``, so it imports nothing but the
standard library and that, and keeps to the syntax of Python 3.8. Started as
``python probe_program.py REQUEST REPORT`` it reads ``{"entrypoints": [[path, function], …],
"deadline": seconds}`` and writes a JSON report. Each entrypoint is imported in a process of its
own (``python probe_program.py --import PATH FUNCTION REPORT``), so that the crash or hang of one is
its own.
"""

from __future__ import annotations

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
    write(place, answer)
    sys.stdout.flush()
    # Threads that the import started would keep the process.
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--import":
        import_one(*sys.argv[2:5])
    else:
        main(sys.argv[1], sys.argv[2])
