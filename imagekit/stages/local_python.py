"""An interpreter that is started on this machine: a base's own, from its unpacked files, or one of the host.

A base's starts through its own loader with its own libraries, so that nothing of the host's takes part and
no root, no container and no change of root is needed (ld.so(8)). A host's own is one that reports the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.stages.compile_client import ENVIRONMENT

# What the interpreter says of itself; the imports are those of ``compile_server.py``.
_INTRODUCTION = (
    "import sys, platform, json, concurrent.futures.process, multiprocessing, marshal, queue, struct\n"
    "print(json.dumps([sys.implementation.name, platform.python_version(), sys.implementation.cache_tag,"
    " sys.executable]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """What decides an interpreter's bytecode: equal ones compile to equal bytes."""

    implementation: str  # cpython
    version: str  # 3.11.2
    cache_tag: str  # cpython-311


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPython:
    """How to start an interpreter here."""

    argv: tuple[str, ...]  # to which its own arguments are added
    environment: Mapping[str, str]  # all of it
    directory: Path  # to start in: an import looks there
    where: str  # for people: whose it is

    def introduction(self) -> tuple[Bytecode, str] | str:
        """What it says it is, and its path; or why it does not start."""
        try:
            done = subprocess.run(
                [*self.argv, "-s", "-S", "-c", _INTRODUCTION],
                env=dict(self.environment),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        try:
            name, version, tag, path = json.loads(done.stdout)
        except ValueError:
            return done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
        return Bytecode(implementation=name, version=version, cache_tag=tag), path


def python_of_base(directory: Path, note: Mapping[str, str | list[str] | None], where: str) -> LocalPython:
    """The interpreter in an unpacked base (``unpacked.publish``); ``note`` has ``executable``, ``loader``,
    ``libraries`` and ``prefix``, all paths in the base."""
    root = directory / "root"
    executable = f"{root}{note['executable']}"
    argv: list[str] = []
    if note["loader"]:
        loader = str(note["loader"])
        libraries = ":".join(f"{root}{path}" for path in note["libraries"] or ())
        argv = [f"{root}{loader}"]
        if "musl" not in loader:
            argv.append("--inhibit-cache")  # the host's list of libraries
        argv += ["--library-path", libraries]
    environment = {
        **ENVIRONMENT,
        "PYTHONHOME": f"{root}{str(note['prefix']).rstrip('/')}",
        # Without a locale of the host's; what is compiled is read by its own declared encoding.
        "LC_ALL": "C",
        "PYTHONUTF8": "1",
        # Nothing is added to what was unpacked.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return LocalPython(argv=(*argv, executable), environment=environment, directory=directory, where=where)


def python_of_host(wanted: Bytecode, directory: Path) -> LocalPython | None:
    """A Python of this machine that compiles as ``wanted`` does: the running one, or one on the path."""
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONHOME"}
    minor = ".".join(wanted.version.split(".")[:2])
    running = Bytecode(
        implementation=sys.implementation.name,
        version=".".join(map(str, sys.version_info[:3])),
        cache_tag=sys.implementation.cache_tag or "",
    )
    candidates = [sys.executable] if running == wanted else []
    candidates += [found for name in (f"python{minor}", "python3") if (found := shutil.which(name))]
    for path in dict.fromkeys(candidates):
        # A shim needs to find what it stands for.
        home = {"PATH": os.defpath, "HOME": str(Path.home())}
        asked = LocalPython(argv=(path,), environment={**environment, **home}, directory=directory, where=path)
        answer = asked.introduction()
        if not isinstance(answer, str) and answer[0] == wanted:
            return LocalPython(argv=(answer[1],), environment=environment, directory=directory, where=answer[1])
    return None
