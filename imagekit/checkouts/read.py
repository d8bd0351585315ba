"""A source as people write it: a directory, or a git repository by pip's VCS URLs.

Source: pip's documentation, "VCS Support" (``git+https://HOST/PATH@REF#subdirectory=DIRECTORY``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from imagekit.checkouts.values import GitSource, MountedSource, Source
from imagekit.errors import InputError, InvalidRequirement
from imagekit.spec.git_url import git_url
from imagekit.spec.url import check_requirement_url, fragment_items, redacted, split_ref
from imagekit.wrong_type import wrong_type

_FORMS = "write a directory (.), or git+https://HOST/REPOSITORY@REF; git+ssh:// and git+file:/// are known, too"
_KEEP_IT = "keep the login: imagekit secret set NAME; then --source-secret NAME"
_HELPER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")  # gitremote-helpers(7): ext::, fd::
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/")


def read_source(given: str | Path, cwd: Path) -> Source:
    """``given`` as a source, a relative directory below ``cwd``. ``InputError`` for anything else, without a look at
    any server; a login in a URL is refused and not shown."""
    if isinstance(given, Path):
        return _directory(str(given), cwd)
    if not isinstance(given, str):
        raise wrong_type(given, "source", "a directory or the URL of a git repository", _FORMS)
    if not given:
        raise InputError("source is empty", hint=_FORMS)
    shown = redacted(given)
    if not given.isprintable():
        raise InputError(f"source: {shown!a} has control or unseen characters in it", hint=_FORMS)
    if given.startswith("-"):
        raise InputError(f"source: {shown!r} looks like an option", hint=_FORMS)
    if _HELPER.match(given.removeprefix("git+")):
        raise InputError(f"source: {shown!r} would start a program of git's", hint=_FORMS)
    if given.startswith("git+"):
        return _repository(given, cwd)
    as_url = git_url(given)
    if as_url != given and not (cwd / given).exists():
        raise InputError(f"source: {shown!r} is git's short form of ssh", hint=f"write git+{as_url}")
    scheme = _SCHEME.match(given)
    if scheme is not None:
        known = scheme["scheme"] in ("https", "ssh", "file")
        hint = _as_repository(given, shown) if known else _FORMS
        raise InputError(f"source: {shown!r} is no directory, and no git+… URL", hint=hint)
    return _directory(given, cwd)


def _as_repository(url: str, shown: str) -> str:
    """How the repository at ``url`` is written, of which ``shown`` has no login."""
    without = shown.partition("?")[0]
    if "://***@" not in without:
        return f"write git+{without} for a repository"
    if without.startswith("ssh:"):
        user = "git" if url.startswith("ssh://git@") else "USER"
        return f"write git+{without.replace('***', user, 1)} for a repository"
    return f"write git+{without.replace('***@', '', 1)} for a repository, and {_KEEP_IT}"


def _directory(given: str, cwd: Path) -> MountedSource:
    try:
        path = Path(os.path.realpath(cwd / given))
        is_directory, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise InputError(
            f"source: where {given} leads to cannot be seen: {error.strerror}", hint="name the directory itself"
        ) from None
    if not is_directory:
        why = "is no directory" if is_there else "is not there"
        raise InputError(f"source: {given} {why}", hint=f"looked for {path}; {_FORMS}")
    return MountedSource(directory=path)


def _repository(given: str, cwd: Path) -> GitSource:
    shown = redacted(given)
    try:
        parts = check_requirement_url("", given, "source")
    except InvalidRequirement as error:
        hint = error.hint
        if "user or password" in error.message:
            hint = f"take it out of the URL, and {_KEEP_IT}"
        elif "is not a URL" in error.message:
            hint = "after the host there is a '/': git+ssh://git@HOST/PATH"
        raise InputError(error.message, hint=hint) from None
    if parts.scheme == "git+http":
        raise InputError(
            f"source: {shown!r} would come unencrypted, and anyone between could change what is run",
            hint=f"write {shown.replace('git+http', 'git+https', 1)}",
        )
    path, ref = split_ref(parts.path)
    fragment = fragment_items(parts.fragment)
    subdirectory = PurePosixPath(fragment.get("subdirectory", "")).as_posix()
    scheme = parts.scheme.removeprefix("git+")
    if scheme == "file":
        url = Path(os.path.normpath(cwd / unquote(path))).as_uri()
    else:
        # As it was written, but for the ref: what is escaped stays so.
        url = parts._replace(scheme=scheme, path=path, fragment="").geturl()
    return GitSource(url=url, ref=ref, subdirectory="" if subdirectory == "." else subdirectory)
