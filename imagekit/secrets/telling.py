"""Whether a value is a credential, by what it looks like and by the name that it has.

A token of a known shape is one under any name, and so is a URL with a login. Beside these a value is one
where its name says so (``API_KEY``, ``DB_PASSWORD``) and it looks as if it were: a password is anything that
is plainly not something else, a token what nobody would have made up.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from imagekit.secrets.shapes import shape_of

LOGIN = "a URL with a login"
_PASSWORD, _TOKEN = "a password", "a token"

# Patterns are compiled when they are needed first, and only texts that give reason to are looked at by them.
_NAME_WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"
_PASSWORDS = ("password", "passwd", "passphrase", "passcode")
_TOKENS = ("token", "secret", "apikey", "credential", "credentials")
_KEYS = {"api", "secret", "access", "private", "signing", "encryption", "account", "auth", "master", "license"}

_URL_LOGIN = r"[A-Za-z][A-Za-z0-9+.-]*://(?P<user>[^\s/?#:@\"']*)(?::(?P<password>[^\s/?#\"']+))?@"
_QUERY = r"[?&](?P<name>[A-Za-z0-9_.-]+)=(?P<value>[^\s&#\"']+)"

_NETRC = r"\b(?:machine\s+\S+|default)\s+login\s+\S+\s+password\s+(?P<password>[^\s\"'\\]+)"

_SWITCHES = r"(?i)true|false|yes|no|on|off|none|null|nil|[0-9]{1,3}|[0-9]+\.[0-9.]+"
_NUMBER = r"[0-9][0-9_]*"
_REFERENCES = (
    r"\$\w+|\$[({].*[)}]|\{\{.*\}\}|\{\w*\}|<[^<>]*>|%\(\w+\)s|%\w+%|%s"  # a variable, or a place for one
    r"|(?:[A-Za-z]:|[.~]{0,2})?[/\\][^\s=]{0,200}"  # a path
    r"|arn:[\w:/.-]+|(?:env|file|vault|ssm|secret|secretref|secrets?manager|gcp|aws|azure|op|doppler):[^@]*"
)
_PLACEHOLDER = (
    r"(?i)(?:your|my|the|some|insert|put|enter)[-_ ].*|change[-_ ]?(?:me|it|this)|\**|x+|\.+|-+"
    r"|(?:example|dummy|placeholder|todo|fixme|redacted|hidden|masked|password|passwd|pass|pwd|token|secret|"
    r"user|username|api[-_]?key|value|here|none|empty|foo|bar|test)(?:[-_]?[a-z]*)?"
)
_WORD = r"(?:[a-z]{1,16}|[A-Z]{1,16}|[A-Z][a-z]{1,15}|v?[0-9]{1,4}|[a-z]{1,12}[0-9]{1,3})"
_WORDED = rf"{_WORD}(?:[-_.:/@+]{_WORD})*"
_HEX = r"[0-9A-Fa-f]{16,}"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_TOKEN_LENGTH, _TOKEN_BITS = 12, 2.9  # characters; bits a character (Shannon)


def credential(name: str, value: str) -> str | None:
    """What ``value``, which is called ``name``, is ("a GitHub token", "a URL with a login"), or ``None``."""
    return in_text(value) or named(name, value)


def in_text(text: str) -> str | None:
    """What credential stands in ``text``, whatever its name."""
    if (kind := shape_of(text)) is not None:
        return kind
    if next(logins(text), None) is not None:
        return LOGIN
    netrc = re.search(_NETRC, text) if "password" in text else None
    if netrc is not None and named("password", netrc["password"]) is not None:
        return "a login for netrc"
    return _in_query(text)


def named(name: str, value: str) -> str | None:
    """What ``value`` is by its name and looks together."""
    kind = _told(name)
    value = value.strip()
    if kind is None or not value or re.fullmatch(_SWITCHES, value) or _stands_for_another(value):
        return None
    if kind == _PASSWORD:
        return None if re.fullmatch(_PLACEHOLDER, value) else _PASSWORD
    return _TOKEN if generated(value) else None


def generated(value: str) -> bool:
    """Whether ``value`` looks as if a machine had made it up: long, without words, of many different characters."""
    if len(value) < _TOKEN_LENGTH or re.search(r"\s", value) or re.fullmatch(_NUMBER, value):
        return False
    if re.fullmatch(_UUID, value) or (re.fullmatch(_HEX, value) and len(set(value)) > 5):
        return True
    if re.fullmatch(_WORDED, value) or re.fullmatch(_PLACEHOLDER, value):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= _TOKEN_BITS


def logins(text: str) -> Iterator[str]:
    """The passwords and tokens in the URLs of ``text``; variables and placeholders are none."""
    for found in re.finditer(_URL_LOGIN, text) if "://" in text and "@" in text else ():
        user, password = found["user"], found["password"]
        if password is None:
            if len(user) >= 16 and generated(unquote(user)):
                yield user
        elif not (_stands_for_another(password) or "$" in password or re.fullmatch(_PLACEHOLDER, unquote(password))):
            yield password


def _in_query(text: str) -> str | None:
    for found in re.finditer(_QUERY, text) if "=" in text and ("?" in text or "&" in text) else ():
        signature = found["name"].lower() in ("sig", "signature", "x-amz-signature")
        value = unquote(found["value"])
        if (signature and generated(value)) or named(found["name"], value) is not None:
            return "a URL with a token"
    return None


def _told(name: str) -> str | None:
    lower = name.lower()
    if not any(part in lower for part in ("pass", "pwd", "token", "secret", "key", "credential")):
        return None
    words = [word.lower() for word in re.findall(_NAME_WORDS, name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(_PASSWORDS) or (last in ("pwd", "pass") and before):
        return _PASSWORD
    if last.endswith(_TOKENS) or (last == "key" and before in _KEYS) or words[-3:] == ["secret", "key", "base"]:
        return _TOKEN
    return None


def _stands_for_another(value: str) -> bool:
    """A variable, a path, a place in a store of secrets: what is meant is elsewhere."""
    if re.fullmatch(_REFERENCES, value):
        return True
    scheme, separator, rest = value.partition("://")
    return bool(separator) and scheme.isascii() and bool(rest) and next(logins(value), None) is None
