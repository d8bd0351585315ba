"""A git server, asked in the user's name: by a stored secret, or by what git itself finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from imagekit.checkouts.values import GitSource, SourceAccess
from imagekit.errors import InputError, InvalidSecret, RepositoryError
from imagekit.git.login import GitLogin, login_by_key, login_of_helper
from imagekit.git.remote import Git
from imagekit.network.urls import without_login

T = TypeVar("T")

# Whom a token is of where it is a password: GitHub, GitLab, Gitea and Azure DevOps take any name, Bitbucket one.
_OF_TOKENS = "oauth2"
_OF_TOKENS_AT = {"bitbucket.org": "x-token-auth"}


class Server:
    """The server of one repository. A login that it wants is looked for once."""

    def __init__(self, git: Git, source: GitSource, secret: str | None) -> None:
        self._git = git
        self._url = source.url
        self._secret = secret

    def ask(self, question: Callable[[Git], T]) -> T:
        """What ``question`` comes to; where credentials are missing, with those of the user's credential helpers.

        ``RepositoryError`` says how to give some.
        """
        try:
            return question(self._git)
        except RepositoryError as error:
            if not error.asks_login:
                raise
            login = None if self._git.login is not None else self._of_helpers()
            if login is None:
                raise self._refused(error) from None
        self._git = replace(self._git, login=login)
        try:
            return question(self._git)
        except RepositoryError as error:
            raise self._refused(error) if error.asks_login else error from None

    def _of_helpers(self) -> GitLogin | None:
        if urlsplit(self._url).scheme != "https":
            return None
        return login_of_helper(self._url, self._git.environment)

    def _refused(self, error: RepositoryError) -> RepositoryError:
        if self._secret is not None:
            message = f"{without_login(self._url)} refuses the credentials of the secret {self._secret!r}"
            hint = f"look whether they may read it, and keep others: imagekit secret set {self._secret}"
        elif urlsplit(self._url).scheme == "ssh":
            message = f"{without_login(self._url)} refuses every key that ssh has"
            hint = "ssh-add a key, or keep one: imagekit secret set NAME < KEY_FILE; then --source-secret NAME"
        else:
            message = error.message
            hint = "keep a token: imagekit secret set NAME; then --source-secret NAME (or a line in ~/.netrc)"
        return RepositoryError(message, hint=hint, details=error.details)


@contextmanager
def server_of(source: GitSource, access: SourceAccess, secret: str | None) -> Iterator[Server]:
    """The server of ``source``, asked with the stored ``secret`` where one is named.

    Raises ``InvalidSecret`` where it is not there, or is of another kind than the server takes.
    """
    git = Git(environment=access.environment, ca_bundle=access.ca_bundle, offline=access.offline)
    if secret is None:
        yield Server(git, source, None)
        return
    with _login(source.url, secret, access.secret(secret)) as login:
        yield Server(replace(git, login=login), source, secret)


def check_secret(source: GitSource, secret: str | None) -> None:
    """``InputError`` for a secret that is not wanted, or whose name none can have."""
    from imagekit.secrets.store import check_name

    if secret is None:
        return
    check_name(secret)
    if urlsplit(source.url).scheme == "file":
        raise InputError("a repository of this machine takes no secret", hint="leave source_secret out")


@contextmanager
def _login(url: str, name: str, value: str) -> Iterator[GitLogin]:
    parts = urlsplit(url)
    is_key = value.lstrip().startswith("-----BEGIN ")
    if is_key != (parts.scheme == "ssh"):
        given, taken = ("a private key", "a token") if is_key else ("no private key", "one")
        raise InvalidSecret(
            f"the secret {name!r} is {given}, and {without_login(url)} takes {taken}",
            hint="git+ssh:// takes a private key, git+https:// a token, or USER:PASSWORD",
        )
    if is_key:
        with login_by_key(url, value) as login:
            yield login
        return
    value = value.strip()
    if not value or any(sign in value for sign in "\r\n\0"):
        raise InvalidSecret(
            f"the secret {name!r} is no token: it is empty, or more than a line", hint=f"imagekit secret set {name}"
        )
    user, colon, password = value.partition(":")
    if not colon:
        user, password = _OF_TOKENS_AT.get(parts.hostname or "", _OF_TOKENS), value
    yield GitLogin(url=url, user=user, password=password)
