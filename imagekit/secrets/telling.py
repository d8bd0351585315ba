"""Whether a value is a credential, by what it looks like and by the name that it has.

A token of a known shape is one under any name, and so is a URL with a login. Beside these a value is one
where its name says so (``API_KEY``, ``DB_PASSWORD``) and it looks as if it were: a password is anything that
is plainly not something else, a token what nobody would have made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from imagekit.secrets.no_credential import generated, is_placeholder, is_switch, stands_for_another
from imagekit.secrets.shapes import shape_of

LOGIN = "a URL with a login"
PASSWORD, TOKEN = "a password", "a token"

# Patterns are compiled when they are needed first, and only texts that give reason to are looked at by them.
_NAME_WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"
_TELLING = "pass pwd pw psw token secret key credential auth pat jwt bearer cookie sas salt psk pepper".split()
_PASSWORDS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "sshpass",
    "requirepass",
    "storepass",
    "keypass",
)
_SHORT_PASSWORDS = {"pwd", "pass", "pw", "psw"}  # behind another word
_TOKENS = ("token", "secret", "apikey", "authkey", "accesskey", "secretkey", "privatekey", "credential", "credentials")
_SHORT_TOKENS = {"pat", "jwt", "bearer", "cookie", "sas", "salt", "psk", "pepper"}  # behind another word
_KEYS = set(
    """api secret access private signing encryption encrypt crypt cipher aes account auth master license fernet storage
    webhook ssh deploy service jwt hmac session cookie app application admin write subscription functions shared
    preshared wg datadog client""".split()
)
# What is said of the value and not of what it is for.
_SAID_OF_IT = set(
    """base64 b64 encoded raw value plain text str string prod production dev development staging stage test live qa
    default primary secondary backup""".split()
)

_URL_LOGIN = r"[A-Za-z][A-Za-z0-9+.-]*://(?P<user>[^\s/?#:@\"']*)(?::(?P<password>[^\s/?#\"']+))?@"
# With a "/" or "#" in the password, as people write it; a port is none.
_LOOSE_LOGIN = (
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@\"']*:(?!\d*[/?#]|port\b)"
    r"(?P<password>[^\s@/?#\"']*[/?#][^\s@\"']*)@[A-Za-z0-9\[]"
)
_ORACLE_LOGIN = r"[\w$#]+/(?P<password>[^\s/@]+)@(?://)?[\w.-]+:[0-9]{2,5}[/:]\w+"  # user/password@host:port/service
_PUBLIC_DSN = r"[0-9a-f]{32}@[\w.:-]+/[0-9]+"  # Sentry's: its key is meant to be seen
_QUERY = r"[?&#](?P<name>[A-Za-z0-9_.%-]+)=(?P<value>[^\s&#\"']+)"
_SIGNATURES = {"sig", "signature"}
_CHANNEL = r"://[^\s/]+/(?:[\w.-]+/)*t/(?P<token>[\w-]+)/"
# Its words stand apart by white space, also as printf is told it.
_APART = r"(?:\s|\\[nrt])+"
_NETRC = rf"\b(?:machine{_APART}\S+?|default){_APART}login{_APART}\S+?{_APART}password{_APART}(?P<password>[^\s\"'\\]+)"
# ODBC, ADO, libpq, Redis: NAME=VALUE with a ';', ',' or ' ' between, one of which says to whom it leads.
_CONNECTION = (
    r"(?i)(?:^|[\s;,?&'\"(])(?:host(?:addr|name)?|server|data source|address|addr|user(?: ?id|name)?|uid|dbname"
    r"|database|initial catalog|driver|dsn|endpoint|sslmode|ssl)\s*=\s*[^\s;]"
)
_OF_CONNECTION = (
    r"(?i)(?:^|[\s;,?&'\"(])(?:password|passwd|pwd|pass)\s*=\s*"
    r"(?P<value>\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[^\s;,&'\"]+)"
)
_USER_AND_WORD = r"[^\s:/]+:(?P<password>[^\s:/]\S*)"


def credential(name: str, value: str) -> str | None:
    """What ``value``, which is called ``name``, is ("a GitHub token", "a URL with a login"), or ``None``."""
    return in_text(value) or named(name, value)


def in_text(text: str) -> str | None:
    """What credential stands in ``text``, whatever its name."""
    if (kind := shape_of(text)) is not None:
        return kind
    if next(logins(text), None) is not None:
        return LOGIN
    if next(passwords_of_netrc(text), None) is not None:
        return "a login for netrc"
    return _in_query(text) or _in_path(text) or _in_connection(text) or _in_document(text)


def named(name: str, value: str) -> str | None:
    """What ``value`` is by its name and looks together."""
    kind = _told(name)
    value = value.strip()
    if kind is None or not value or is_switch(value) or stands_for_another(value):
        return None
    if kind == PASSWORD:
        return None if is_placeholder(value) else PASSWORD
    if generated(value):
        return TOKEN
    login = re.fullmatch(_USER_AND_WORD, value) if _is_login(name) else None
    return named("password", login["password"]) if login is not None else None


def logins(text: str) -> Iterator[str]:
    """The passwords and tokens in the URLs of ``text``; variables and placeholders are none."""
    if "@" not in text:
        return
    found = [*_logins_of_urls(text)] if "://" in text else []
    if not found:
        loose = re.search(_LOOSE_LOGIN, text) if "://" in text else re.fullmatch(_ORACLE_LOGIN, text.strip())
        found = [loose["password"]] if loose is not None and _is_secret(loose["password"]) else []
    yield from found


def _logins_of_urls(text: str) -> Iterator[str]:
    for found in re.finditer(_URL_LOGIN, text):
        user, password = found["user"], found["password"]
        if password is None:
            is_public = re.match(_PUBLIC_DSN, text[found.start("user") :]) is not None
            if len(user) >= 16 and generated(unquote(user)) and not is_public:
                yield user
        elif _is_secret(password):
            yield password


def passwords_of_connections(text: str) -> Iterator[str]:
    """The passwords in the connection strings of ``text`` (ODBC, ADO, libpq, Redis)."""
    if "=" not in text or not re.search(_CONNECTION, text):
        return
    for found in re.finditer(_OF_CONNECTION, text):
        value = found["value"]
        # A name alone in braces holds the place of a value, as in Python's formats.
        inner = value if re.fullmatch(r"\{\w*\}", value) else value.strip("{}'\"")
        if named("password", inner) is not None and "$" not in inner[:1]:
            yield inner


def passwords_of_netrc(text: str) -> Iterator[str]:
    """The passwords in the lines of a netrc file, wherever they stand in ``text``."""
    for found in re.finditer(_NETRC, text) if "password" in text else ():
        # In a sentence, what ends it stands behind the word.
        if named("password", found["password"].rstrip("),.;:")) is not None:
            yield found["password"]


def tokens_of_queries(text: str) -> Iterator[str]:
    """The signatures and tokens in the queries and fragments of the URLs in ``text``."""
    for found in re.finditer(_QUERY, text) if "=" in text and ("?" in text or "&" in text or "#" in text) else ():
        name, value = unquote(found["name"]), unquote(found["value"])
        signature = name.lower().replace("_", "-").rpartition("-")[2] in _SIGNATURES
        if (signature and generated(value)) or named(name, value) is not None:
            yield found["value"]


def _is_secret(password: str) -> bool:
    return not (stands_for_another(password) or "$" in password or is_placeholder(unquote(password)))


def _in_path(text: str) -> str | None:
    """conda's channels have a token in their path."""
    found = re.search(_CHANNEL, text) if "/t/" in text else None
    return "a URL with a token" if found is not None and generated(found["token"]) else None


def _in_query(text: str) -> str | None:
    return "a URL with a token" if next(tokens_of_queries(text), None) is not None else None


def _in_connection(text: str) -> str | None:
    return PASSWORD if next(passwords_of_connections(text), None) is not None else None


def _in_document(text: str) -> str | None:
    """What stands in a JSON document, by the names in it."""
    return next((kind for name, value in fields_of_json(text) if (kind := named(name, value)) is not None), None)


def fields_of_json(text: str) -> Iterator[tuple[str, str]]:
    """The texts of a JSON object with their names, also those further in; none where ``text`` is no such object."""
    if not (text.lstrip()[:1] in ("{", "[") and text.rstrip()[-1:] in ("}", "]") and ":" in text):
        return
    import json

    try:
        yield from _fields(json.loads(text), "")
    except (ValueError, RecursionError):
        return


def _fields(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, name)


def _told(name: str) -> str | None:
    lower = name.lower()
    if not any(part in lower for part in _TELLING):
        return None
    words = _words(name)
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(_PASSWORDS) or (last in _SHORT_PASSWORDS and before):
        return PASSWORD
    if last.endswith(_TOKENS) or (last in _SHORT_TOKENS and before) or last == "auth":
        return TOKEN
    if (last == "key" and before in _KEYS) or words[-3:] == ["secret", "key", "base"]:
        return TOKEN
    return None


def _words(name: str) -> list[str]:
    words = [word.lower() for word in re.findall(_NAME_WORDS, name)]
    while words and (words[-1].isdigit() or (len(words) > 1 and words[-1] in _SAID_OF_IT)):
        words.pop()
    return words


def _is_login(name: str) -> bool:
    """Whether a value of this name may be ``USER:PASSWORD``."""
    words = _words(name)
    return bool(words) and words[-1] in ("auth", "credential", "credentials")
