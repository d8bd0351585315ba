"""Which host a reference means, and how it is reached: as Docker has it.

Source: distribution/reference (``normalize.go``) and moby (``registry/config.go``, ``service_v2.go``).
"""

from __future__ import annotations

from collections.abc import Sequence

from imagekit.network.proxies import in_network
from imagekit.oci.reference import Reference

HUB = "docker.io"
_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_HUB_ADDRESS = "registry-1.docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"


def registry_of(reference: Reference) -> str:
    """The registry that ``reference`` is in: ``docker.io`` where it names none."""
    return canonical_host(reference.registry)


def repository_of(reference: Reference) -> str:
    """The repository as its registry knows it: Docker Hub's own images lie under ``library/``."""
    if registry_of(reference) == HUB and "/" not in reference.repository:
        return f"library/{reference.repository}"
    return reference.repository


def home_of(reference: Reference) -> str:
    """``registry/repository``, with all that Docker fills in."""
    return f"{registry_of(reference)}/{repository_of(reference)}"


def canonical_host(name: str | None) -> str:
    """One name for one registry: ``docker.io`` has several."""
    lowered = (name or HUB).lower()
    return HUB if lowered in _HUB_NAMES else lowered


def address_of(registry: str) -> str:
    """``HOST[:PORT]`` where the registry's API answers."""
    return _HUB_ADDRESS if registry == HUB else registry


def login_of(registry: str) -> str:
    """The name under which ``docker login`` keeps the registry's credentials."""
    return _HUB_LOGIN if registry == HUB else registry


def split_port(address: str) -> tuple[str, int | None]:
    """``HOST[:PORT]`` as host (an IPv6 address without its brackets) and port."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, int(port[1:]) if port[1:].isdigit() else None
    host, _, port = address.partition(":")
    return host, int(port) if port.isdigit() else None


def is_loopback(host: str) -> bool:
    """Whether ``host`` (no port, no brackets) is this machine by its name."""
    if host in ("localhost", "::1"):
        return True
    parts = host.split(".")
    return parts[0] == "127" and len(parts) == 4 and all(p.isdigit() for p in parts)


def may_be_plain(registry: str, insecure: Sequence[str]) -> bool:
    """Whether the registry may have an unknown certificate, or speak plain HTTP.

    ``insecure``: ``HOST[:PORT]`` as it stands in references, or networks (``10.0.0.0/8``).
    """
    host, _ = split_port(registry)
    if is_loopback(host):
        return True
    return any(entry.lower() == registry or in_network(host, entry) for entry in insecure)
