"""What resolvers say when they fail, turned into imagekit's errors.

The phrases are those of uv 0.8 to 0.13 (``crates/uv-resolver/src/pubgrub/report.rs``,
``crates/uv-client``) and of pip 23 to 26 below pip-tools. What none of them names is an
:class:`~imagekit.errors.Unsatisfiable` when the resolver called it that, else a plain
:class:`~imagekit.errors.ResolveError`; the resolver's own words are always in ``details``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from imagekit.errors import DiskFull, HashMismatch, IndexUnreachable, ResolveError, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.pylock import no_wheel
from imagekit.lock.refusals import first_url, refusal
from imagekit.lock.target import Target
from imagekit.spec.url import redacted

_NAME = r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_NO_WHEEL = (
    # "numpy==1.0 has …", "all versions of pylibmc{sys_platform != 'win32'} have …": a quoted word is a marker's.
    re.compile(rf"(?<![\w'\"]){_NAME}(?:\[[^\]]*\])?(?:\{{[^}}]*\}})?\S* (?:has|have) no (?:usable )?wheels?\b"),
    re.compile(r"Wheels are required for `" + _NAME + "`"),
    re.compile(r"[Bb]uilding source distributions(?: for `" + _NAME + r"`)? is disabled"),
)
_NETWORK = (
    "Request failed after",
    "error sending request",
    "Failed to fetch",
    "Could not connect",
    "dns error",
    "client error (Connect)",
    "invalid peer certificate",
    "Max retries exceeded",
    "ConnectionError",
    "NewConnectionError",
    "HTTP status server error",
    "HTTP status client error",
    "SSLError",
    "certificate verify failed",
    "operation timed out",
)
_REFUSED = (
    *("401 Unauthorized", "403 Forbidden", "401 Client Error", "403 Client Error", "407 Proxy", "tunnel error"),
    *("certificate", "Certificate", "fatal alert", "SSLError", "ProxyError", "connect to proxy"),
)
_HASH = ("Hash mismatch", "DO NOT MATCH THE HASHES", "HashMismatch")
_UNSATISFIABLE = (
    "No solution found",
    "ResolutionImpossible",
    "conflicting dependencies",
    "No matching distribution found",
    "Could not find a version",
)
# pip-compile ends with its own traceback, which tells a user nothing that the lines above it do not.
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n.*", re.DOTALL | re.MULTILINE)
NOTHING_FITS = "no set of versions fits: "
_OTHER_PYTHON = re.compile(
    r"the requested Python version \([^)]+\) does not satisfy Python(?P<wanted>[<>=!~]=?[\w.,<>=!~*]*\w)"
)
_NO_FILE = re.compile(r"\b(?:404 Not Found|410 Gone)\b")
_POOL = re.compile(r"host='(?P<host>[^']+)', port=(?P<port>\d+)")
_URL = re.compile(r"https?://[^\s`'\"()<>]+")
_BECAUSE = re.compile(r"(?:cause: )?(Because .*)", re.DOTALL)
_CAUSE = re.compile(r"cause: (you require .*)", re.DOTALL)
_CONCLUSION = re.compile(r",? we can conclude that (?:your requirements|the requirements) are unsatisfiable\.?")


_OFFLINE = ("because the network was disabled", "not found in the cache")
_ABSENT = re.compile(rf"\b{_NAME}\S* (?:(?:was|were) not found in the cache|needs? to be downloaded from a registry)")
_NOT_ON_INDEX = ("was not found in the package registry", "No matching distribution found")
_YANKED = re.compile(
    r"`(?P<uv>[^`]+)` is yanked(?: \(reason: \"(?P<why>.*)\"\))?"
    r"|'(?P<pip>[^']+)' candidate \(version (?P<version>[^ ]+) .*\n?.*Reason for being yanked: (?P<said>.*)"
)
_NO_EXTRA = re.compile(r"The package `([^`]+)` does not have an extra named `([^`]+)`")


def complaint(
    words: str, target: Target, *, program: str = "uv", access: IndexAccess | None = None
) -> ResolveError | DiskFull:
    """The error for what a resolver wrote before it ended with a failure."""
    access = access or IndexAccess()
    words = _TRACEBACK.sub("", redacted(words)).strip()
    if "No space left on device" in words:
        return DiskFull(
            "no space left on the device while resolving",
            hint="imagekit doctor shows how much is free where",
            details=words,
        )
    if any(phrase in words for phrase in _HASH):
        return HashMismatch(
            f"a file that {program} fetched is not what its hash says",
            hint="never install it; find out who changed it, or lock its hash anew",
            details=words,
        )
    if access.offline and any(phrase in words for phrase in _OFFLINE):
        return _offline(words)
    if any(phrase in words for phrase in _REFUSED):
        refused = refusal(words, _refusing(words) or next(iter(access.urls), ""), access, details=words)
        if refused is not None:
            return refused
    if any(phrase in words for phrase in _NETWORK) and "No solution found" not in words:
        return unreachable(words, words)
    names = sorted({m.group("name").lower() for p in _NO_WHEEL for m in p.finditer(words) if m.group("name")})
    if names:
        # uv names every version it looked at: "tensorflow==1.15.0 has no wheels".
        return no_wheel([re.split(r"[=<>!~]", n)[0].rstrip(".") for n in names], target, details=words)
    if any(phrase in words for phrase in _UNSATISFIABLE):
        return Unsatisfiable(
            _reason(words),
            hint=_hint(words, access),
            details=words,
        )
    last = next((line.strip() for line in words.splitlines() if "error" in line.lower()), "")
    said = f": {last.removeprefix('error: ')}" if last else ""
    return ResolveError(
        f"{program} could not resolve the requirements{said}",
        hint=f"what stands above is {program}'s own words; imagekit doctor looks at the network and the indexes",
        details=words,
    )


def unreachable(url_or_words: str, words: str | None = None) -> IndexUnreachable:
    """The error for an index that does not answer, or lists what it has not; its first URL in the words is named."""
    found = _URL.search(redacted(url_or_words))
    pool = _POOL.search(url_or_words)
    where = "no address known"
    if found:
        where = found.group().rstrip(".,:")
    elif pool:
        where = f"{pool['host']}:{pool['port']}"
    if _NO_FILE.search(words or ""):
        return IndexUnreachable(
            f"the package index lists a file that it does not have: {where}",
            hint="its pages are older or newer than its files: tell who keeps the index, or lock once more later",
            details=words,
        )
    return IndexUnreachable(
        f"the package index did not answer: {where}",
        hint="check the network, the index's address, proxy and CA bundle; "
        "`imagekit doctor` says which of them is wrong",
        details=words,
    )


def remarks(words: str, say: Callable[[str], None]) -> None:
    """Tell ``say`` which yanked versions a resolver says that it took, and why, and which extras there are none of."""
    for found in _YANKED.finditer(redacted(words)):
        which = found["uv"] or f"{found['pip']}=={found['version']}"
        why = (found["why"] or found["said"] or "").strip()
        say(f"{which} was yanked{f': {why}' if why else ''}; it is taken because it is pinned")
    for which, extra in dict.fromkeys(_NO_EXTRA.findall(words)):
        say(f"{which} has no extra {extra!r}; it is taken without")


def _offline(words: str) -> IndexUnreachable:
    names = sorted({found["name"] for found in _ABSENT.finditer(words)})
    what = ", ".join(names) if names else "what is wanted"
    return IndexUnreachable(
        f"offline, and uv's cache does not have {what}",
        hint="run it once with the network (without --offline, IMAGEKIT_OFFLINE or offline = true); "
        "a pylock.toml made there needs no resolving",
        details=words,
    )


def _hint(words: str, access: IndexAccess) -> str:
    if access.pip_only and any(phrase in words for phrase in _NOT_ON_INDEX):
        places = ", ".join(map(redacted, access.pip_only))
        return f"pip's configuration names {places}, where uv does not look: name it in UV_INDEX or [tool.imagekit]"
    if "filtered by `exclude-newer`" in words:
        return "choose a later exclude-newer; an index that does not say when files were uploaded cannot go with it"
    loosen = "loosen one of the requirements named; the details say which need which"
    if (python := _OTHER_PYTHON.search(words)) is not None:
        return f"ask for a Python {python['wanted']}, with --python or `python` in the configuration; or {loosen}"
    return loosen


def _refusing(words: str) -> str:
    """The URL that was asked when it went wrong."""
    hint = re.search(r"An index(?: URL)? \((?P<url>[^)\s]+)\)", words)
    pool = _POOL.search(words)
    if hint is None and pool is not None:
        return f"https://{pool['host']}:{pool['port']}/"
    return hint["url"] if hint is not None else first_url(words) or ""


def _reason(words: str) -> str:
    found = _BECAUSE.search(words) or _CAUSE.search(words)
    if found is None:
        line = next((x for x in words.splitlines() if any(p in x for p in _UNSATISFIABLE)), "")
        said = re.sub(r"^(?:ERROR|error): ", "", line.strip())
        # Which the details tell as well.
        more = "" if said.startswith("No solution found") else f": {said}"
        return f"the requirements cannot be met together{more}"
    sentence = " ".join(found.group(1).split("\n\n")[0].split())
    sentence = re.split(r"\s(?=And because )", sentence)[-1] if len(sentence) > 240 else sentence
    sentence = _CONCLUSION.sub("", sentence).strip().rstrip(",.")
    return f"{NOTHING_FITS}{sentence[0].lower()}{sentence[1:]}"
