"""What is said of one public project: how it is read, and what its image ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.errors import ImagekitError, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What resolving and building comes to: an image that passed its check, or ``error``.

    The error's message begins with the first of ``says``, the others stand somewhere in the error.
    """

    error: type[ImagekitError] | None = None
    says: tuple[str, ...] = ()

    @property
    def built(self) -> bool:
        return self.error is None


BUILT = End()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unless:
    """Another end where this machine's index does not have ``requirement`` (yet), or does not reach ``host``."""

    requirement: str = ""  # NAME and a specifier
    host: str | None = None
    ends: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One project, read with ``arguments`` for an image with ``python``.

    Either it is read: ``count`` requirements, among them those of ``has`` (each with the place that it comes from).
    Or it is ``refused``: the message begins with the first of ``says``, the others stand somewhere in the error.
    """

    project: str  # a directory here
    arguments: Mapping[str, Any] = field(default_factory=dict)  # of read_spec
    python: str = "3.11"
    why: str  # what the row is here for; of a refusal, why it is right
    config: str | None = None  # an imagekit.toml that is put beside the project's own files
    count: int = 0
    has: Mapping[str, str] = field(default_factory=dict)  # by requirement how its origin begins; ROOT: the file: URL
    hasnt: tuple[str, ...] = ()  # the beginnings of requirements that must not be there
    constraints: int = 0
    lock: str | None = None
    conda: int = 0  # packages that are asked of conda, the row's Python among them
    built: bool = False  # the project itself must be built in the base
    refused: type[InputError] | None = None
    problems: int = 1
    says: tuple[str, ...] = ()
    # What the lock has for Linux on x86-64 and the row's Python, told without an index: versions that are among it.
    locked: int | None = None
    versions: tuple[str, ...] = ()
    # The second level (make corpus).
    members: tuple[str, ...] = ()  # of the workspace, built and installed as the packages are
    ends: End | None = BUILT  # None: not tried, and ``why`` says why
    unless: tuple[Unless, ...] = ()  # the first that is so
    weighs: bool = False  # gigabytes of packages: resolved, and the image is not built
    quick: bool = False  # stands in make test, too

    def __str__(self) -> str:
        words = (str(word) for words in self.arguments.values() for word in _each(words))
        return " ".join((self.project, *words, self.python))


def _each(words: Any) -> list[Any]:
    return words if isinstance(words, list) else [words]


def asks(*files: str, **others: Any) -> dict[str, Any]:
    """Arguments of a row that names its requirements ``files``."""
    return {"requirements": list(files), **others}
