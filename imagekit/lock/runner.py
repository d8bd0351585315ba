"""The seam through which a resolver runs inside a base image instead of on the host.

Resolving can execute build backends (a source distribution's metadata) and pip-tools resolves
only for the interpreter it runs in. Both then run in a container of the base, which the room
above this one knows how to start; this room only says what is to be run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

DIRECTORIES = PurePosixPath("/run/imagekit/directories")  # where a base sees the ``directories`` of a call


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedInBase:
    """How a program ended that ran in the base."""

    exit_code: int
    stdout: str
    stderr: str
    outputs: Mapping[str, bytes] = field(default_factory=dict)  # those asked for that are there


class BaseRunner(Protocol):
    """Runs one program in a throw-away container of the target's base image.

    The program sees

    * a working directory of its own, which holds ``inputs`` (relative name → content);
    * ``programs`` (name → the host's executable for the base's platform) on its ``PATH``;
    * ``directories`` of the host, read-only, each at ``DIRECTORIES / name``;
    * the base's Python as ``python3`` on its ``PATH``, and in ``UV_PYTHON``;
    * the network, with the host's CA bundle, and a cache for uv and pip that outlives it.

    ``outputs`` are names below the working directory whose content is wanted back; one that the
    program did not write is left out. A program that ends with an exit code other than 0 is not
    an error here. Errors: :class:`~imagekit.errors.EngineError` and
    :class:`~imagekit.errors.BuildError` where no container could be had.
    """

    def __call__(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, bytes],
        programs: Mapping[str, Path],
        directories: Mapping[str, Path],
        outputs: Sequence[str],
    ) -> CompletedInBase: ...
