"""How package indexes are reached from this machine: a value, made by whoever reads the environment.

Logins go to other programs by their environment alone, under the name of the index that they are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from imagekit.errors import InvalidConfig
from imagekit.lock.default_index import uv_default_index
from imagekit.lock.logins import Login, Logins, Sought, with_login
from imagekit.network.proxies import Proxies
from imagekit.spec.image import MACHINE, ImageSpec, Indexes, NamedIndex

# (index, user where one is known) → the user and password that a keyring has for it.
Keyring = Callable[[str, str | None], "tuple[str, str] | None"]
# How long uv and pip wait for an index, and how often they ask it.
_PATIENCE = frozenset(
    {
        "UV_HTTP_TIMEOUT",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_RETRIES",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_TIMEOUT",
        "PIP_RETRIES",
    }
)


def _no_secret(name: str) -> str:
    raise InvalidConfig(f"no secret is known here, and {name!r} is asked for", hint=f"imagekit secret set {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAccess:
    """Which indexes are asked, in the name of whom, through which proxy, and whom to trust.

    ``variables`` is the environment of other programs, without what the fields here say; ``None`` lets them
    have this process's own. ``by_name`` has the logins that the environment gives by an index's name in capitals
    (``CORP_EU`` → user, password). ``secret`` gives a stored secret by its name.
    """

    indexes: Indexes = field(default_factory=Indexes)
    logins: Logins = field(default_factory=Logins)
    by_name: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict, repr=False)
    secret: Callable[[str], str] = _no_secret
    keyring: Keyring | None = None
    proxies: Proxies = field(default_factory=Proxies)
    ca_bundle: Path | None = None  # PEM, in place of the certificates that each program brings
    client_cert: Path | None = None  # PEM: a certificate and its key
    insecure_hosts: tuple[str, ...] = ()  # HOST[:PORT], whose certificates are not looked at
    offline: bool = False
    prereleases: bool = False
    exclude_newer: str | None = None
    any_index: bool = False
    pip_only: tuple[str, ...] = ()  # indexes and places that pip's configuration names, and uv is not told of
    variables: Mapping[str, str] | None = field(default=None, repr=False)

    def of(self, spec: ImageSpec) -> IndexAccess:
        """For one image: its indexes before the machine's, the logins of all of them, and what it asks for."""
        return replace(
            self.joined(spec.indexes),
            prereleases=self.prereleases if spec.prereleases is None else spec.prereleases,
            exclude_newer=spec.exclude_newer or self.exclude_newer,
            any_index=self.any_index if spec.any_index is None else spec.any_index,
        )

    def joined(self, project: Indexes) -> IndexAccess:
        """With the indexes of a project before the machine's, and the logins of all of them."""
        own = self.indexes
        default = project.default or own.default
        extra = dict.fromkeys((*project.extra, *own.extra))
        if project.supplemental and not project.no_index:
            # To uv the default index is the last.
            *before, default = dict.fromkeys((*extra, default or uv_default_index(), *project.supplemental))
            extra = dict.fromkeys(before)
        named = (each if each.url != MACHINE else self._of_machine(each) for each in (*project.named, *own.named))
        indexes = Indexes(
            default=default,
            extra=tuple(extra),
            find_links=tuple(dict.fromkeys((*project.find_links, *own.find_links))),
            no_index=project.no_index or own.no_index,
            named=_unique(tuple(named)),
            pins=project.pins,
        )
        return replace(self, indexes=indexes, logins=self._sought(indexes))

    def _of_machine(self, named: NamedIndex) -> NamedIndex:
        return replace(named, url=self.indexes.default or uv_default_index())

    @property
    def deciding(self) -> dict[str, object]:
        """What of this machine decides a resolution, as JSON has it; empty where that is nothing."""
        own = self.indexes
        found: dict[str, object] = {
            "default": own.default,
            "extra": list(own.extra),
            "find_links": list(own.find_links),
            "no_index": own.no_index,
            "prereleases": self.prereleases,
            "exclude_newer": self.exclude_newer,
            "any_index": self.any_index,
        }
        return {name: value for name, value in found.items() if value}

    def url_argument(self, url: str) -> str:
        """``url``, or ``NAME=url`` where the environment has a login for that name."""
        login = self._login(url)
        return url if login is None else f"{self._name(url)}={url}"

    def for_uv(self) -> dict[str, str]:
        """Variables for uv: logins, proxies, certificates."""
        found = dict(self._common())
        for url in self.urls:
            if (login := self._login(url)) is not None:
                prefix = f"UV_INDEX_{variable_name(self._name(url))}"
                found |= {f"{prefix}_USERNAME": login.user, f"{prefix}_PASSWORD": login.password}
        # A place of files has no name; all of them go this way where one has a login.
        if self.secret_links:
            places = [with_login(place, self._login(place)) for place in self.indexes.find_links]
            found["UV_FIND_LINKS"] = ",".join(place.replace(",", "%2C") for place in places)
        # For tools that uv installs, which no argument is about.
        if self.indexes.default is not None:
            found["UV_DEFAULT_INDEX"] = with_login(self.indexes.default, self._login(self.indexes.default))
        if self.ca_bundle is not None:
            found["SSL_CERT_FILE"] = str(self.ca_bundle)
        if self.client_cert is not None:
            found["SSL_CLIENT_CERT"] = str(self.client_cert)
        if self.insecure_hosts:
            found["UV_INSECURE_HOST"] = " ".join(self.insecure_hosts)
        if self.offline:
            found["UV_OFFLINE"] = "1"
        return found

    def for_pip(self) -> dict[str, str]:
        """Variables for pip, which then reads no configuration file of its own."""
        found = {"PIP_CONFIG_FILE": "/dev/null", **self._common()}
        if self.indexes.default is not None:
            found["PIP_INDEX_URL"] = with_login(self.indexes.default, self._login(self.indexes.default))
        if self.indexes.extra:
            found["PIP_EXTRA_INDEX_URL"] = " ".join(with_login(u, self._login(u)) for u in self.indexes.extra)
        if self.secret_links:
            found["PIP_FIND_LINKS"] = " ".join(
                with_login(place, self._login(place)).replace(" ", "%20") for place in self.indexes.find_links
            )
        if self.ca_bundle is not None:
            found["PIP_CERT"] = str(self.ca_bundle)
        if self.client_cert is not None:
            found["PIP_CLIENT_CERT"] = str(self.client_cert)
        if self.insecure_hosts:
            found["PIP_TRUSTED_HOST"] = " ".join(self.insecure_hosts)
        return found

    def for_conda(self) -> dict[str, str]:
        """Variables for py-rattler: proxies, certificates."""
        return {**self._common(), **({"SSL_CERT_FILE": str(self.ca_bundle)} if self.ca_bundle is not None else {})}

    def in_base(self) -> dict[str, str]:
        """Variables for uv and pip in a base, where certificates and a netrc file are at other places."""
        places = ("SSL_CERT_FILE", "SSL_CLIENT_CERT", "PIP_CERT", "PIP_CLIENT_CERT", "UV_FIND_LINKS", "PIP_FIND_LINKS")
        patience = {name: value for name, value in (self.variables or {}).items() if name in _PATIENCE}
        found = {**patience, **self.for_pip(), **self.for_uv()}
        return {name: value for name, value in found.items() if name not in places}

    def netrc(self) -> str:
        """A netrc file with the logins of what is asked. Indexes have theirs by name, too; a place of files has not."""
        return self.logins.netrc((*self.indexes.find_links, *self.urls))

    def environment(self, additions: Mapping[str, str]) -> dict[str, str] | None:
        """The whole environment of another program; ``None`` for this process's own."""
        return None if self.variables is None else {**self.variables, **additions}

    @property
    def urls(self) -> tuple[str, ...]:
        """The indexes in the order in which they are asked, the explicit ones last."""
        indexes = self.indexes
        explicit = (each.url for each in indexes.named if each.explicit)
        return tuple(
            dict.fromkeys((*indexes.extra, *((indexes.default,) if indexes.default is not None else ()), *explicit))
        )

    @property
    def secret_links(self) -> bool:
        """Whether a place of files needs a login."""
        return any(self._login(place) is not None for place in self.indexes.find_links)

    def _common(self) -> dict[str, str]:
        proxies = {
            "HTTP_PROXY": self.proxies.http,
            "HTTPS_PROXY": self.proxies.https,
            "NO_PROXY": ",".join(self.proxies.none_for),
        }
        found = {name: value for name, value in proxies.items() if value}
        # Both spellings, as programs differ in which one they look at first.
        return {**found, **{name.lower(): value for name, value in found.items()}}

    def _login(self, url: str) -> Login | None:
        return next(iter(self.logins.of(url)), None)

    def _name(self, url: str) -> str:
        given = next((each.name for each in self.indexes.named if each.url == url), None)
        return given or f"imagekit-{self.urls.index(url)}"

    def _sought(self, indexes: Indexes) -> Logins:
        """The logins with those of ``indexes`` that a name, a secret or a keyring has."""
        names = {each.url: each for each in indexes.named}
        places = (*indexes.extra, indexes.default or "", *indexes.find_links, *names)
        remote = tuple(dict.fromkeys(p for p in places if p.startswith(("http://", "https://"))))
        named = (Sought(url=u, find=cache(partial(self._by_name, u, names[u]))) for u in remote if u in names)
        keyring = () if self.keyring is None else remote
        return replace(
            self.logins,
            named=(*self.logins.named, *named),
            asked=remote,
            keyring=tuple(Sought(url=url, find=partial(self._by_keyring, url, names.get(url))) for url in keyring),
        )

    def _by_name(self, url: str, index: NamedIndex) -> Login | None:
        variable = variable_name(index.name)
        user, password = self.by_name.get(variable, (None, None))
        user = user or index.username
        if password is not None:
            return Login(url=url, user=user or "", password=password, origin=f"UV_INDEX_{variable}_PASSWORD")
        if index.secret is None:
            return self._by_keyring(url, index) if user is not None else None
        origin = f"the secret {index.secret}"
        return Login(url=url, user=user or "__token__", password=self.secret(index.secret), origin=origin)

    def _by_keyring(self, url: str, index: NamedIndex | None) -> Login | None:
        user = None if index is None else (self.by_name.get(variable_name(index.name), (None,))[0] or index.username)
        pair = self.keyring(url, user) if self.keyring is not None else None
        return None if pair is None else Login(url=url, user=pair[0], password=pair[1], origin="the keyring")


def variable_name(index: str) -> str:
    """The name of an index as it stands in variables (uv's rule): capitals, the rest underscores."""
    return re.sub(r"[^A-Z0-9]", "_", index.upper())


def _unique(named: tuple[NamedIndex, ...]) -> tuple[NamedIndex, ...]:
    """The first of each name; a machine's index of a project's name is the project's."""
    found: dict[str, NamedIndex] = {}
    for each in named:
        found.setdefault(variable_name(each.name), each)
    return tuple(found.values())
