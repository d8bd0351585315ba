"""Which package indexes this machine names, by which settings: uv's, pip's and imagekit's own, in one value.

Of uv's and pip's places one set is taken and never a mixture: uv's where it has any, else pip's (for pip-tools the
other way round). From pip's, uv is given the default index alone: to pip all indexes are one, so that nothing says
which of them may hide the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from imagekit.errors import InvalidConfig
from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Login, Logins, split_login
from imagekit.network.proxies import Proxies
from imagekit.settings.found import Found
from imagekit.settings.netrc_file import netrc_path, read_netrc
from imagekit.settings.pip_config import read_pip
from imagekit.settings.tool_variables import handed_on, not_honoured
from imagekit.settings.uv_config import read_uv
from imagekit.spec.image import Indexes, NamedIndex
from imagekit.spec.url import redacted

if TYPE_CHECKING:
    from imagekit.lock.access import Keyring

_PLACES = ("default", "extra", "find-links", "no-index")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<url>.+)")
_LOGIN = re.compile(r"UV_INDEX_(?P<name>[A-Z0-9_]+)_(?P<what>USERNAME|PASSWORD)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageIndexes:
    """What uv's and pip's configuration say, and the rest of the environment."""

    uv: Mapping[str, Found] = field(default_factory=dict, repr=False)
    pip: Mapping[str, Found] = field(default_factory=dict, repr=False)
    netrc: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    netrc_path: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str], home: Path) -> PackageIndexes:
        """Read all of it. ``InvalidConfig`` names the file or variable at fault."""
        return cls(
            uv=read_uv(environ, home),
            pip=read_pip(environ, home),
            netrc=read_netrc(environ, home),
            netrc_path=netrc_path(environ, home),
            variables=environ,
        )

    def places(self, resolver: str = "uv") -> tuple[Mapping[str, Found], Mapping[str, Found]]:
        """The settings of indexes that count for ``resolver``, and those that pip alone would go by."""
        uv = {key: self.uv[key] for key in _PLACES if key in self.uv}
        pip = {key: self.pip[key] for key in _PLACES if key in self.pip}
        if resolver == "pip-tools":
            return pip or uv, {}
        if uv:
            return uv, pip
        if self.any_index or ((found := pip.get("no-index")) is not None and found.value is True):
            return pip, {}
        return {key: pip[key] for key in ("default",) if key in pip}, {k: v for k, v in pip.items() if k != "default"}

    @property
    def any_index(self) -> bool:
        """Whether the first index that knows a package need not be the one that it comes from."""
        strategy = self.uv.get("strategy")
        if strategy is None or strategy.text == "first-index":
            return False
        if strategy.text != "unsafe-best-match":
            raise InvalidConfig(
                f"{strategy.origin}: the index strategy {strategy.text!r} is not honoured",
                hint="first-index and unsafe-best-match are",
            )
        return True

    def setting(self, key: str) -> Found | None:
        """``key`` of uv's configuration, else of pip's."""
        return self.uv.get(key) or self.pip.get(key)

    @property
    def unheeded(self) -> tuple[list[str], list[str]]:
        """What uv or pip would be told by a variable or a file and imagekit does not tell them; and what is no matter.

        Settings of files stand with their file: ``resolution (/home/me/.config/uv/uv.toml)``.
        """
        chosen, other = not_honoured(self.variables)
        of_files = (found for said in (self.uv, self.pip) for found in all_of(said.get("unheeded")))
        return [*chosen, *of_files], other

    def access(
        self,
        *,
        resolver: str = "uv",
        ca_bundle: Path | None = None,
        client_cert: Path | None = None,
        offline: bool = False,
        secret: Callable[[str], str] | None = None,
    ) -> IndexAccess:
        """How indexes are reached. What is given goes before what uv's and pip's configuration say."""
        counted, passed = self.places(resolver)
        logins: list[Login] = []
        named: list[NamedIndex] = []

        def plain(text: str, origin: str) -> str:
            found = _NAMED.fullmatch(text)
            url, user, password = split_login(_checked(_as_url(found["url"] if found else text), origin))
            if found is not None:
                named.append(NamedIndex(name=found["name"], url=url, username=user))
            elif user is not None and password is None:
                # A name by which a keyring is asked.
                named.append(NamedIndex(name=f"imagekit-{len(named)}-{origin}", url=url, username=user))
            if password is not None:
                logins.append(Login(url=url, user=user or "", password=password, origin=origin))
            return url

        default, extra, links = (counted.get(key) for key in ("default", "extra", "find-links"))
        no_index, certificate = counted.get("no-index"), self.setting("ca-bundle")
        client, insecure, newer = (self.setting(key) for key in ("client-cert", "insecure-hosts", "exclude-newer"))
        off = self.setting("offline")
        indexes = Indexes(
            default=plain(default.text, default.origin) if default is not None and default.text else None,
            extra=tuple(plain(text, extra.origin) for text in extra.texts) if extra is not None else (),
            find_links=tuple(_link(plain(t, links.origin)) for t in links.texts if is_there(t)) if links else (),
            no_index=no_index is not None and no_index.value is True,
            named=tuple(named),
        )
        return IndexAccess(
            indexes=indexes,
            logins=Logins(by_url=tuple(logins), by_host=self.netrc),
            by_name=_by_name(self.variables),
            keyring=self._keyring(),
            proxies=self._proxies(),
            ca_bundle=ca_bundle or (Path(certificate.text) if certificate and certificate.text else None),
            client_cert=client_cert or _file(client),
            insecure_hosts=insecure.texts if insecure is not None else (),
            offline=offline or (off is not None and off.value is True),
            prereleases=self._prereleases(resolver),
            exclude_newer=newer.text if newer is not None and newer.text not in ("", "false") else None,
            any_index=self.any_index,
            pip_only=tuple(
                redacted(url) for key in ("default", "extra", "find-links") for url in all_of(passed.get(key))
            ),
            variables=handed_on(self.variables),
            **({"secret": secret} if secret is not None else {}),
        )

    def _keyring(self) -> Keyring | None:
        provider = self.setting("keyring")
        if provider is None or provider.text not in ("subprocess", "import", "auto"):
            return None
        from imagekit.settings.keyring_lookup import KeyringLookup

        return KeyringLookup(provider.text, self.variables)

    def _proxies(self) -> Proxies:
        proxies = Proxies.of(self.variables)
        own = self.pip.get("proxy")
        if own is None or not own.text or proxies.http or proxies.https:
            return proxies
        return Proxies(http=own.text, https=own.text, none_for=proxies.none_for)

    def _prereleases(self, resolver: str) -> bool:
        asked, pip = self.uv.get("prerelease"), self.pip.get("prereleases")
        by_pip = resolver == "pip-tools" and pip is not None and pip.value is True
        return by_pip or (asked is not None and asked.text == "allow")


def is_there(place: str) -> bool:
    """Whether a place of files is on a server, or on this machine now."""
    path = split_login(place)[0].removeprefix("file://")
    return "://" in path or Path(path).exists()


def _link(url: str) -> str:
    """Directories as paths, since they must be named otherwise in a base."""
    from urllib.parse import unquote

    return unquote(url.removeprefix("file://")) if url.startswith("file:///") else url


def _checked(url: str, origin: str) -> str:
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise InvalidConfig(
            f"{origin}: the address of an index is no URL", hint="write it as https://HOST/simple"
        ) from None
    return url


def _as_url(text: str) -> str:
    return text if "://" in text else Path(text).expanduser().absolute().as_uri()


def all_of(found: Found | None) -> tuple[str, ...]:
    return () if found is None else (found.texts or ((found.text,) if found.text else ()))


def _file(found: Found | None) -> Path | None:
    if found is None or not found.text:
        return None
    path = Path(found.text).expanduser()
    if not path.is_file():
        raise InvalidConfig(
            f"the client certificate {path} ({found.origin}) is not there", hint="name a PEM file, or unset it"
        )
    return path


def _by_name(variables: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    found: dict[str, tuple[str | None, str | None]] = {}
    for name, value in variables.items():
        if (match := _LOGIN.fullmatch(name)) is not None and value:
            user, password = found.get(match["name"], (None, None))
            found[match["name"]] = (value, password) if match["what"] == "USERNAME" else (user, value)
    return found
