"""Tokens that are known by their shape, wherever they stand.

Sources: the issuers' own documents on the forms of their tokens, and gitleaks' rules, which collect them;
RFC 7519 (JSON web tokens), RFC 7468 (PEM).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PEM_BODY = r"(?:\\r|\\n|[\s\"',+])*(?:[A-Za-z-]+: [^\r\n]*\s+)*[A-Za-z0-9+/=\\\s\"',]{48}"
# A kind, and what one looks like. These begin with words of their own, for which a regular expression looks quickly.
_TEXTS = (
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----" + _PEM_BODY),
    ("a Slack webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z+/]{43,56}"),
    ("an Azure storage key", r"AccountKey=[0-9A-Za-z+/]{86}=="),
)
# These are words. None begins in the middle of another word, so that none is found in a base64 blob.
_WORDS = (
    ("a GitHub token", r"gh[pousr]_[0-9A-Za-z]{36}|github_pat_\w{82}"),
    (
        "a GitLab token",
        r"gl(?:pat|dt|rt|ft|ffct|imt|soat)-[0-9A-Za-z_-]{20}|glptt-[0-9a-f]{40}"
        r"|glcbt-[0-9A-Za-z]{1,5}_[0-9A-Za-z_-]{20}|gloas-[0-9A-Za-z_-]{64}|glagent-[0-9A-Za-z_-]{50}",
    ),
    ("an AWS access key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![0-9A-Za-z])"),
    ("a Slack token", r"xox[abeoprs]-(?:[0-9]+-)*[0-9A-Za-z-]{8,}|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[0-9a-z]+"),
    ("a Google API key", r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    ("a Stripe key", r"[sr]k_(?:live|test|prod)_[0-9A-Za-z]{16,}"),
    ("a package index's token", r"pypi-AgE[0-9A-Za-z_-]{60,}|npm_[0-9A-Za-z]{36}|rubygems_[0-9a-f]{48}"),
    ("a JSON web token", r"eyJ[0-9A-Za-z_-]{14,}\.eyJ[0-9A-Za-z_-]{14,}\.[0-9A-Za-z_-]{10,}"),
    (
        "a model provider's key",
        r"sk-ant-[a-z]+[0-9]{2}-[0-9A-Za-z_-]{80,}|sk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{40,}"
        r"|sk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}|hf_[A-Za-z]{34}(?![0-9A-Za-z])",
    ),
    ("a SendGrid key", r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"),
    ("a DigitalOcean token", r"do[opr]_v1_[0-9a-f]{64}"),
    ("a Databricks token", r"dapi[0-9a-f]{32}(?![0-9a-f])"),
    ("a Vault token", r"hv[sb]\.[0-9A-Za-z_-]{90,}"),
    ("a Docker Hub token", r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{27,}"),
    ("a Prefect key", r"pn[ub]_[0-9A-Za-z]{36}"),
    ("a Grafana token", r"glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}"),
    ("a Doppler token", r"dp\.pt\.[0-9a-z]{43}"),
    ("a Sentry token", r"sntryu_[0-9a-f]{64}|sntrys_eyJ[0-9A-Za-z+/=_]{60,}"),
    ("a Shopify token", r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
    ("a Pulumi token", r"pul-[0-9a-f]{40}"),
    ("an age key", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
)
# Patterns are compiled when they are needed first: of most texts neither a word nor a beginning gives reason to.
_WORD = ("(?<![0-9A-Za-z])(?:" + "|".join(f"(?P<k{n}>{shape})" for n, (_, shape) in enumerate(_WORDS)) + ")").encode()
_BEGINNINGS = (b"PRIVATE KEY", b"hooks.slack.com/", b"AccountKey=")
_PREFIXES = tuple(
    b"""ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glft- glffct- glimt- glsoat- glptt- glcbt-
    gloas- glagent- AKIA ASIA ABIA ACCA xox xapp- AIza k_live_ k_test_ k_prod_ pypi-AgE npm_ rubygems_ eyJ
    sk-ant- sk-proj- sk-svcacct- sk-admin- T3BlbkFJ hf_ SG. dop_v1_ doo_v1_ dor_v1_ dapi hvs. hvb. dckr_
    pnu_ pnb_ glsa_ dp.pt. sntryu_ sntrys_ shpat_ shpca_ shppa_ shpss_ pul- AGE-SECRET-KEY-1""".split()
)
# Nearly all text is put aside by the length of its words.
_IN_WORDS = bytes(c if (chr(c).isalnum() and c < 128) or chr(c) in "_.-" else 32 for c in range(256))
_SHORTEST = 19  # characters of the shortest token
# On the same line, by the scanners' own habit: somebody looked, and it is none.
_ALLOWED = rb"gitleaks:allow|pragma: ?(?:allowlist|whitelist) secret"
_DISTINCT = 8  # characters; a token of fewer stands for one: ghp_xxxxxxxx


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A token that was found: its kind (``"a GitHub token"``) and where it begins."""

    kind: str
    offset: int  # bytes


def shapes_in(data: bytes) -> Iterator[Shape]:
    """The tokens in ``data``, but for placeholders and those on a line that says ``gitleaks:allow``."""
    for kind, found in _candidates(data):
        text = found[0]
        if b"EXAMPLE" in text or min(len(set(text)), len(set(text[-16:])) + 1) < _DISTINCT:
            continue
        if not re.search(_ALLOWED, _line(data, found.start())):
            yield Shape(kind=kind, offset=found.start())


def _candidates(data: bytes) -> Iterator[tuple[str, re.Match[bytes]]]:
    for beginning, (kind, pattern) in zip(_BEGINNINGS, _TEXTS, strict=True):
        if beginning in data:
            yield from ((kind, found) for found in re.finditer(pattern.encode(), data))
    if not any(prefix in data for prefix in _PREFIXES):
        return
    for word in {word for word in data.translate(_IN_WORDS).split() if len(word) >= _SHORTEST}:
        if re.search(_WORD, word):
            at = data.find(word)
            for found in re.compile(_WORD).finditer(data, at, at + len(word)):
                yield _WORDS[int((found.lastgroup or "k0")[1:])][0], found


def shape_of(text: str) -> str | None:
    """The kind of the first token in ``text``."""
    return next((shape.kind for shape in shapes_in(text.encode("utf-8", "surrogateescape"))), None)


def kinds() -> tuple[str, ...]:
    """All kinds that are known."""
    return tuple(kind for kind, _ in (*_TEXTS, *_WORDS))


def _line(data: bytes, offset: int) -> bytes:
    end = data.find(b"\n", offset)
    return data[data.rfind(b"\n", 0, offset) + 1 : min(end if end >= 0 else len(data), offset + 1000)]
