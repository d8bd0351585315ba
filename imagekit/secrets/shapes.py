"""Tokens that are known by their shape, wherever they stand.

Each shape has a beginning of its own, which is looked for first: a text without one costs a search for some
bytes, and only the patterns whose beginning stands in it are ever compiled.

Sources: the issuers' own documents on the forms of their tokens, and gitleaks' rules, which collect them;
RFC 7519 (JSON web tokens), RFC 7468 (PEM).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

_PEM_BODY = r"(?:\\r|\\n|[\s\"',+])*(?:[A-Za-z-]+: [^\r\n]*\s+)*[A-Za-z0-9+/=\\\s\"',]{48}"
# "PRIVATE KEY" behind "-----BEGIN ", "RSA ", "OPENSSH ", "EC ", "ENCRYPTED ", in base64.
_PEM_IN_BASE64 = (
    r"LS0tLS1CRUdJTi(?:BQUklWQVRFIEtFW|BSU0EgUFJJVkFURSBLRV|BPUEVOU1NIIFBSSVZBVEUgS0V|BFQyBQUklWQVRFIEtFW"
    r"|BFTkNSWVBURUQgUFJJVkFURSBLRV)[0-9A-Za-z+/=]{40}"
)
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Kind, beginnings, pattern. Within other words, too: what begins these is no part of a word.
_TEXTS = (
    ("a private key", "-----BEGIN", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----" + _PEM_BODY),
    ("a private key", "LS0tLS1CRUdJTi", _PEM_IN_BASE64),
    ("a private key", "Private-Lines:", r"Private-Lines: [0-9]+\s+[A-Za-z0-9+/=\s]{48}"),
    ("a Slack webhook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z+/]{43,56}"),
    ("a chat webhook", "/api/webhooks/", r"/api/webhooks/[0-9]{15,21}/[0-9A-Za-z_-]{60,72}"),
    ("a chat webhook", "/IncomingWebhook/", r"/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}"),
    ("an Azure storage key", "AccountKey=", r"AccountKey=[0-9A-Za-z+/]{86}=="),
    ("an Azure access key", "SharedAccessKey=", r"SharedAccessKey=[0-9A-Za-z+/]{43}="),
)
# These are words. None begins in the middle of another word, so that none is found in a base64 blob.
_WORDS = (
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[0-9A-Za-z]{36}"),
    ("a GitHub token", "github_pat_", r"github_pat_\w{82}"),
    ("a GitLab token", "glpat- gldt- glrt- glft- glffct- glimt- glsoat-", r"gl[a-z]+-[0-9A-Za-z_-]{20}"),
    ("a GitLab token", "glptt-", r"glptt-[0-9a-f]{40}"),
    ("a GitLab token", "glcbt-", r"glcbt-[0-9A-Za-z]{1,5}_[0-9A-Za-z_-]{20}"),
    ("a GitLab token", "gloas-", r"gloas-[0-9A-Za-z_-]{64}"),
    ("a GitLab token", "glagent-", r"glagent-[0-9A-Za-z_-]{50}"),
    ("an AWS access key", "AKIA ASIA ABIA ACCA", r"A[A-Z]{3}[A-Z2-7]{16}(?![0-9A-Za-z])"),
    # The issuer's numbers are in each; words alone are somebody's placeholder.
    (
        "a Slack token",
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs-",
        r"xox[a-z]-(?=[0-9A-Za-z-]*[0-9]{4})[0-9A-Za-z-]{14,}",
    ),
    ("a Slack token", "xapp- xoxe.xox", r"xapp-[0-9]-[A-Z0-9]+-[0-9]+-[0-9a-z]+|xoxe\.xox[bp]-[0-9]-[0-9A-Za-z]{100,}"),
    ("a Google API key", "AIza", r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    ("a Google OAuth secret", "GOCSPX- ya29.", r"GOCSPX-[0-9A-Za-z_-]{28}|ya29\.[0-9A-Za-z_-]{30,}"),
    ("a Stripe key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_", r"[sr]k_[a-z]{4}_[0-9A-Za-z]{16,}"),
    ("a Stripe key", "whsec_", r"whsec_[0-9A-Za-z+/]{32,}"),
    ("a payment provider's key", "sq0atp- sq0csp-", r"sq0[a-z]{3}-[0-9A-Za-z_-]{22,43}"),
    # Zeros of a font or a picture in base64 look like the beginning of this one.
    ("a payment provider's key", "EAAA", r"(?<![+/])EAAA[0-9A-Za-z_-]{60}(?![0-9A-Za-z_+/=-])"),
    ("a payment provider's key", "access_token$", r"access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32}"),
    ("a package index's token", "pypi-AgE", r"pypi-AgE[0-9A-Za-z_-]{60,}"),
    ("a package index's token", "npm_ rubygems_", r"npm_[0-9A-Za-z]{36}|rubygems_[0-9a-f]{48}"),
    ("a package index's token", "oy2 CLOJARS_", r"oy2[a-z0-9]{43}(?![a-z0-9])|CLOJARS_[0-9a-z]{60}"),
    ("an Artifactory token", "AKCp cmVmdGtu", r"AKCp[0-9A-Za-z]{69}(?![0-9A-Za-z])|cmVmdGtu[0-9A-Za-z]{56}"),
    ("a JSON web token", "eyJ", r"eyJ[0-9A-Za-z_-]{14,}\.eyJ[0-9A-Za-z_-]{14,}\.[0-9A-Za-z_-]{10,}"),
    ("a model provider's key", "sk-ant-", r"sk-ant-[a-z]+[0-9]{2}-[0-9A-Za-z_-]{80,}"),
    ("a model provider's key", "sk-proj- sk-svcacct- sk-admin-", r"sk-[a-z]+-[0-9A-Za-z_-]{40,}"),
    ("a model provider's key", "sk-or-v1-", r"sk-or-v1-[0-9a-f]{64}"),
    ("a model provider's key", "T3BlbkFJ", r"sk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}"),
    ("a model provider's key", "hf_", r"hf_[A-Za-z]{34}(?![0-9A-Za-z])"),
    ("a model provider's key", "gsk_ xai- pplx-", r"gsk_[0-9A-Za-z]{52}|xai-[0-9A-Za-z]{80}|pplx-[0-9A-Za-z]{48}"),
    ("a model provider's key", "r8_ lsv2_", r"r8_[0-9A-Za-z]{37}|lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("a SendGrid key", "SG.", r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"),
    (
        "a messaging service's key",
        "xkeysib- key-",
        r"xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}|key-[0-9a-f]{32}(?![0-9a-f])",
    ),
    ("a messaging service's key", ":AA", r"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}(?![0-9A-Za-z_-])"),
    ("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("a Databricks token", "dapi", r"dapi[0-9a-f]{32}(?![0-9a-f])"),
    ("a Vault token", "hvs. hvb.", r"hv[sb]\.[0-9A-Za-z_-]{90,}"),
    ("a Terraform token", ".atlasv1.", r"[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,70}"),
    ("a Docker Hub token", "dckr_", r"dckr_(?:pat|oat)_[0-9A-Za-z_-]{27,}"),
    ("a Prefect key", "pnu_ pnb_", r"pn[ub]_[0-9A-Za-z]{36}"),
    ("a Grafana token", "glsa_ glc_eyJ", r"glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}|glc_eyJ[0-9A-Za-z+/=]{60,}"),
    ("a Doppler token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[0-9a-z_-]{2,35}\.)?[0-9A-Za-z]{40,44}"),
    ("a Sentry token", "sntryu_ sntrys_", r"sntryu_[0-9a-f]{64}|sntrys_eyJ[0-9A-Za-z+/=_]{60,}"),
    ("a Shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp[a-z]{2}_[0-9A-Fa-f]{32}"),
    ("a Pulumi token", "pul-", r"pul-[0-9a-f]{40}"),
    ("an Atlassian token", "ATATT3 ATBB", r"ATATT3[0-9A-Za-z_=-]{180,}|ATBB[0-9A-Za-z]{32}(?![0-9A-Za-z])"),
    ("an Azure client secret", "Q~", r"[0-9A-Za-z_~.-]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}(?![0-9A-Za-z_~.-])"),
    ("an Azure DevOps token", "AZDO", r"[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}(?![0-9A-Za-z])"),
    ("a hosting provider's token", "sbp_ sb_secret_", r"sbp_[0-9a-f]{40}|sb_secret_[0-9A-Za-z_-]{31}"),
    ("a hosting provider's token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_=.-]{32,}"),
    ("a hosting provider's token", "nfp_ HRKU-AA", r"nfp_[0-9A-Za-z]{36}|HRKU-AA[0-9A-Za-z_-]{58}"),
    ("a hosting provider's token", "tskey-", r"tskey-[a-z]+-[0-9A-Za-z]{9,}-[0-9A-Za-z]{20,}"),
    ("a CI service's token", "CCIPAT_ bkua_", r"CCIPAT_[0-9A-Za-z]{22}_[0-9a-f]{40}|bkua_[0-9a-f]{40}"),
    ("a CI service's token", "sqp_ sqa_ squ_", r"sq[pau]_[0-9a-f]{40}"),
    (
        "a service's token",
        "lin_api_ ntn_ figd_",
        r"lin_api_[0-9A-Za-z]{40}|ntn_[0-9A-Za-z]{40,}|figd_[0-9A-Za-z_-]{40}",
    ),
    ("a service's token", "NRAK- PMAK-", r"NRAK-[A-Z0-9]{27}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("a service's token", "CFPAT- ops_eyJ", r"CFPAT-[0-9A-Za-z_-]{43}|ops_eyJ[0-9A-Za-z_-]{250,}"),
    ("a service's token", "pat-", rf"pat-(?:na|eu)[0-9]-{_UUID}"),
    ("a service's token", "pat", r"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}"),
    ("an age key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
)
# What stands before the beginning, in the shapes that have none of their own in front: the most characters.
_BEFORE = {b"T3BlbkFJ": 23, b":AA": 10, b".atlasv1.": 14, b"Q~": 4, b"AZDO": 76}
_ALL = (*_TEXTS, *_WORDS)
_BEGINNINGS = tuple((word.encode(), n) for n, (_, words, _) in enumerate(_ALL) for word in words.split())
_OF_TEXTS = tuple((word, n) for word, n in _BEGINNINGS if n < len(_TEXTS))
_ALPHANUMERIC = frozenset(c for c in range(128) if chr(c).isalnum())
# Nearly all of a text is put aside by the length of its words.
_IN_WORDS = bytes(c if c in _ALPHANUMERIC or chr(c) in "_.-~$:" else 32 for c in range(256))
_SHORTEST = 19  # characters of the shortest token that is a word
# On the same line, by the scanners' own habit: somebody looked, and it is none.
_ALLOWED = rb"gitleaks:allow|pragma: ?(?:allowlist|whitelist) secret"
_PLACEHOLDER = rb"EXAMPLE|(?i:(?<![0-9a-z])your(?![0-9a-z])|placeholder|redacted|changeme)"
_DISTINCT = 8  # characters; a token of fewer stands for one: ghp_xxxxxxxx


class Shape(NamedTuple):
    """A token that was found: its kind (``"a GitHub token"``), where it begins and where it ends."""

    kind: str
    offset: int  # bytes
    end: int


def shapes_in(data: bytes) -> Iterator[Shape]:
    """The tokens in ``data``, but for placeholders and those on a line that says ``gitleaks:allow``."""
    if len(data) < _SHORTEST:
        return
    long = b" ".join({word for word in data.translate(_IN_WORDS).split() if len(word) >= _SHORTEST})
    for beginning, number in _BEGINNINGS if long else _OF_TEXTS:
        at = data.find(beginning) if number < len(_TEXTS) or beginning in long else -1
        while at >= 0:
            found = _at(data, at, beginning, number)
            if found is not None and not is_harmless(data, found.start(), found[0]):
                yield Shape(_ALL[number][0], found.start(), found.end())
            at = data.find(beginning, at + len(beginning))


def shape_of(text: str) -> str | None:
    """The kind of the first token in ``text``."""
    return next((shape.kind for shape in shapes_in(text.encode("utf-8", "surrogateescape"))), None)


def is_harmless(data: bytes, offset: int, token: bytes) -> bool:
    """Whether ``token``, at ``offset`` in ``data``, is a placeholder, or its line says that it is none."""
    return _stands_for_one(token) or _is_allowed(data, offset)


def kinds() -> tuple[str, ...]:
    """All kinds that are known."""
    return tuple(dict.fromkeys(kind for kind, _, _ in _ALL))


def _at(data: bytes, at: int, beginning: bytes, number: int) -> re.Match[bytes] | None:
    """The token whose ``beginning`` is at ``at``."""
    first = max(0, at - _BEFORE.get(beginning, 0))
    while first <= at:
        if number < len(_TEXTS) or first == 0 or data[first - 1] not in _ALPHANUMERIC:
            found = _pattern(number).match(data, first)
            if found is not None and found.end() > at:
                return found
        first += 1
    return None


@cache
def _pattern(number: int) -> re.Pattern[bytes]:
    return re.compile(_ALL[number][2].encode())


def _stands_for_one(token: bytes) -> bool:
    few = min(len(set(token)), len(set(token[-16:])) + 1) < _DISTINCT
    return few or re.search(_PLACEHOLDER, token) is not None


def _is_allowed(data: bytes, offset: int) -> bool:
    end = data.find(b"\n", offset)
    line = data[data.rfind(b"\n", 0, offset) + 1 : min(end if end >= 0 else len(data), offset + 1000)]
    return re.search(_ALLOWED, line) is not None
