"""Everything imagekit raises on purpose.

Each error is one line that says what is wrong, a ``hint`` that says what to do next,
and, where another program had its own words (a resolver, a build backend, a traceback),
those words in ``details``. ``exit_code`` is what the command line ends with.

::

    ImagekitError                     1
    ├── InputError                    2   refused before any process or socket is used
    │   ├── InvalidReference              an image reference
    │   ├── InvalidRequirement            a requirement or a requirements file
    │   ├── InvalidEntrypoint             PATH.py:FUNCTION
    │   ├── InvalidParameters             a flow's parameters
    │   ├── InvalidProject                pyproject.toml, pylock.toml, a path of the project
    │   ├── InvalidConfig                 imagekit's own configuration
    │   ├── InvalidSecret                 a secret that is not there, or is not written as one
    │   ├── CredentialExposed             a credential where everyone who has the image would see it
    │   ├── UnknownKeyword                a keyword that is not taken
    │   ├── WrongType                     a value of another type than is taken
    │   └── UnknownRun                    no run of that ID or name is recorded, or several are
    ├── EngineError                   3
    │   ├── EngineNotFound                nothing listens at the engine's address
    │   ├── EnginePermission              the socket is there, and closed to this user
    │   ├── NotAnEngine                   something answers that is no Docker Engine
    │   ├── EngineTimeout                 no answer within the deadline
    │   ├── EngineLost                    the engine went away in the middle
    │   ├── ContainerNameTaken            a container of that name is there already
    │   ├── BuildxMissing                 the docker client or its buildx plug-in is not there
    │   ├── BaseNotFound                  a base image that is neither here nor can be pulled
    │   └── BaseUnusable                  a base image without a usable Python
    ├── ResolveError                  4
    │   ├── Unsatisfiable                 no set of versions fits the requirements
    │   ├── BaseConflict                  a package of the base must be replaced and cannot be
    │   ├── NoWheel                       only a source distribution fits, and builds are not allowed
    │   ├── IndexUnreachable              the package index did not answer
    │   ├── HashMismatch                  a file is not what the lock says
    │   ├── RepositoryError               a git repository, or a commit of one, that is not to be had
    │   └── StaleLock                     the lock was made from other inputs
    ├── BuildError                    5
    │   ├── SourceBuildFailed             a source distribution did not become a wheel
    │   ├── PreflightFailed               compiled files of packages would not load on the base
    │   ├── DockerfileFailed              a step of a Dockerfile failed
    │   ├── WheelRefused                  a wheel that is damaged or not safe to unpack
    │   ├── CondaRefused                  a conda package that is damaged, or not safe to unpack
    │   ├── BaseBuildFailed               a base image could not be made from packages
    │   ├── AssemblyFailed                the engine did not accept the assembled image
    │   ├── DamagedLayer                  a kept layer is not what it was; it can be made again
    │   └── DiskFull                      no space left, with the path
    ├── CheckFailed                   6   the built image's health check
    ├── RegistryError                 7
    │   ├── AuthError                     the registry refused the credentials
    │   └── PushError                     the image did not arrive whole
    ├── RunError                      8
    │   ├── FlowFailed                1   the flow raised; ``details`` is its traceback
    │   ├── ResultNotSerializable     1   the flow returned what JSON cannot hold
    │   └── RunCrashed                8   the container ended without the flow's word
    └── StoreError                    9   the record of runs cannot be read or written
        ├── StoreBusy                     another process holds it
        └── StoreCorrupt                  it is damaged, or no record of ours; it is left as it is
"""

from __future__ import annotations

from collections.abc import Sequence


class ImagekitError(Exception):
    """Base of all errors raised on purpose.

    ``message`` is one line. ``hint`` is what to do next. ``details`` are the words of the
    program that failed, any number of lines. What a terminal would obey in the first two (a
    file's name may hold it) is written as Python escapes it.
    """

    exit_code = 1
    usual_hint: str | None = None  # where nothing better is known

    def __init__(self, message: str, *, hint: str | None = None, details: str | None = None) -> None:
        message = _on_one_line(message)
        super().__init__(message)
        self.message = message
        self.details = details
        self.hint = hint or self.usual_hint

    @property
    def hint(self) -> str | None:
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint = _on_one_line(hint) if hint else hint
        # What a traceback shows below the message (PEP 678): so a script that ends by it says what to do next.
        others = [note for note in getattr(self, "__notes__", ()) if note not in self._own_notes]
        self._own_notes = [*([self.details] if self.details else []), *([f"hint: {hint}"] if hint else [])]
        self.__notes__ = [*self._own_notes, *others]

    _own_notes: Sequence[str] = ()

    def to_json(self) -> dict[str, object]:
        """The error as a JSON object: ``error`` (class name), ``message``, ``hint``, ``details``."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "details": self.details,
        }


def _on_one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode() for c in text.rstrip())


class InputError(ImagekitError, ValueError):
    """What was asked for cannot be meant. Raised before any process or socket is used."""

    exit_code = 2
    problems: tuple[InputError, ...] = ()  # those that are told at once

    @classmethod
    def join(cls, problems: Sequence[InputError]) -> InputError:
        """One error for all ``problems`` (one at least), so that they are mended in one go.

        It is of the nearest class that all of them share.
        """
        problems = [each for problem in problems for each in problem.problems or (problem,)]
        first = problems[0]
        if len(problems) == 1:
            return first
        shared: type[InputError] = InputError
        for candidate in reversed(type(first).__mro__):
            if issubclass(candidate, InputError) and all(isinstance(p, candidate) for p in problems):
                shared = candidate
        lines = "\n".join(p.message for p in problems)
        joined = shared(f"{len(problems)} problems: {first.message}", hint=first.hint, details=lines)
        joined.problems = tuple(problems)
        return joined


class InvalidReference(InputError):
    """Not an image reference (distribution/reference grammar)."""


class InvalidRequirement(InputError):
    """Not a requirement (PEP 508), or a requirements file that cannot be honoured."""


class InvalidEntrypoint(InputError):
    """Not ``PATH.py:FUNCTION`` of a function that is there."""


class InvalidParameters(InputError):
    """Parameters that the flow's signature does not take, or JSON cannot hold."""


class InvalidProject(InputError):
    """A project's own file (pyproject.toml, pylock.toml, a path) that cannot be honoured."""


class InvalidConfig(InputError):
    """imagekit's configuration: unknown key, wrong type, bad value."""


class InvalidSecret(InputError):
    """A secret that is not there, cannot be had, or is not written as one."""


class CredentialExposed(InputError):
    """A credential where everyone who has the image would see it; the value is never shown."""


class UnknownKeyword(InputError, TypeError):
    """A keyword that is not taken."""


class WrongType(InputError, TypeError):
    """A value of another type than is taken: a list where a string belongs."""


class UnknownRun(InputError):
    """No run of that ID or name is recorded, or an ID's beginning that several have."""


class EngineError(ImagekitError):
    """The Docker Engine, or what it should hold, is not to be had."""

    exit_code = 3
    usual_hint = "imagekit doctor looks at the engine; its log tells more: journalctl -u docker"
    status: int | None = None  # of the engine's answer, where it refused


class EngineNotFound(EngineError):
    """Nothing listens at the engine's address."""


class EnginePermission(EngineError):
    """The engine's socket is there, and closed to this user."""


class NotAnEngine(EngineError):
    """Something answers at the engine's address that is no Docker Engine."""


class EngineTimeout(EngineError):
    """The engine did not answer within the deadline."""


class EngineLost(EngineError):
    """The engine went away in the middle of a call."""


class ContainerNameTaken(EngineError):
    """A container of that name is there already, and it is another one."""


class BuildxMissing(EngineError):
    """The docker client, or its buildx plug-in, is not installed."""


class BaseNotFound(EngineError):
    """The base image is neither in the engine nor can it be pulled."""


class BaseUnusable(EngineError):
    """The base image has no Python that imagekit can use."""

    usual_hint = "choose another base image: --base-image, or base-image in [tool.imagekit]"


_VERIFY = "imagekit cache verify finds a damaged download, and the next build fetches it anew;"


class ResolveError(ImagekitError):
    """The requirements could not be turned into a lock."""

    exit_code = 4


class Unsatisfiable(ResolveError):
    """No set of versions fits the requirements; ``details`` are the resolver's own words."""


class BaseConflict(ResolveError):
    """A package of the base would have to be replaced and cannot be, or another one of the base would break."""


class NoWheel(ResolveError):
    """Only a source distribution fits, and building it was not allowed."""

    packages: tuple[str, ...] = ()  # normalized names


class IndexUnreachable(ResolveError):
    """The package index, or a file on it, could not be fetched."""


class HashMismatch(ResolveError):
    """A downloaded file is not the one that the lock names."""


class RepositoryError(ResolveError):
    """A git repository, or a commit of one, is not to be had."""

    asks_login = False  # the server asks for credentials, or refuses those that it got


class StaleLock(ResolveError):
    """The lock was made from other inputs than those at hand."""


class BuildError(ImagekitError):
    """An image could not be built."""

    exit_code = 5


class SourceBuildFailed(BuildError):
    """A source distribution, or the project itself, did not become a wheel."""

    usual_hint = "ask for another version of it, or build its wheel yourself and name that by its path"


class PreflightFailed(BuildError):
    """Compiled files of the packages would not load on the base: its C library is too old, or libraries are missing."""


class DockerfileFailed(BuildError):
    """A step of a Dockerfile failed; ``details`` are the step's last lines."""


class WheelRefused(BuildError):
    """A wheel that is damaged, or whose members are not safe to unpack."""

    usual_hint = f"{_VERIFY} if it stays so, ask for another version of the package, and tell its authors"


class CondaRefused(BuildError):
    """A conda package that is damaged, or whose members are not safe to unpack or do not fit together."""

    usual_hint = f"{_VERIFY} if it stays so, ask for another version of the package, and tell its authors"


class BaseBuildFailed(BuildError):
    """A base image could not be made from distribution packages."""


class AssemblyFailed(BuildError):
    """The engine did not accept the assembled image."""


class DamagedLayer(BuildError):
    """A layer that was kept is not what it was: missing, cut short, other bytes. It can be made again."""

    paths: tuple[str, ...] = ()  # files whose entries are to be dropped before that


class DiskFull(BuildError):
    """No space left on the device; the message names the path."""


class CheckFailed(ImagekitError):
    """The built image did not pass its health check."""

    exit_code = 6


class RegistryError(ImagekitError):
    """A registry refused or failed."""

    exit_code = 7


class AuthError(RegistryError):
    """The registry refused the credentials, or asks for some."""


class PushError(RegistryError):
    """The image did not arrive whole; the message names the step."""


class RunError(ImagekitError):
    """A flow run that did not complete."""

    exit_code = 8


class FlowFailed(RunError):
    """The flow raised; ``details`` is its traceback."""

    exit_code = 1


class ResultNotSerializable(RunError):
    """The flow returned a value that JSON cannot hold."""

    exit_code = 1


class RunCrashed(RunError):
    """The container ended without the flow's own word on how it went."""


class StoreError(ImagekitError):
    """The record of runs cannot be read or written."""

    exit_code = 9


class StoreBusy(StoreError):
    """Another process holds the record of runs, and did not let go of it in time."""


class StoreCorrupt(StoreError):
    """The record of runs is damaged, or is none of ours. It is left as it is."""
