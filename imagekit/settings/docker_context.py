"""The engine that ``docker`` itself would use: its current context, read from its own files.

Source: docker/cli, ``cli/command/cli.go`` (order) and ``cli/context/store`` (layout: a context's
``meta.json`` lies in a directory named by the SHA-256 of the context's name).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from imagekit.errors import InvalidConfig


def current_endpoint(directory: Path, name: str | None) -> tuple[str, str | None]:
    """Name of the current context and its engine's address; ``None`` for the default context.

    ``directory`` is Docker's configuration (``~/.docker``); ``name`` is a context that was
    chosen otherwise (``DOCKER_CONTEXT``). Raises ``InvalidConfig`` for a context that is not there.
    """
    name = name or _json(directory / "config.json").get("currentContext") or "default"
    if name == "default":
        return name, None
    meta = directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    address = ((_json(meta).get("Endpoints") or {}).get("docker") or {}).get("Host")
    if not address:
        raise InvalidConfig(
            f"the docker context {name!r} is not there, or has no engine",
            hint="docker context ls shows those that are; docker context use default goes back",
        )
    tls = directory / "contexts" / "tls" / meta.parent.name / "docker"
    if tls.is_dir() and any(tls.iterdir()) and not str(address).startswith(("unix://", "npipe://", "ssh://")):
        raise tls_refused(f"the docker context {name!r} asks for TLS")
    return name, str(address)


def tls_refused(what: str) -> InvalidConfig:
    """The error for an engine behind TLS."""
    return InvalidConfig(
        f"{what}, which is not supported yet", hint="reach the engine by ssh: IMAGEKIT_ENGINE=ssh://HOST"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # As Docker does: a configuration that cannot be read is none.
        return {}
    return value if isinstance(value, dict) else {}
