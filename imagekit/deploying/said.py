"""What ``deploy`` tells of what it did, and of what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.deploying.deploy import Deployed
    from imagekit.deploying.image import Pinned


def say_built(pinned: Pinned | None) -> None:
    """Where the image is."""
    if pinned is None:
        return
    what = "built and pushed" if pinned.is_pushed else "built" if pinned.is_built else "found"
    print(f"{what} {pinned.reference}: {pinned.pinned.rpartition('@')[2]}")
    for warning in pinned.warnings:
        print(f"warning: {pinned.reference}: {warning}")


def say_deployed(done: Sequence[Deployed], *, next_steps: bool) -> None:
    """A line for each deployment and, with ``next_steps``, the commands that run them."""
    width = max(len(each.deployment.name) for each in done)
    for each in done:
        print(f"{each.outcome:<9}  {each.deployment.name:<{width}}  in {each.deployment.pool}")
    if not next_steps:
        return
    print("\nStart a worker, in another terminal:\n")
    for pool in sorted({each.deployment.pool for each in done}):
        print(f"    imagekit worker start --pool {shlex.quote(pool)}")
    print("\nRun a deployment:\n")
    for each in done:
        print(f"    imagekit deployment run {shlex.quote(each.deployment.name)}")
    print("", flush=True)
