"""Starting a container with the Python that the image has."""

from __future__ import annotations

import re

from imagekit.engine.containers import Container
from imagekit.errors import BaseUnusable, EngineError, InputError

# Debian's own Python has no command of the first name.
PYTHONS = ("python", "python3")

# A program of ours needs no privileges, and neither does a flow.
SAFE_DEFAULTS = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "PidsLimit": 4096,
}
# What runc says of a program that it cannot start (os/exec's errors), with the engine's words before it.
_UNSTARTABLE = re.compile(
    r'exec: "(?P<program>.*)": (?:(?P<missing>executable file not found|stat .*: no such file)|permission denied)'
)


class NoSuchProgram(Exception):
    """The image has no program of that name on its PATH."""


def start(container: Container, reference: str, python: str, *, is_own: bool = False) -> None:
    """Start it; ``NoSuchProgram`` where another of ``PYTHONS`` is to be tried, ``BaseUnusable`` after the last.

    ``is_own``: what it starts is the run's own command. ``InputError`` where that, or an entrypoint, cannot be
    started; ``EngineError`` in plain words where a GPU was asked for and there is none.
    """
    try:
        container.start()
    except EngineError as error:
        if "could not select device driver" in error.message or "nvidia-container-cli" in error.message:
            raise EngineError(
                "the engine has nothing that gives GPUs to containers",
                hint="install the NVIDIA Container Toolkit where the engine runs, or leave gpus out",
                details=error.message,
            ) from error
        found = _UNSTARTABLE.search(error.message)
        if found is None:
            raise
        program = found["program"]
        if is_own or program != python or not found["missing"]:
            lacks = "has no program" if found["missing"] else "does not let this user execute"
            raise InputError(
                f"{reference} {lacks} {program!r}",
                hint="name a program of the image, or leave the command out: Python is started then",
            ) from None
        if python != PYTHONS[-1]:
            raise NoSuchProgram(python) from None
        raise BaseUnusable(
            f"{reference} has no Python on its PATH", hint="use an image that has python or python3 on its PATH"
        ) from error
