"""Where an image goes: an engine, a registry, an OCI layout, an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InputError
from imagekit.spec.nearest import nearest_hint

ENGINE, REGISTRY, LAYOUT, OCI_ARCHIVE, DOCKER_ARCHIVE = "engine", "registry", "oci", "oci-archive", "docker-archive"
_WITH_PATH = (LAYOUT, OCI_ARCHIVE, DOCKER_ARCHIVE)


@dataclass(frozen=True, slots=True)
class Output:
    """One destination; ``path`` is the layout's directory or the archive's file."""

    kind: str
    path: Path | None = None

    def __str__(self) -> str:
        return self.kind if self.path is None else f"{self.kind}:{self.path}"


def parse_outputs(texts: Sequence[str]) -> tuple[Output, ...]:
    """``engine``, ``registry``, ``oci:DIRECTORY``, ``oci-archive:FILE``, ``docker-archive:FILE`` (skopeo's names).

    None is ``engine``. ``InputError`` for anything else, and for one that is there twice.
    """
    found: list[Output] = []
    for text in texts or (ENGINE,):
        kind, colon, path = text.partition(":")
        if kind in _WITH_PATH and path and "\0" not in path:
            output = Output(kind, Path(path))
        elif kind in (ENGINE, REGISTRY) and not colon:
            output = Output(kind)
        elif kind in _WITH_PATH:
            raise InputError(f"--output {text!r} has no path", hint=f"write {kind}:PATH")
        else:
            raise InputError(
                f"--output {text!r} is unknown",
                hint=nearest_hint(kind, (ENGINE, REGISTRY, *_WITH_PATH)),
            )
        if output in found:
            raise InputError(f"--output {text!r} is there twice", hint="give it once")
        found.append(output)
    return tuple(found)
