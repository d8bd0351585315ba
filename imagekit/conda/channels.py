"""Channels: what their names stand for, what an image may tell of them, and their logins.

A login is put into a URL when a package is fetched, and stands nowhere else: py-rattler, which notes URLs with what it
keeps, is given it beside them. A secret of ``USER:PASSWORD`` goes by HTTP's basic scheme, any other is a token in the
path, as conda has it (``/t/TOKEN/CHANNEL``).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Logins, split_login, with_login
from imagekit.spec.conda import DEFAULTS

# What conda's own configuration has for the word, as it calls them on its usual server.
_DEFAULTS = ("main", "r")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPlace:
    """One channel: what it is called, and where it is."""

    name: str  # as it is told: conda-forge, a URL, of file:// its last part
    url: str  # without a login, no slash at its end
    fetched: str = field(repr=False)  # with it


def client_of(places: Iterable[ChannelPlace], rattler: ModuleType) -> Any:
    """What asks the servers of ``places`` in the name of their logins; ``None`` where there are none."""
    from rattler.networking import AddHeadersMiddleware, MirrorMiddleware, RetryMiddleware

    headers: list[tuple[str, str, dict[str, str]]] = []
    mirrors: dict[str, list[str]] = {}
    for place in places:
        bare, user, password = split_login(place.fetched)
        parts = urlsplit(bare)
        if user is not None:
            word = b64encode(f"{user}:{password or ''}".encode()).decode()
            headers.append((parts.hostname or "", f"{parts.path}/", {"Authorization": f"Basic {word}"}))
        elif bare != place.url:
            mirrors[f"{place.url}/"] = [f"{bare}/"]

    def of(host: str, path: str) -> dict[str, str] | None:
        return next((header for own, below, header in headers if host == own and path.startswith(below)), None)

    if not headers and not mirrors:
        return None
    middlewares = [RetryMiddleware(), AddHeadersMiddleware(of), *([MirrorMiddleware(mirrors)] if mirrors else [])]
    return rattler.Client(middlewares)


def places(
    channels: Iterable[str],
    rattler: ModuleType,
    *,
    secrets: Mapping[str, str],
    secret: Callable[[str], str],
    logins: Logins,
) -> tuple[ChannelPlace, ...]:
    """Where ``channels`` are, in their order.

    ``secrets`` names the secret of a channel (by its name or URL), ``secret`` gives it; ``logins`` are the machine's.
    """
    found: dict[str, ChannelPlace] = {}
    secrets = {channel.rstrip("/"): name for channel, name in secrets.items()}
    for text in (name for each in channels for name in (_DEFAULTS if each == DEFAULTS else (each,))):
        url = str(rattler.Channel(text, rattler.ChannelConfig()).base_url).rstrip("/")
        named = secrets.get(text) or secrets.get(url)
        if named is not None:
            fetched = _with_secret(url, secret(named))
        else:
            fetched = with_login(url, next(iter(logins.of(url)), None))
        found.setdefault(url, ChannelPlace(name=shown(text), url=url, fetched=fetched))
    return tuple(found.values())


def unmet(places: Iterable[ChannelPlace], access: IndexAccess) -> Iterator[str]:
    """What ``access`` asks for that py-rattler cannot do where it reads the lists of ``places``; a line each."""
    servers = dict.fromkeys(urlsplit(place.url)[1] for place in places if place.url.startswith("https:"))
    for server in servers:
        if {server, urlsplit(f"https://{server}").hostname} & set(access.insecure_hosts):
            yield (
                f"{server} is among insecure-hosts, and py-rattler looks at its certificate all the same: "
                "ca-bundle says whom to trust"
            )
    if servers and access.client_cert is not None:
        yield (
            f"client-cert: py-rattler shows no certificate of ours to {', '.join(servers)}; "
            "a channel that asks for one cannot be read, and packages are fetched with it"
        )


def shown(channel: str) -> str:
    """A channel as an image may tell it: a path of this machine is its last part."""
    return channel.rstrip("/").rpartition("/")[2] if channel.startswith("file:") else channel


def without_token(url: str) -> str:
    """``url`` without a login and without a token in its path."""
    parts = urlsplit(url)
    path = parts.path.split("/")
    if len(path) > 3 and path[1] == "t":
        path[1:3] = []
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path="/".join(path)))


def _with_secret(url: str, value: str) -> str:
    parts = urlsplit(url)
    user, colon, password = value.strip().partition(":")
    if colon:
        return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"))
    return urlunsplit(parts._replace(path=f"/t/{quote(user, safe='')}{parts.path}"))
