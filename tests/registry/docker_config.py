"""Docker's configuration directory, and credential helpers as programs."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from imagekit.registry.access import Access

from ..own_registry import PASSWORD, USER


def access(directory: Path, **config: Any) -> Access:
    """An access with ``config`` as Docker's ``config.json``; helpers are looked for in ``directory/bin``."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    path = os.pathsep.join([str(directory / "bin"), os.environ["PATH"]])
    return Access(docker_config=directory, variables={"PATH": path})


def login(directory: Path, registry: str, *, user: str = USER, password: str = PASSWORD) -> Access:
    """As after ``docker login``."""
    return access(directory, auths={registry: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}})


def write_helper(directory: Path, name: str, script: str) -> None:
    """``docker-credential-NAME`` as a shell script."""
    path = directory / "bin" / f"docker-credential-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
