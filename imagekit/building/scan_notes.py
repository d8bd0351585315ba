"""What was looked at for credentials and found clean: notes in the cache, by what was looked at and by what looked.

Whoever finds more, or judges otherwise, looks at everything anew.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.oci.digest import Digest, digest_of, digest_of_json

# Of the package: what decides whether something is a finding.
_JUDGES = (
    *("secrets/shapes.py", "secrets/telling.py", "secrets/no_credential.py", "secrets/command_text.py"),
    *("secrets/urls.py", "secrets/needles.py", "check/leaks.py", "stages/saved_archive.py", "building/leak_gate.py"),
    *("building/image_leaks.py", "building/scan_notes.py"),
)


def note_path(cache: Path, *of: Any, suffix: str = "") -> Path:
    """Where it is noted that ``of`` (JSON values) passed."""
    return cache / "scanned" / (digest_of_json([_judges(), *of]).removeprefix("sha256:") + suffix)


def found_path(cache: Path, layer: Digest) -> Path:
    """Where it is noted that a secret was found in ``layer``: which it holds for good, whoever looks later."""
    return cache / "scanned" / f"{layer.removeprefix('sha256:')}.found"


def put_note(path: Path, content: Iterable[str] = ()) -> None:
    """Note it. What is only remembered must not end a build."""
    with suppress(OSError, DiskFull):
        write_whole(path, "\n".join(content).encode())


def read_note(path: Path) -> frozenset[str]:
    """The words of a note; none where there is none."""
    try:
        return frozenset(path.read_text("utf-8").split())
    except (OSError, ValueError):
        return frozenset()


@functools.cache
def _judges() -> Digest:
    package = Path(__file__).parents[1]
    return digest_of(b"".join((package / judge).read_bytes() for judge in _JUDGES))
