"""Credentials as ``docker login`` keeps them: in its configuration file, or with a helper program.

Source: docker/cli (``cli/config/configfile``, ``cli/config/credentials``) and docker/docker-credential-helpers.
Not the Docker SDK's ``docker.auth``: it waits for a helper without an end, and is slow to import.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagekit.errors import AuthError
from imagekit.registry.access import Access
from imagekit.registry.hosts import canonical_host, login_of

HELPER_SECONDS = 30.0  # some ask a person to unlock a key ring
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN_USER = "<token>"  # noqa: S105 - how helpers mark an identity token
_NONE_KEPT = "credentials not found in native keychain"
_MOST = 1 << 20  # bytes of a helper's answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signs in to a registry; never shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)  # OAuth2 refresh token
    registry_token: str = field(default="", repr=False)  # a bearer token, ready to be used

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.password, self.identity_token, self.registry_token)))


def find_credentials(registry: str, access: Access) -> Credentials | None:
    """The credentials kept for ``registry``; ``None`` where there are none.

    A helper may take ``HELPER_SECONDS``. Raises ``AuthError`` where one fails.
    """
    if access.docker_config is None:
        return None
    config = _read(access.docker_config / "config.json")
    helpers = config.get("credHelpers")
    helper = (helpers.get(registry) if isinstance(helpers, dict) else None) or config.get("credsStore")
    if helper:
        found = _ask_helper(str(helper), registry, access.variables, HELPER_SECONDS)
        if found is not None:
            return found
    auths = config.get("auths")
    return _kept(auths if isinstance(auths, dict) else {}, registry)


def _kept(auths: Mapping[str, Any], registry: str) -> Credentials | None:
    exact = login_of(registry)
    for name in sorted(auths, key=lambda name: name != exact):
        if name == exact or _host(name) == registry:
            entry = auths[name]
            return _decoded(entry, registry) if isinstance(entry, dict) else None
    return None


def _host(name: str) -> str:
    return canonical_host(name.removeprefix("https://").removeprefix("http://").partition("/")[0])


def _decoded(entry: Mapping[str, Any], registry: str) -> Credentials | None:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            user, colon, password = b64decode(str(entry["auth"])).decode().partition(":")
        except ValueError:
            colon = ""
        if not colon:
            raise AuthError(
                f"Docker's configuration file holds no readable credentials for {registry}",
                hint=f"docker login {registry}",
            ) from None
    found = Credentials(
        user=user,
        password=password.rstrip("\0"),
        identity_token=str(entry.get("identitytoken") or ""),
        registry_token=str(entry.get("registrytoken") or ""),
    )
    return found if found.user or found.secrets else None


def _ask_helper(name: str, registry: str, variables: Mapping[str, str], deadline: float) -> Credentials | None:
    program = f"docker-credential-{name}"
    hint = f"docker login {registry}, or mend credsStore and credHelpers in Docker's configuration file"
    path = shutil.which(program, path=variables.get("PATH")) if _HELPER_NAME.fullmatch(name) else None
    if path is None:
        raise AuthError(f"the credential helper {program!r} is not installed", hint=hint)
    status, output = _run([path, "get"], login_of(registry).encode(), variables, deadline, program, hint)
    if status != 0:
        if output.strip().decode(errors="replace") == _NONE_KEPT:
            return None
        # What it printed may hold what must not be shown.
        raise AuthError(f"the credential helper {program} failed for {registry} (exit status {status})", hint=hint)
    try:
        value = json.loads(output)
        user, secret = value["Username"], value["Secret"]
    except (ValueError, TypeError, KeyError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise AuthError(f"the credential helper {program} gave no credentials that can be read", hint=hint) from None
    if not user and not secret:
        return None
    return Credentials(identity_token=secret) if user == _TOKEN_USER else Credentials(user=user, password=secret)


def _run(
    argv: list[str], stdin: bytes, variables: Mapping[str, str], deadline: float, program: str, hint: str
) -> tuple[int, bytes]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(variables),
            start_new_session=True,
        )
    except OSError as error:
        raise AuthError(f"the credential helper {program} cannot be run: {error.strerror}", hint=hint) from None
    try:
        with suppress(BrokenPipeError), process.stdin:  # type: ignore[union-attr]
            process.stdin.write(stdin)  # type: ignore[union-attr]
        output = _read_all(process, time.monotonic() + deadline)
        if output is not None:
            return process.returncode, output
    finally:
        if process.poll() is None:
            # Its children too: they hold what it held.
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    raise AuthError(f"the credential helper {program} came to no end within {deadline:.0f} s", hint=hint)


def _read_all(process: subprocess.Popen[bytes], until: float) -> bytes | None:
    """What the process prints until its end; ``None`` where that does not come, or is beyond any measure."""
    output = bytearray()
    pipe = process.stdout
    assert pipe is not None
    while len(output) <= _MOST:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        piece = os.read(pipe.fileno(), 1 << 16)
        if not piece:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                return None
            return bytes(output)
        output += piece
    return None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise AuthError(f"{path} cannot be read as Docker's configuration", hint="mend it, or move it away") from None
    return value if isinstance(value, dict) else {}
