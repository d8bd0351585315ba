"""Where an image goes: an engine, a registry, an OCI layout, an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagekit.errors import InputError
from imagekit.nearest import nearest_hint
from imagekit.oci.platform import Platform

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
            raise InputError(f"output {text!r} has no path", hint=f"write {kind}:PATH")
        else:
            raise InputError(
                f"output {text!r} is unknown",
                hint=nearest_hint(kind, (ENGINE, REGISTRY, *_WITH_PATH)),
            )
        if output in found:
            raise InputError(f"output {text!r} is there twice", hint="give it once")
        found.append(output)
    return tuple(found)


def platforms_of(text: str | None, outputs: Sequence[Output]) -> list[str | None]:
    """The platforms that ``text`` names, a comma between two; ``[None]``: this machine's.

    Raises ``InputError`` where an output takes one, and for one that is unknown, empty or there twice.
    """
    found: list[str | None] = [None] if text is None else [*text.split(",")]
    parsed = [_plain(Platform.parse(each)) for each in found if each is not None]
    for number, each in enumerate(parsed):
        if each in parsed[:number]:
            raise InputError(f"platform: {each} is there twice", hint="name each platform once")
    for output in outputs:
        if len(found) > 1 and output.kind in (ENGINE, DOCKER_ARCHIVE):
            raise InputError(
                f"{output} takes one platform, and there are {len(found)}",
                hint=f"write them elsewhere: --output {REGISTRY}, or --output {LAYOUT}:DIRECTORY (output=…)",
            )
    return found


def _plain(platform: Platform) -> Platform:
    """``platform`` without a variant that its name alone means."""
    default = {"amd64": "v1", "arm64": "v8"}.get(platform.architecture)
    return replace(platform, variant=None) if platform.variant == default else platform
