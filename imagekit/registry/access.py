"""How registries are reached from this machine: a value, made by whoever reads the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.network.proxies import Proxies
from imagekit.registry.hosts import is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How registries are reached and signed in to.

    ``docker_config`` is Docker's configuration directory, for credentials; without one there are none.
    ``ca_bundle``: a PEM file to trust instead of the system's. ``insecure``: registries that may be without
    a known certificate (see ``hosts.may_be_plain``). ``variables`` are the environment of credential helpers.
    """

    docker_config: Path | None = None
    ca_bundle: Path | None = None
    proxies: Proxies = field(default_factory=Proxies)
    insecure: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def proxy_to(self, scheme: str, host: str, port: int) -> str | None:
        """The proxy to ``host``. As for Docker, this machine itself is never reached through one."""
        return None if is_loopback(host) else self.proxies.url_for(scheme, host, port)
