"""What a base's Python has installed, read once: a summary for every build, and the rest for those that need it.

The rest, the files of each distribution and what it requires, is large (a Prefect base has some 10 000 files)
and asked for only when packages are resolved or replaced; so it lies in a file of its own, by image ID.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.atomic import write_whole
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents, Distribution, Scheme

# Part of the file's name: raised when more is read than before.
FORMAT = 1
# Installers that people use; what another one put into the system's own directories is the system's.
_OF_PEOPLE = frozenset({"pip", "uv", "imagekit", "conda", "poetry", "pdm", "pixi", "uv-pixi"})


def program() -> str:
    """What runs in the base, as text for its ``python -I -c``; the argument is its user's home."""
    return files("imagekit.stages").joinpath("installed_program.py").read_text()


def keep(found: Mapping[str, Any], image_id: str, cache: Path) -> None:
    """Keep what ``program`` printed for ``read_contents``."""
    write_whole(_path(image_id, cache), gzip.compress(json.dumps(found).encode(), 6, mtime=0))


def read_contents(base: BaseImage, cache: Path, again: Callable[[], Mapping[str, Any]]) -> Contents:
    """The contents of ``base``; ``again`` runs ``program`` in it once more where what was kept is gone."""
    try:
        found = json.loads(gzip.decompress(_path(base.image_id, cache).read_bytes()))
    except (OSError, EOFError, ValueError):
        found = again()
        keep(found, base.image_id, cache)
    requires: dict[str, tuple[str, ...]] = {}
    extras: dict[str, tuple[str, ...]] = {}
    for entry in found["distributions"]:
        name = canonicalize_name(entry["name"])
        requires.setdefault(name, tuple(entry["requires"]))
        extras.setdefault(name, tuple(entry["extras"]))
    return Contents(
        requires=requires,
        extras=extras,
        files={entry["metadata"]: tuple(entry["files"] or ()) for entry in found["distributions"]},
        entries={path: frozenset(names) for path, names in found["entries"].items()},
    )


def summary(found: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What of ``found`` every build needs, as JSON; ``prefix`` is the interpreter's ``sys.base_prefix``."""
    scheme = found["scheme"]
    distributions = []
    for entry in found["distributions"]:
        if not entry["name"]:
            continue
        is_system = _is_system(entry, prefix)
        distributions.append(
            {
                "name": canonicalize_name(entry["name"]),
                "version": entry["version"],
                "metadata": entry["metadata"],
                "installer": entry["installer"],
                "is_system": is_system,
                "obstacle": _obstacle(entry, scheme, is_system),
            }
        )
    # By name alone, and otherwise as they were found: of two of a name the first is what is imported.
    distributions.sort(key=lambda known: known["name"])
    return {
        **{name: found[name] for name in ("environment", "conda")},
        "scheme": scheme,
        "distributions": distributions,
    }


def scheme_of(known: Mapping[str, Any]) -> Scheme:
    return Scheme(**known["scheme"])


def distributions_of(known: Mapping[str, Any]) -> tuple[Distribution, ...]:
    return tuple(Distribution(**entry) for entry in known["distributions"])


def _is_system(entry: Mapping[str, Any], prefix: str) -> bool:
    """Whether the operating system's packages have it: its own directories are theirs (FHS 3.0, /usr/local)."""
    if entry["installer"] == "debian":
        return True
    location = entry["location"]
    in_system = prefix == "/usr" and location.startswith("/usr/") and not location.startswith("/usr/local/")
    return in_system and entry["installer"] not in _OF_PEOPLE


def _obstacle(entry: Mapping[str, Any], scheme: Mapping[str, str], is_system: bool) -> str | None:
    if is_system:
        return "the operating system's package manager owns it"
    if entry["files"] is None:
        owner = "conda" if entry["conda"] or entry["installer"] == "conda" else "whoever installed it"
        return f"{owner} left no record of its files"
    if entry["location"] not in _places(scheme):
        return f"it lies in {entry['location']}, where packages are not installed to"
    return None


def _places(scheme: Mapping[str, str]) -> Sequence[str]:
    return (scheme["purelib"], scheme["platlib"])


def _path(image_id: str, cache: Path) -> Path:
    return cache / "bases" / f"{image_id.removeprefix('sha256:')}.installed-{FORMAT}.json.gz"
