"""Logins of package indexes: what is known on this machine, and for which URL it is good.

A login is given to the server that it is known for (scheme, host and port) and to no other. A netrc file knows hosts
alone: its logins are for what is asked there by name, and else for HTTPS; never in the clear to a server that a page or
a redirection leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from imagekit.errors import InvalidRequirement
from imagekit.network.urls import has_login, without_login
from imagekit.spec.url import redacted

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user and password, the index that it is for, and where it was found."""

    url: str  # of the index, without a login
    user: str
    password: str = field(repr=False)
    origin: str  # "UV_INDEX_CORP_PASSWORD", "netrc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A login that is looked for when its server is asked, and not before: a secret, a keyring's."""

    url: str
    find: Callable[[], Login | None] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """``by_url`` are those of indexes, ``by_host`` those of a netrc file (user, password; the host ``""`` is any).

    ``named`` go before them, being of an index by its name; ``keyring`` is asked where there is no other.
    """

    by_url: tuple[Login, ...] = field(default=(), repr=False)
    by_host: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    named: tuple[Sought, ...] = ()
    keyring: tuple[Sought, ...] = ()
    asked: tuple[str, ...] = ()  # indexes and places of files, by their URLs

    def of(self, url: str) -> tuple[Login, ...]:
        """Those to try at ``url``, the best first: of the index whose path is most like its own."""
        if not url.startswith(("http://", "https://")):
            return ()
        server = server_of(url)
        found = [*_looked_for(self.named, server), *(login for login in self.by_url if server_of(login.url) == server)]
        found.sort(key=lambda login: -_shared(login.url, url))
        entry = self.by_host.get(server[1]) or self.by_host.get("")
        if entry is not None and self._may_see_netrc(server):
            found.append(Login(url=url, user=entry[0], password=entry[1], origin="netrc"))
        if not found:
            found = _looked_for(self.keyring, server)
        return tuple({(login.user, login.password): login for login in reversed(found)}.values())[::-1]

    def withheld(self, url: str) -> bool:
        """Whether a netrc file has a login that ``url`` does not get: it would go in the clear to no index of ours."""
        server = server_of(url)
        return not self._may_see_netrc(server) and (server[1] in self.by_host or "" in self.by_host)

    def netrc(self, urls: Iterable[str]) -> str:
        """A netrc file with what is known for the hosts of ``urls``, and for no other; the first of a host counts."""
        pairs: dict[str, tuple[str, str]] = {}
        for url in urls:
            for login in self.of(url)[:1]:
                pairs.setdefault(server_of(url)[1], (login.user, login.password))
        # The format has no way to write white space.
        written = {host: pair for host, pair in pairs.items() if not any(c.isspace() for c in "".join(pair))}
        return "".join(
            f"machine {host} login {user} password {password}\n" for host, (user, password) in written.items()
        )

    def _may_see_netrc(self, server: tuple[str, str, int]) -> bool:
        scheme, host, _ = server
        here = host in ("localhost", "::1") or host.startswith("127.")
        return scheme == "https" or here or any(server_of(url) == server for url in self.asked if "://" in url)


def _looked_for(sought: Iterable[Sought], server: tuple[str, str, int]) -> list[Login]:
    found = (each.find() for each in sought if server_of(each.url) == server)
    return [login for login in found if login is not None]


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. ``InvalidRequirement`` for what is no URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise InvalidRequirement(f"{redacted(url)!r} is not a URL", hint="write https://HOST/PATH") from None


def split_login(url: str) -> tuple[str, str | None, str | None]:
    """``url`` without its login, the user and the password in it; ``None`` for what it has not."""
    if not has_login(url):
        return url, None, None
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    user, colon, password = userinfo.partition(":")
    return without_login(url), unquote(user) or None, unquote(password) if colon else None


def with_login(url: str, login: Login | None) -> str:
    """``url`` with ``login`` in it, for a program's environment and nothing else."""
    if login is None:
        return url
    parts = urlsplit(url)
    userinfo = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def _shared(one: str, other: str) -> int:
    """How many of the first parts of two paths are the same."""
    return _common(urlsplit(one).path.strip("/").split("/"), urlsplit(other).path.strip("/").split("/"))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
