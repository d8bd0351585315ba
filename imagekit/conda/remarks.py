"""What conda would do and an image does not: scripts that run when a package is linked or activated. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagekit.conda.values import PREFIX

_LINKED = re.compile(r"bin/\.(?P<name>.+)-(?:pre|post)-link\.sh")
_ACTIVATED = re.compile(r"etc/conda/activate\.d/[^/]+\.sh")


def remarks(owned: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """A line for each package (pin, its files' paths in the image) that brings such a script."""
    below = PREFIX.lstrip("/") + "/"
    found = []
    for pin, paths in owned:
        own = [path.removeprefix(below) for path in paths]
        if linked := [path for path in own if _LINKED.fullmatch(path)]:
            found.append(
                f"{pin} has a script that conda runs when it is linked ({linked[0]}): it is not run here, and "
                f"extra_dockerfile_commands can: RUN PREFIX={PREFIX} sh {PREFIX}/{linked[0]}"
            )
        if activated := [path for path in own if _ACTIVATED.fullmatch(path)]:
            found.append(
                f"{pin} sets variables when its environment is activated ({activated[0]}), which nobody does in an "
                "image: say them with env"
            )
    return found
