"""Pushing an image that an engine holds, with the engine's own credentials and helpers."""

from __future__ import annotations

import time
from typing import Any

from imagekit.engine.client import Engine
from imagekit.errors import AuthError, EngineError, EngineLost, EngineTimeout, ImagekitError, PushError
from imagekit.oci.digest import Digest, is_digest
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.values import Pushed

__all__ = ["Pushed", "push_image"]

_DENIED = ("unauthorized", "denied", "authentication required", "no basic auth", "insufficient_scope")


def push_image(engine: Engine, reference: Reference, reporter: Reporter) -> Pushed:
    """Push ``reference`` and return its manifest's digest. Raises ``AuthError`` or ``PushError``."""
    name = str(reference)
    image = engine.image(name)
    if image is None:
        raise PushError(
            f"{name} is not in the engine",
            hint=f"build it under that name: imagekit build -t {name}; "
            f"or give an image that name: docker tag IMAGE {name}",
        )
    began = time.monotonic()
    last: dict[str, Any] = {}
    done: set[str] = set()
    try:
        with reporter.task(f"pushing {name}") as task:
            for event in engine.push(name):
                if "error" in event:
                    raise _fault(name, str(event["error"]))
                if "aux" in event:
                    last = dict(event["aux"])
                layer, status = event.get("id"), str(event.get("status") or "")
                if layer and status in ("Pushed", "Layer already exists") and layer not in done:
                    done.add(str(layer))
                    task.note(f"{len(done)} layers, {layer}: {status.lower()}")
    except (EngineLost, EngineTimeout):
        raise
    except EngineError as error:
        raise _fault(name, error.message) from error
    # The containerd store says nothing of it, and knows images by that very digest.
    digest = str(last.get("Digest") or (image.id if engine.info.containerd_store else ""))
    if not is_digest(digest):
        raise PushError(f"{name} was pushed, and the registry gave no digest", hint="push it again")
    return Pushed(
        reference=name, digest=Digest(digest), size=int(last.get("Size") or 0), seconds=time.monotonic() - began
    )


def _fault(name: str, words: str) -> ImagekitError:
    words = " ".join(words.split())
    host = name.partition("/")[0]
    if any(word in words.lower() for word in _DENIED):
        return AuthError(f"the registry refused to take {name} ({words})", hint=f"docker login {host}")
    return PushError(f"{name} could not be pushed: {words}", hint="check the registry's address, and push again")
