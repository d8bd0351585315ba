"""Which proxy leads to a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Proxies by scheme, and the hosts that are reached without one."""

    http: str | None = field(default=None, repr=False)  # URLs, which may hold a password
    https: str | None = field(default=None, repr=False)
    none_for: tuple[str, ...] = ()

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Proxies:
        """What ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` say, in either case."""

        def read(name: str) -> str:
            return variables.get(name) or variables.get(name.upper()) or ""

        return cls(
            http=read("http_proxy") or read("all_proxy") or None,
            https=read("https_proxy") or read("all_proxy") or None,
            none_for=tuple(filter(None, (entry.strip().lower() for entry in read("no_proxy").split(",")))),
        )

    def url_for(self, scheme: str, host: str, port: int) -> str | None:
        """The proxy to ``host``, or ``None`` where there is none for it."""
        url = self.https if scheme == "https" else self.http
        if url is None or any(_names(entry, host, port) for entry in self.none_for):
            return None
        return url if "://" in url else f"http://{url}"


def in_network(host: str, network: str) -> bool:
    """Whether ``host`` is an address in ``network`` (CIDR)."""
    if "/" not in network:
        return False
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*" or in_network(host, entry):
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and "]" not in number and name.count(":") == 0:
        if int(number) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    return host == entry or host.endswith(f".{entry}")
