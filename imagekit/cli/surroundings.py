"""Checks of what is around the engine: the docker client, disk, certificates, index, credentials."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.cli.finding import FAIL, OK, WARN, Finding, room, writable

if TYPE_CHECKING:
    from imagekit.settings import Settings

_PATIENCE = 20.0  # seconds for another program to answer
_INSTALL_BUILDX = "install the docker client and its plug-in: apt-get install docker-buildx-plugin (or docker-buildx)"


def buildx() -> Finding:
    """The docker client and its buildx plug-in, which user's Dockerfiles and source builds need."""
    if shutil.which("docker") is None:
        return Finding(name="buildx", status=FAIL, message="the docker client is not installed", mend=_INSTALL_BUILDX)
    try:
        done = subprocess.run(
            ["docker", "buildx", "version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name="buildx", status=FAIL, message=f"docker buildx version: {error}", mend=_INSTALL_BUILDX)
    if done.returncode != 0:
        return Finding(name="buildx", status=FAIL, message="the buildx plug-in is missing", mend=_INSTALL_BUILDX)
    words = done.stdout.split()
    return Finding(name="buildx", status=OK, message=words[1] if len(words) > 1 else done.stdout.strip())


def cache_room(settings: Settings) -> Finding:
    """Room, and leave to write, where layers and wheels are kept."""
    mend = "imagekit config set cache-dir=DIRECTORY moves it"
    name, path = "cache", settings.cache_dir
    return writable(name, path, mend=mend) or room(name, path, mend=mend)


def ca_bundle(settings: Settings) -> Finding:
    """The certificates that this machine is told to trust."""
    import ssl

    name = "CA bundle"
    named = {v: os.environ[v] for v in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT") if os.environ.get(v)}
    missing = [(v, p) for v, p in named.items() if not Path(p).exists()]
    if missing:
        variable, path = missing[0]
        return Finding(
            name=name,
            status=FAIL,
            message=f"{variable} names {path}, which is not there",
            mend=f"unset {variable}, or name the file",
        )
    if settings.ca_bundle is None:
        return Finding(name=name, status=OK, message="none set: each program uses its own")
    try:
        count = len(ssl.create_default_context(cafile=str(settings.ca_bundle)).get_ca_certs())
    except (ssl.SSLError, OSError) as error:
        return Finding(
            name=name,
            status=FAIL,
            message=f"{settings.ca_bundle} holds no certificates that can be read ({error})",
            mend=f"set {settings.origin('ca-bundle')} to a file of PEM certificates",
        )
    return Finding(
        name=name, status=OK, message=f"{count} certificates in {settings.ca_bundle} ({settings.origin('ca-bundle')})"
    )


def default_namespace(settings: Settings) -> Finding:
    """What image names without a namespace are put under."""
    if settings.default_namespace is None:
        return Finding(
            name="default namespace",
            status=OK,
            message="none: imagekit config set default-namespace=HOST/TEAM sets one",
        )
    origin = settings.origin("default-namespace")
    return Finding(name="default namespace", status=OK, message=f"{settings.default_namespace} ({origin})")


def credential_helpers(settings: Settings) -> Iterator[Finding]:
    """The programs that Docker's configuration names for passwords."""
    name = "registry logins"
    path = settings.docker_config / "config.json"
    if not path.exists():
        yield Finding(name=name, status=OK, message="none: docker login HOST signs in")
        return
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield Finding(name=name, status=FAIL, message=f"{path} cannot be read ({error})", mend=f"mend or remove {path}")
        return
    helpers = _helpers(document if isinstance(document, dict) else {})
    missing = sorted(h for h in helpers if shutil.which(f"docker-credential-{h}") is None)
    for helper in missing:
        yield Finding(
            name=name,
            status=WARN,
            message=f"{path} names docker-credential-{helper}, which is not installed",
            mend=f"install it, or take {helper!r} out of {path}",
        )
    if not missing:
        hosts = sorted({*(document.get("auths") or {}), *(document.get("credHelpers") or {})})
        yield Finding(name=name, status=OK, message=", ".join(hosts) or "none: docker login HOST signs in")


def _helpers(document: dict[str, Any]) -> set[str]:
    store = document.get("credsStore")
    per_host = document.get("credHelpers") or {}
    return {str(h) for h in ([store] if store else []) + list(per_host.values())}
