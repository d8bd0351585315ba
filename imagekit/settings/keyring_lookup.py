"""Passwords from the system's keyring: by the ``keyring`` program, or by its library, as pip and uv have it.

Asked for the index's URL first and for its host then. A keyring that fails, or has nothing, is one without an answer.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

_PATIENCE = 30.0  # seconds: a keyring may ask its user


class KeyringLookup:
    """``provider``: ``subprocess``, ``import``, or ``auto`` for whichever is there."""

    def __init__(self, provider: str, variables: Mapping[str, str]) -> None:
        self._provider = provider
        self._variables = variables
        self._known: dict[tuple[str, str | None], tuple[str, str] | None] = {}

    def __call__(self, url: str, user: str | None) -> tuple[str, str] | None:
        """User and password for ``url``."""
        if (url, user) not in self._known:
            places = (url, urlsplit(url).netloc)
            self._known[url, user] = next((pair for p in places if (pair := self._ask(p, user)) is not None), None)
        return self._known[url, user]

    def _ask(self, service: str, user: str | None) -> tuple[str, str] | None:
        imports = self._provider in ("import", "auto") and importlib.util.find_spec("keyring") is not None
        if imports:
            return _by_library(service, user)
        return None if self._provider == "import" else self._by_program(service, user)

    def _by_program(self, service: str, user: str | None) -> tuple[str, str] | None:
        program = shutil.which("keyring", path=self._variables.get("PATH"))
        if program is None:
            return None
        argv = [program, "get", service, user] if user else [program, "get", service, "--mode", "creds"]
        try:
            done = subprocess.run(
                argv,
                env=dict(self._variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        lines = done.stdout.splitlines()
        if done.returncode != 0 or len(lines) < (1 if user else 2):
            return None
        return (user, lines[0]) if user else (lines[0], lines[1])


def _by_library(service: str, user: str | None) -> tuple[str, str] | None:
    import keyring
    import keyring.errors

    try:
        found = keyring.get_credential(service, user)
    except (keyring.errors.KeyringError, OSError, RuntimeError):
        return None
    return None if found is None else (found.username, found.password)
