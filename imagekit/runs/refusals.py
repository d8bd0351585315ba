"""What the engine says of settings that it does not take: bad input, and nothing was started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imagekit.errors import EngineError, InputError

# Words of moby's (daemon/daemon_unix.go, daemon/create.go, volume/mounts, moby/sys/user) and what is to be done.
_HINTS = (
    ("capability", "see capabilities(7): --cap-add NET_ADMIN"),
    ("Range of CPUs", "give at most what the engine's machine has"),
    ("matching entries in", "name one that the image has, or a number: --user 1000:1000"),
    ("source path does not exist", "make it where the engine runs, or correct the path"),
    ("No such container", "docker ps lists those that run"),
    ("network", "docker network ls lists those that are there"),
)
# The API's word for what was asked wrongly, and for a network or container that is not there.
_REFUSED = (400, 404)
# What it calls a fault of its own (500), and is none.
_FAULTS = ("no matching entries in", "invalid --security-opt")


@contextmanager
def refusals() -> Iterator[None]:
    """``InputError`` instead of ``EngineError`` where the engine refused the settings."""
    try:
        yield
    except EngineError as error:
        is_meant = error.status in _REFUSED or any(words in error.message for words in _FAULTS)
        if type(error) is not EngineError or not is_meant:
            raise
        hint = next((hint for words, hint in _HINTS if words in error.message), "correct the run's settings")
        raise InputError(f"the engine refused the run's settings: {error.message}", hint=hint) from error
