"""What means this machine outside a container, as a container knows it.

As Prefect's Docker worker does it: ``localhost`` in the URLs of known variables becomes ``host.docker.internal``, a
name that the engine gives every run for its host. What listens there must not listen on 127.0.0.1 alone;
``network_mode="host"`` reaches that as well, and leaves the variables as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HOST = "host.docker.internal"
EXTRA_HOST = f"{HOST}:host-gateway"

# Variables that hold URLs which a program in the container is to reach, and the worker's own.
_KNOWN = frozenset(
    """PREFECT_API_URL PREFECT_ORION_HOST PREFECT_API_DATABASE_CONNECTION_URL PREFECT_UI_API_URL
    HTTP_PROXY HTTPS_PROXY ALL_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL
    UV_EXTRA_INDEX_URL""".split()
)
# The host of a URL: after a scheme, and a login where there is one.
_LOCAL = re.compile(r"(?<=://)((?:[^/?#\s@]*@)?)(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/?#\s,]|$)", re.IGNORECASE)


def is_apart(network_mode: str | None) -> bool:
    """Whether a container of this mode has a network of its own with a way to its host."""
    return network_mode not in ("host", "none") and not (network_mode or "").startswith("container:")


def mapped(env: Mapping[str, str | None], network_mode: str | None) -> dict[str, str | None]:
    """``env`` with URLs of known variables that lead to this machine leading there from a container."""
    if not is_apart(network_mode):
        return dict(env)
    return {
        name: _LOCAL.sub(rf"\g<1>{HOST}", value) if value and name.upper() in _KNOWN else value
        for name, value in env.items()
    }
