"""Starting a container with the Python that the image has."""

from __future__ import annotations

from imagekit.engine.containers import Container
from imagekit.errors import BaseUnusable, EngineError

# Debian's own Python has no command of the first name.
PYTHONS = ("python", "python3")

# A program of ours needs no privileges, and neither does a flow.
SAFE_DEFAULTS = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "PidsLimit": 4096,
}


class NoSuchProgram(Exception):
    """The image has no program of that name on its PATH."""


def start(container: Container, reference: str, python: str) -> None:
    """Start it; ``NoSuchProgram`` where another of ``PYTHONS`` is to be tried, ``BaseUnusable`` after the last.

    Raises ``EngineError`` in plain words where a GPU was asked for and there is none.
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
        if "executable file not found" not in error.message:
            raise
        if python != PYTHONS[-1]:
            raise NoSuchProgram(python) from None
        raise BaseUnusable(
            f"{reference} has no Python on its PATH", hint="use an image that has python or python3 on its PATH"
        ) from error
