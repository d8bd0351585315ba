"""The logins of channels, put into the URLs of their packages when these are fetched."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from imagekit.lock.access import IndexAccess
from imagekit.spec.conda import CondaWanted


def channel_login(wanted: CondaWanted, access: IndexAccess) -> Callable[[str], str]:
    """What gives the URL that a package is fetched by; no secret is asked for before one is to be fetched."""

    @cache
    def places() -> list[tuple[str, str]]:
        from imagekit.conda import channels
        from imagekit.conda.rattler import load_rattler

        found = channels.places(
            wanted.channels, load_rattler(), secrets=dict(wanted.secrets), secret=access.secret, logins=access.logins
        )
        return [(place.url, place.fetched) for place in found]

    def login(url: str) -> str:
        # What a netrc file or a keyring knows of a server goes its own way.
        if url.startswith("file:") or not wanted.secrets:
            return url
        return next((there + url[len(bare) :] for bare, there in places() if url.startswith(f"{bare}/")), url)

    return login
