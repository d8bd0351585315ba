"""URLs that people write into requirements and index options: what is refused in them, and how they are shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from imagekit.errors import InvalidRequirement

_LOGIN = re.compile(r"(://)[^\s/]*@|(://)\S*?:\S*?@")
_GIT = {"git+https", "git+ssh", "git+http"}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def redacted(text: str) -> str:
    """``text`` with the login of every URL in it taken out."""
    return _LOGIN.sub("://***@", text)


def refuse_login(url: str, origin: str) -> SplitResult:
    """The URL's parts; ``InvalidRequirement`` where it holds a user or password, which is not shown."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if not port_is_valid:
        raise InvalidRequirement(f"{origin}: {redacted(url)!r} is not a URL", hint="write https://HOST/PATH")
    user, at, _ = parts.netloc.rpartition("@")
    if at and not (parts.scheme == "git+ssh" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", user)):
        raise InvalidRequirement(
            f"{origin}: {redacted(url)!r} has a user or password in it",
            hint="take it out of the URL, and put it into ~/.netrc for that host",
        )
    return parts


def check_requirement_url(url: str, origin: str) -> None:
    """Refuse a direct reference that is an option, another program, or somewhere it should not be."""
    shown = repr(redacted(url))
    if url.startswith("-"):
        raise InvalidRequirement(f"{origin}: {shown} looks like an option, not a URL", hint="write https://HOST/PATH")
    parts = refuse_login(url, origin)
    if parts.scheme == "file" or not parts.scheme or re.match(r"[A-Za-z]:", url):
        raise InvalidRequirement(
            f"{origin}: {shown} is a local file, which is not supported here yet",
            hint="put the wheel into a directory, name that by --find-links, and require NAME==VERSION",
        )
    if parts.scheme not in _GIT | {"https", "http"}:
        raise InvalidRequirement(
            f"{origin}: {shown} has an unknown scheme",
            hint="https://…whl and git+https://HOST/REPOSITORY@REF are known",
        )
    if not parts.hostname or not re.fullmatch(r"[A-Za-z0-9\[:][A-Za-z0-9.:\[\]_-]*", parts.netloc.rpartition("@")[2]):
        raise InvalidRequirement(f"{origin}: {shown} names no valid host", hint="write https://HOST/PATH")
    if ";" in parts.path:
        raise InvalidRequirement(f"{origin}: {shown} has a ';' in it", hint="put a space before the ';' of a marker")
    path = unquote(parts.path)
    if ".." in path.split("/"):
        raise InvalidRequirement(f"{origin}: {shown} has '..' in its path", hint="write the path without it")
    if parts.scheme in _GIT:
        _check_git(path, origin, shown)
    _check_fragment(parts.fragment, origin, shown)


def _check_git(path: str, origin: str, shown: str) -> None:
    repository, at, ref = path.partition("@")
    if not repository.strip("/") or any(part.startswith("-") for part in repository.split("/")):
        raise InvalidRequirement(f"{origin}: {shown} names no repository", hint="write git+https://HOST/REPOSITORY@REF")
    if at and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*", ref):
        raise InvalidRequirement(
            f"{origin}: {shown} has no usable ref after '@'", hint="write a tag, a branch or a commit after the '@'"
        )


def _check_fragment(fragment: str, origin: str, shown: str) -> None:
    for item in filter(None, fragment.split("&")):
        key, _, value = item.partition("=")
        value = unquote(value)
        if key == "subdirectory":
            if value.startswith(("/", "-")) or ".." in value.split("/"):
                raise InvalidRequirement(
                    f"{origin}: {shown} has a subdirectory outside the repository", hint="name one inside it"
                )
        elif key == "sha256":
            if not _SHA256.fullmatch(value):
                raise InvalidRequirement(f"{origin}: {shown} has a bad sha256", hint="64 lower-case hex digits")
        elif key != "egg":
            raise InvalidRequirement(
                f"{origin}: {shown} has '#{key}', which is not honoured",
                hint="#sha256=…, #subdirectory=… and #egg=… are known",
            )
