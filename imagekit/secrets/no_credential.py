"""What is plainly no credential, though it stands where one could: a variable, a path, a placeholder, words.

Strict on purpose: a value that only begins like one of these is what it looks like otherwise.
"""

from __future__ import annotations

import math
import re
from collections import Counter

_SWITCHES = r"(?i)true|false|yes|no|on|off|none|null|nil|[0-9]{1,3}|[0-9]+\.[0-9.]+"
_NUMBER = r"[0-9][0-9_]*"
_VARIABLE = (
    r"\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+[0-9]?|[a-z]+[A-Za-z]*|[0-9@*])|\$\(.*\)|`.*`|\{\{.*\}\}|\$\{\{.*\}\}|\{\w*\}|<[^<>]*>"
    r"|%\(\w+\)s|%\w+%|%[sv]|:[a-z_]+|\?"
)
_SHELL = (
    r"\$\{!?\w+(?:\[[^]]*\])?(?::?[-=+](?P<default>.*)|:?[?#%/^,@:].*)?\}"  # of ${NAME:-DEFAULT} the default counts
)
_PATH = r"(?:[A-Za-z]:|~\w*|\.{1,2})?[/\\](?P<rest>[\w.@%+,:~ /\\-]*)"
# A place in a store of secrets, by the words of who keeps it.
_PLACE = (
    r"arn:[\w:/.@-]+"
    r"|projects/[\w.:-]+/(?:locations/[\w-]+/)?(?:secrets|serviceAccounts)/[\w-]+(?:/versions/\w+)?"
    r"|@Microsoft\.KeyVault\(.*\)"
    r"|id=[\w.-]+(?:,(?:env|src|source|name|type)=[\w./~-]+)*"
    r"|(?:env|secretref|keyring|keychain|op|doppler|awssm|sm):(?P<name>[\w./#@-]+)"
    r"|(?:file|vault|ssm|secret|secrets?manager|gcp|aws|azure|akv|bao|sops|gpg):(?P<place>[\w.-]*[/#][\w./#:@-]+)"
)
_URL = r"[A-Za-z][A-Za-z0-9+.-]*://[\w.$<{\[][^\s]*"
_OF_PLACEHOLDERS = (
    r"(?:your|my|our|the|a|an|some|insert|put|enter|paste|set|add|use|real|own|actual|super|very|secure|strong|random|long|"
    r"api|access|auth|app|bot|client|db|database|secret|private|public|key|keys|token|tokens|password|passwd|passphrase|"
    r"pass|pwd|pw|credential|credentials|user|username|name|id|value|string|text|here|goes|there|from|of|in|at|to|for|and|"
    r"or|with|it|me|this|that|change|changed|replace|replaced|fill|example|sample|demo|dummy|fake|mock|placeholder|"
    r"todo|tbd|fixme|redacted|hidden|masked|removed|required|optional|not|needed|unset|none|null|empty|default|foo|bar|baz|"
    r"qux|test|testing|please|generate|generated|x{2,})"
)
_SENTENCE = rf"{_OF_PLACEHOLDERS}(?:[-_ .]{_OF_PLACEHOLDERS}){{0,11}}"
_PLACEHOLDER = (
    rf"(?i){_SENTENCE}|[<\[({{*_.-]{{1,3}}{_SENTENCE}[>\])}}*_.-]{{1,3}}"
    r"|change(?:me|it|this)[!1]{0,3}|(?:your|example|dummy|test)?(?:api|access|secret|auth)?"
    r"(?:key|token|secret|password|passwd|pass|pwd)(?:here|goeshere|value|example|placeholder)?|[x*.?_•…-]+"
)
# What nobody would take, whatever stands behind it.
_YOURS = r"(?i)(?:<.*>|(?:your|insert|put|enter|paste|replace)(?:[-_ ][a-z]{1,20}[0-9]?)+)"
_WORD = r"(?:[a-z]{1,16}|[A-Z]{1,16}|[A-Z][a-z]{1,15}|v?[0-9]{1,4}|[a-z]{1,12}[0-9]{1,3})"
_WORDED = rf"[.*]{{0,2}}{_WORD}(?:[-_.:/@+]{_WORD})*"
_HEX = r"[0-9A-Fa-f]{16,}"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_TOKEN_LENGTH, _TOKEN_BITS = 12, 2.9  # characters; bits a character (Shannon)


def is_switch(value: str) -> bool:
    """Whether ``value`` is one of few: yes, off, 12, 1.5."""
    return re.fullmatch(_SWITCHES, value) is not None


def is_placeholder(value: str) -> bool:
    """Whether ``value`` holds the place of another: ``changeme``, ``your-token-here``, ``<password>``."""
    return re.fullmatch(_PLACEHOLDER, value) is not None or re.fullmatch(_YOURS, value) is not None


def stands_for_another(value: str) -> bool:
    """A variable, a path, a place in a store of secrets, a URL: what is meant is elsewhere."""
    if re.fullmatch(_VARIABLE, value):
        return True
    if shell := re.fullmatch(_SHELL, value):
        default = shell["default"] or ""
        return not default or is_switch(default) or is_placeholder(default) or stands_for_another(default)
    if place := re.fullmatch(_PLACE, value):
        return not any(map(generated, re.split(r"[/#:@]", place["name"] or place["place"] or "")))
    return is_path(value) or re.fullmatch(_URL, value) is not None


def is_path(value: str) -> bool:
    """Whether ``value`` is a path: of parts that somebody named, and more than one where it begins at the root."""
    found = re.fullmatch(_PATH, value)
    if found is None:
        return False
    parts = [part for part in re.split(r"[/\\]", found["rest"]) if part]
    if not parts or (len(parts) < 2 and value[0] in "/\\" and "." not in value) or any(map(generated, parts)):
        return False
    return any(re.fullmatch(_WORDED, part) for part in parts) or not generated("".join(parts))


def generated(value: str) -> bool:
    """Whether ``value`` looks as if a machine had made it up: long, without words, of many different characters."""
    if len(value) < _TOKEN_LENGTH or re.search(r"\s", value) or re.fullmatch(_NUMBER, value):
        return False
    if re.fullmatch(_UUID, value) or (re.fullmatch(_HEX, value) and len(set(value)) > 5):
        return True
    if re.fullmatch(_WORDED, value) or is_placeholder(value):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= _TOKEN_BITS
