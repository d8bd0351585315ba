"""Asking a server for one file: by which login, through which proxy, trusting whom.

A login goes to the server that it is known for and is not carried along to where a redirection leads: each
server is asked in its own name. What a server refuses is told at once; what may pass is a ``PassingFault``.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from imagekit.errors import IndexUnreachable
from imagekit.lock.access import IndexAccess
from imagekit.lock.complaints import unreachable
from imagekit.lock.logins import Login, server_of, split_login
from imagekit.lock.refusals import denied, refusal
from imagekit.network.passing import PASSING, retry_after
from imagekit.spec.url import redacted

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 15.0
_MOST_HOPS = 10
_REDIRECTED = frozenset({301, 302, 303, 307, 308})


class PassingFault(Exception):
    """A failure that may be gone the next time; ``pause`` is what the server asked for, in seconds."""

    def __init__(self, words: str, pause: float | None = None) -> None:
        super().__init__(words)
        self.pause = pause


class Downloads:
    """Asks servers as ``access`` says. Safe to use from several threads.

    ``read_seconds`` may pass between two pieces of an answer.
    """

    def __init__(self, access: IndexAccess, *, read_seconds: float) -> None:
        self._access = access
        self._read_seconds = read_seconds
        self._sessions = threading.local()

    @contextmanager
    def open(self, url: str, name: str) -> Iterator[requests.Response]:
        """The answer to GET, its body not yet read; ``name`` is whose file it is.

        Raises ``PassingFault``, also for what goes wrong while the body is read, and :class:`IndexUnreachable`.
        """
        import requests
        import urllib3

        try:
            with self._answer("GET", url, name) as response:
                _check_status(response, name, redacted(url))
                yield response
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise IndexUnreachable(
                f"{name}: {redacted(url)} cannot be fetched: {redacted(str(error))}",
                hint="look at the address: it may be mistyped in the index, the lock or the requirement",
            ) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            words = redacted(str(error))
            refused = refusal(words, split_login(url)[0], self._access, about=f"{name}: ", details=words)
            raise refused or PassingFault(_cause(error)) from None

    def size(self, url: str, name: str) -> int | None:
        """Bytes of the file, as the server says them to HEAD; ``None`` where it does not."""
        import requests

        try:
            with self._answer("HEAD", url, name) as response:
                length = response.headers.get("Content-Length", "")
                return int(length) if response.status_code == 200 and length.isdigit() else None
        except (requests.exceptions.RequestException, IndexUnreachable):
            return None  # what is wrong comes out when the file is fetched

    def refused(self, url: str, name: str) -> IndexUnreachable | None:
        """What stands in the way of ``url``; ``None`` where there is an answer, whatever its status."""
        import requests

        try:
            with self._answer("GET", url, name):
                return None
        except IndexUnreachable as error:
            return error
        except requests.exceptions.RequestException as error:
            words = redacted(str(error))
            return refusal(words, url, self._access, about=f"{name}: ") or unreachable(url, words)

    @contextmanager
    def _answer(self, method: str, url: str, name: str) -> Iterator[requests.Response]:
        if self._access.offline:
            raise offline(name)
        target, user, password = split_login(url)
        own = [Login(url=target, user=user or "", password=password or "", origin="the URL")] if user else []
        logins = [*own, *self._access.logins.of(target)]
        for _ in range(_MOST_HOPS + len(logins)):
            response = self._ask(method, target, logins[0] if logins else None)
            status, place = response.status_code, response.headers.get("Location")
            if status in _REDIRECTED and place:
                response.close()
                target = urljoin(target, place)
                logins = list(self._access.logins.of(target))
                continue
            if status in (401, 403):
                # One server may hold several indexes, each with a login of its own.
                if len(logins) > 1:
                    response.close()
                    logins.pop(0)
                    continue
                response.close()
                raise denied(status, target, self._access, about=f"{name}: ")
            if status == 407:
                response.close()
                raise refusal("(407)", target, self._access, about=f"{name}: ") or PassingFault("HTTP 407")
            with response:
                yield response
            return
        raise IndexUnreachable(
            f"{name}: {redacted(url)} redirects without an end",
            hint="open it in a browser, or tell who keeps the index",
        )

    def _ask(self, method: str, url: str, login: Login | None) -> requests.Response:
        from requests.auth import HTTPBasicAuth

        access = self._access
        scheme, host, port = server_of(url)
        proxy = access.proxies.url_for(scheme, host, port)
        trusted = urlsplit(url).netloc not in access.insecure_hosts and host not in access.insecure_hosts
        verify = True if access.ca_bundle is None else str(access.ca_bundle)
        with warnings.catch_warnings():
            if not trusted:
                warnings.simplefilter("ignore")  # urllib3 warns of what was asked for
            return self._session().request(
                method,
                url,
                # Else its connection is closed, as that of any answer that is not read to its end.
                stream=method != "HEAD",
                timeout=(CONNECT_SECONDS, self._read_seconds),
                auth=None if login is None else HTTPBasicAuth(login.user.encode(), login.password.encode()),
                # As stored: the hash is that of the file, not of what an encoding makes of it.
                headers={"Accept-Encoding": "identity"},
                verify=verify if trusted else False,
                cert=None if access.client_cert is None else str(access.client_cert),
                proxies={} if proxy is None else {scheme: proxy},
                allow_redirects=False,
            )

    def _session(self) -> requests.Session:
        # Sessions are not safe to share between threads.
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            import requests

            session = self._sessions.session = requests.Session()
            # What the environment says was read by whoever made the access, if anybody did.
            session.trust_env = self._access.variables is None
        return session


def offline(*names: str) -> IndexUnreachable:
    """The error for the files of ``names``, which are not here while nothing may be fetched."""
    return IndexUnreachable(
        f"offline, and not in the cache: {', '.join(sorted(names))}",
        hint="build once with the network: the files are kept then",
    )


def _check_status(response: requests.Response, name: str, shown: str) -> None:
    status = response.status_code
    if status in PASSING:
        raise PassingFault(f"HTTP {status} {response.reason}", retry_after(response.headers.get("Retry-After")))
    if status != 200:
        raise IndexUnreachable(
            f"{name}: {shown} answers HTTP {status} {response.reason}",
            hint="if the file was removed from the index, lock anew: imagekit lock --upgrade",
        )


def _cause(error: BaseException) -> str:
    text = str(error)
    for known in ("Connection refused", "Name or service not known", "Connection reset", "timed out"):
        if known in text:
            return known
    return " ".join(text.split())
