"""A flow's source as it is asked for, and as it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from imagekit.errors import InvalidSecret
from imagekit.network.urls import without_login
from imagekit.spec.url import join_ref


def _no_secret(name: str) -> NoReturn:
    raise InvalidSecret(f"no secret is known here, and {name!r} is asked for", hint=f"imagekit secret set {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedSource:
    """A directory of this machine, as it is when the flow reads it."""

    directory: Path  # absolute, links followed

    def __str__(self) -> str:
        return str(self.directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """A commit of a repository."""

    url: str  # https, ssh or file; without a login, though with the user that ssh signs in as
    ref: str | None = None  # a branch, a tag, a commit; None: the default branch
    subdirectory: str = ""  # posix, relative to the repository: where the flow's project is

    def __str__(self) -> str:
        """As it is written (pip's VCS URLs)."""
        return f"git+{join_ref(self.url, self.ref)}" + (
            f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        )


Source = MountedSource | GitSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAccess:
    """How repositories are reached from this machine, and where what came of them is kept."""

    cache: Path  # the cache directory
    cache_size: int  # bytes that it is held to
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # the user's, of which git gets some
    ca_bundle: Path | None = None
    offline: bool = False
    secret: Callable[[str], str] = _no_secret  # gives a stored secret by its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A source that is there: a directory of this machine, which flows only read."""

    source: Source
    directory: Path
    subdirectory: str = ""  # posix, below ``directory``: the working directory of the flow
    record: Mapping[str, Any]  # as the record of runs has it: no credential, nothing that is not JSON
    imports: tuple[str, ...] = ()  # directories below the working directory that modules are imported from, too
    remarks: tuple[str, ...] = ()  # what is not there though it might be expected

    @property
    def project(self) -> Path:
        """What entrypoints are relative to."""
        return self.directory / self.subdirectory

    @property
    def is_fetched(self) -> bool:
        """Whether it is a commit's files, and so the same ones each time."""
        return isinstance(self.source, GitSource)

    @property
    def shown(self) -> str:
        """The source in messages."""
        if isinstance(self.source, MountedSource):
            return str(self.source.directory)
        at = f"{without_login(self.source.url)} at {str(self.record['commit'])[:12]}"
        return f"{self.subdirectory} of {at}" if self.subdirectory else at
