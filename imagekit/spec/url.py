"""URLs that people write into requirements and index options: what is refused in them, and how they are shown."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import InvalidRequirement

# The user information of a URL, also where the password has signs in it that belong escaped; a port is none.
_LOGIN = re.compile(
    r"""://(?: [^\s/?#]*@
          | (?! (?:[^\s/?#:@]+ | \[[^\s\]]*\]) :\d{1,5} (?:[/?#]|$) ) (?!\[) [^\s/?#:@]*:\S*?@ )""",
    re.VERBOSE,
)
_QUERY = re.compile(r"(?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"`)]+)\?[^\s#'\"`)]+")
_GIT = {"git+https", "git+ssh", "git+http", "git+file"}
_OTHER_CONTROL = re.compile(r"(hg|svn|bzr)(\+|$)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What uv builds of a URL; pip also takes .tar.bz2, .tar.xz and .tar.
_ARCHIVES = (".whl", ".tar.gz", ".tgz", ".zip")


def redacted(text: str) -> str:
    """``text``, a URL or another program's words, with the login and the query of every URL in it taken out."""
    return _QUERY.sub(r"\g<url>?***", _LOGIN.sub("://***@", text))


def refuse_credentials(url: str, origin: str) -> SplitResult:
    """The URL's parts; ``InvalidRequirement`` where it holds a user, a password or a token, which is not shown."""
    # Those who only show URLs, and most do, need none of it.
    from imagekit.secrets.urls import WHAT_TO_DO, in_url

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
    if (kind := in_url(url)) is not None:
        shown = redacted(url)
        if in_url(shown) is not None:  # it is in the path, or behind the '#'
            shown = f"{parts.scheme}://{parts.netloc}/***"
        raise InvalidRequirement(f"{origin}: {shown!r} is {kind}", hint=WHAT_TO_DO)
    return parts


def check_index_url(url: str, origin: str) -> None:
    """``InvalidRequirement`` for what is no address of a package index, or holds a login."""
    parts = refuse_credentials(url, origin)
    if parts.scheme not in ("https", "http", "file") or (parts.scheme != "file" and not parts.hostname):
        raise InvalidRequirement(
            f"{origin}: {url!r} is not an index", hint="write https://HOST/simple, or file:///DIRECTORY"
        )


def check_requirement_url(name: str, url: str, origin: str) -> SplitResult:
    """Refuse a direct reference to ``name`` that is an option, another program, or somewhere it should not be."""
    shown = repr(redacted(url))
    if url.startswith("-"):
        raise InvalidRequirement(f"{origin}: {shown} looks like an option, not a URL", hint="write https://HOST/PATH")
    parts = refuse_credentials(url, origin)
    if _OTHER_CONTROL.match(parts.scheme):
        raise InvalidRequirement(
            f"{origin}: {shown} is in another version control than git",
            hint="git is the one that is known: build a wheel of it, and name that by its path or URL",
        )
    if parts.scheme not in _GIT | {"https", "http"}:
        raise InvalidRequirement(
            f"{origin}: {shown} has an unknown scheme",
            hint="https://…whl, file:///PATH and git+https://HOST/REPOSITORY@REF are known",
        )
    if parts.scheme != "git+file":
        _check_host(parts, origin, shown)
    elif parts.netloc not in ("", "localhost"):
        raise InvalidRequirement(f"{origin}: {shown} names another machine's file", hint="write git+file:///PATH")
    if ";" in parts.path:
        raise InvalidRequirement(f"{origin}: {shown} has a ';' in it", hint="put a space before the ';' of a marker")
    path = unquote(parts.path)
    if ".." in path.split("/") or "\0" in path:
        raise InvalidRequirement(f"{origin}: {shown} has '..' in its path", hint="write the path without it")
    if parts.scheme in _GIT:
        _check_git(parts.path, origin, shown)
        if parts.query:
            raise InvalidRequirement(f"{origin}: {shown} has a query", hint="name the repository without '?…'")
    else:
        _check_archive(name, path, origin, shown)
    _check_fragment(parts, origin, shown)
    return parts


def split_ref(path: str) -> tuple[str, str | None]:
    """A git URL's path, as it is written, and the ref behind its last ``@`` (as pip has it), ``None`` without one.

    An ``@`` of the ref's own is written as ``%40``.
    """
    repository, at, ref = path.rpartition("@")
    return (repository, unquote(ref)) if at else (path, None)


def join_ref(url: str, ref: str | None) -> str:
    """``URL@REF``, as ``split_ref`` reads it."""
    return url if ref is None else f"{url}@{quote(ref, safe='/+')}"


def fragment_items(fragment: str) -> dict[str, str]:
    """``egg=x&subdirectory=y`` as a mapping."""
    pairs = (item.partition("=") for item in fragment.split("&") if item)
    return {key: unquote(value) for key, _, value in pairs}


def _check_host(parts: SplitResult, origin: str, shown: str) -> None:
    host = parts.netloc.rpartition("@")[2]
    if not parts.hostname or not re.fullmatch(r"[A-Za-z0-9\[:][A-Za-z0-9.:\[\]_-]*", host):
        raise InvalidRequirement(f"{origin}: {shown} names no valid host", hint="write https://HOST/PATH")


def _check_git(path: str, origin: str, shown: str) -> None:
    written, ref = split_ref(path)
    repository = unquote(written)
    if not repository.strip("/") or re.search(r"[/@]-", repository):
        raise InvalidRequirement(f"{origin}: {shown} names no repository", hint="write git+https://HOST/REPOSITORY@REF")
    # What git itself refuses in the name of a ref (git-check-ref-format), as far as the pattern lets it through.
    unusable = ref is not None and (
        ref.endswith((".", "/", ".lock")) or any(part in ref for part in ("..", "//", "/."))
    )
    if ref is not None and (unusable or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*", ref)):
        raise InvalidRequirement(
            f"{origin}: {shown} has no usable ref after '@'", hint="write a tag, a branch or a commit after the '@'"
        )


def _check_archive(name: str, path: str, origin: str, shown: str) -> None:
    filename = path.rsplit("/", 1)[-1]
    if not filename.endswith(_ARCHIVES):
        raise InvalidRequirement(
            f"{origin}: {shown} is neither a wheel nor a source distribution",
            hint=f"its path ends with none of {', '.join(_ARCHIVES)}; a git repository is git+https://…",
        )
    if filename.endswith(".whl"):
        try:
            found = parse_wheel_filename(filename)[0]
        except InvalidWheelFilename:
            raise InvalidRequirement(
                f"{origin}: {filename!r} is no name of a wheel", hint="write NAME-VERSION-PYTHON-ABI-PLATFORM.whl"
            ) from None
        if found != canonicalize_name(name):
            raise InvalidRequirement(
                f"{origin}: {filename!r} is a wheel of {found}, and {name} is asked for", hint=f"write {found} @ …"
            )


def _check_fragment(parts: SplitResult, origin: str, shown: str) -> None:
    for key, value in fragment_items(parts.fragment).items():
        if key == "subdirectory":
            if value.startswith(("/", "-")) or ".." in value.split("/") or "\0" in value:
                raise InvalidRequirement(
                    f"{origin}: {shown} has a subdirectory outside the repository", hint="name one inside it"
                )
            if parts.scheme not in _GIT:
                raise InvalidRequirement(
                    f"{origin}: {shown} has a subdirectory, which is honoured for git only",
                    hint="name the repository: git+https://HOST/REPOSITORY@COMMIT#subdirectory=…",
                )
        elif key == "sha256":
            if not _SHA256.fullmatch(value):
                raise InvalidRequirement(f"{origin}: {shown} has a bad sha256", hint="64 lower-case hex digits")
            if parts.scheme in _GIT:
                raise InvalidRequirement(
                    f"{origin}: {shown} has a sha256, and a repository has none", hint="pin its commit: …@COMMIT"
                )
        elif key != "egg":
            raise InvalidRequirement(
                f"{origin}: {shown} has '#{key}', which is not honoured",
                hint="#sha256=…, #subdirectory=… and #egg=… are known",
            )
