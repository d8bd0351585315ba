"""What ``EXTRA_PIP_PACKAGES`` came to on an image before, so that the next start asks the engine one question.

A ticket is found by the text, the image, and what of this machine decides where packages come from: the environment's
variables and the files that configure uv, pip and imagekit, by their marks. It says which versions an image got, and
these stay until they are asked for anew or the image is another one: the day does not enter. Whether the engine still
has the derived image is never remembered, but asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.extras.values import Derived
from imagekit.notes import from_note, to_note
from imagekit.recall.seen import Mark, mark
from imagekit.settings import Settings, home

if TYPE_CHECKING:
    from imagekit.spec.image import ImageSpec

FORMAT = 1
DIRECTORY = "extras"  # of the cache
_DECIDING = ("UV_", "PIP_", "IMAGEKIT_")
_PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "VIRTUAL_ENV", "NETRC")
# They let a request in, or time it, and do not decide what comes of it.
_PASSING = ("_PASSWORD", "_USERNAME", "_TIMEOUT", "_RETRIES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Those of one text on this machine, as it is now."""

    directory: Path
    files: Mapping[str, Mark | None]

    @classmethod
    def of(cls, settings: Settings, text: str, like: ImageSpec | None) -> Tickets:
        """``like``: the project whose indexes are asked."""
        from imagekit.settings.pip_config import pip_files
        from imagekit.settings.uv_config import uv_files

        environ = settings.variables
        indexes = (
            (like.indexes, like.prereleases, like.exclude_newer, like.any_index, like.source_builds) if like else ()
        )
        decisive = [
            FORMAT,
            text,
            sorted((name, value) for name, value in environ.items() if _decides(name)),
            settings.profile,
            repr(indexes),
        ]
        name = hashlib.sha256(json.dumps(decisive).encode("utf-8", "surrogateescape")).hexdigest()
        place = home(environ)
        paths = [*uv_files(environ, place), *pip_files(environ, place), settings.config_file]
        files = {str(path): mark(str(path)) for path in paths}
        return cls(directory=settings.usable_cache_dir() / DIRECTORY / name, files=files)

    @property
    def passed(self) -> bool:
        """Whether the text was found to be requirements before."""
        return self.directory.is_dir()

    def find(self, image_id: str) -> Derived | None:
        """What it came to on that image, if nothing that decides it is another now."""
        try:
            value = from_note(self._path(image_id).read_bytes())
            if value["format"] != FORMAT or value["files"] != self.files:
                return None
            return Derived(
                **{f.name: _as_was(value["derived"][f.name]) for f in fields(Derived)} | {"up_to_date": True}
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, derived: Derived) -> None:
        """Remember it. What is only remembered must not end a run."""
        value = {f.name: getattr(derived, f.name) for f in fields(Derived)}
        document = {"format": FORMAT, "files": self.files, "derived": value}
        with suppress(OSError, DiskFull):
            write_whole(self._path(derived.origin_id), to_note(document))

    def _path(self, image_id: str) -> Path:
        return self.directory / f"{image_id.removeprefix('sha256:')}.json"


def _decides(name: str) -> bool:
    return name in _PLACES or (name.startswith(_DECIDING) and not name.endswith(_PASSING))


def _as_was(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
