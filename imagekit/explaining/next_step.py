"""What to try with an image that was just built."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.spec.image import ImageSpec

ANY_FLOW = "imagekit run FILE.py:FUNCTION --image {}"


def next_step(spec: ImageSpec, reference: str) -> str:
    """The command that runs something in the image: a flow that it is for, or else a script of the project's.

    Of several scripts it is the one with the project's name.
    """
    if spec.entrypoints:
        return f"imagekit run {shlex.quote(spec.entrypoints[0])} --image {reference}"
    if spec.project is not None and spec.project.scripts:
        names = [name for name, _ in spec.project.scripts]
        return f"docker run --rm {reference} {spec.project.name if spec.project.name in names else names[0]}"
    return ANY_FLOW.format(reference)
