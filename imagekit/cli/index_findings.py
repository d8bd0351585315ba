"""What ``imagekit doctor`` says of package indexes: which are asked, by whose word, and with whose login."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.cli.finding import FAIL, OK, WARN, Finding, guarded
from imagekit.errors import InvalidConfig

if TYPE_CHECKING:
    from imagekit.lock.access import IndexAccess
    from imagekit.settings import Settings
    from imagekit.settings.found import Found
    from imagekit.settings.package_indexes import PackageIndexes

_PATIENCE = 20.0  # seconds for an index to answer
_INDEX = "package index"


def package_indexes(settings: Settings, *, offline: bool = False) -> Iterator[Finding]:
    """The indexes of this machine, in the order in which they are asked, and what else decides of packages."""
    from imagekit.spec.image import Indexes

    try:
        found = settings.package_indexes()
        access = settings.index_access().joined(Indexes())
    except InvalidConfig as error:
        yield Finding(name="package indexes", status=FAIL, message=error.message, mend=error.hint)
        return
    yield from _asked(found, access)
    yield from _passed_over(found)
    yield from _ways(found, access)
    yield from _policies(found, access)
    yield from _unheeded(found)
    if access.offline:
        yield Finding(name="offline", status=OK, message=f"nothing is fetched ({_offline_by(settings, found)})")
    elif not offline:
        yield from _answers(access)


def _asked(found: PackageIndexes, access: IndexAccess) -> Iterator[Finding]:
    from imagekit.spec.url import redacted

    counted, _ = found.places()
    names = {each.url: each.name for each in access.indexes.named if not each.name.startswith("imagekit-")}
    indexes = access.indexes
    rows = [(url, counted["extra"].origin) for url in indexes.extra]
    if indexes.no_index:
        yield Finding(name="package indexes", status=OK, message=f"none is asked ({counted['no-index'].origin})")
        rows = []
    elif indexes.default is not None:
        rows.append((indexes.default, counted["default"].origin))
    for number, (url, origin) in enumerate(rows, 1):
        login = next(iter(access.logins.of(url)), None)
        named = f"{names[url]} = " if url in names else ""
        signed = f", login from {login.origin}" if login is not None else ""
        yield Finding(name=f"index {number}", status=OK, message=f"{named}{redacted(url)} ({origin}){signed}")
    if indexes.default is None and not indexes.no_index:
        last = ", last" if rows else ""
        message = f"no default is set here: the resolver's own is asked{last}"
        yield Finding(name="package indexes", status=OK, message=message)
    for place in indexes.find_links:
        yield Finding(name="find-links", status=OK, message=f"{redacted(place)} ({counted['find-links'].origin})")


def _passed_over(found: PackageIndexes) -> Iterator[Finding]:
    """What is configured and not asked."""
    from imagekit.settings.package_indexes import is_there
    from imagekit.spec.url import redacted

    counted, passed = found.places()
    for key, setting in passed.items():
        for text in setting.texts or ((setting.text,) if setting.text else ()):
            yield Finding(
                name=f"pip's {key}",
                status=WARN,
                message=f"{redacted(text)} ({setting.origin}) is for pip-tools alone: uv is not told of it",
                mend=f"name it where its place in the order is seen: {_where(key)}",
            )
    for text in counted["find-links"].texts if "find-links" in counted else ():
        if not is_there(text):
            yield Finding(
                name="find-links",
                status=WARN,
                message=f"{redacted(text)} ({counted['find-links'].origin}) is not there: it is passed over",
                mend="make the directory, or take it out",
            )


def _where(key: str) -> str:
    own = {"find-links": "find-links", "default": "index-url"}.get(key, "extra-index-urls")
    variable = {"find-links": "UV_FIND_LINKS", "default": "UV_DEFAULT_INDEX"}.get(key, "UV_INDEX")
    return f"{variable}, or {own} in [tool.imagekit]"


def _ways(found: PackageIndexes, access: IndexAccess) -> Iterator[Finding]:
    """Proxies, certificates, logins."""
    from imagekit.spec.url import redacted

    for scheme, url in (("http", access.proxies.http), ("https", access.proxies.https)):
        if url is not None:
            but = f", but for {', '.join(access.proxies.none_for)}" if access.proxies.none_for else ""
            yield Finding(name=f"{scheme} proxy", status=OK, message=f"{redacted(url)}{but}")
    if access.client_cert is not None:
        yield Finding(name="client certificate", status=OK, message=f"{access.client_cert}")
    if access.insecure_hosts:
        yield Finding(
            name="insecure hosts",
            status=WARN,
            message=f"certificates are not looked at: {', '.join(access.insecure_hosts)}",
            mend="trust the authority of that host instead: SSL_CERT_FILE, or ca-bundle",
        )
    keyring = found.setting("keyring")
    if keyring is not None:
        yield Finding(name="keyring", status=OK, message=f"{keyring.text} ({keyring.origin})")
    path = found.netrc_path
    if path is not None and path.is_file():
        is_open = path.stat().st_mode & 0o077
        yield Finding(
            name="netrc",
            status=WARN if is_open else OK,
            message=f"{path}: {len(found.netrc)} hosts" + (", and others than you may read it" if is_open else ""),
            mend=f"chmod 600 {path}" if is_open else None,
        )


def _policies(found: PackageIndexes, access: IndexAccess) -> Iterator[Finding]:
    rows = (
        ("any index", access.any_index, "strategy", "a package may come from any index, whoever knows it first"),
        ("pre-releases", access.prereleases, "prerelease", "are taken like any other version"),
        ("exclude-newer", access.exclude_newer, "exclude-newer", f"nothing after {access.exclude_newer}"),
    )
    for name, holds, key, message in rows:
        if holds:
            setting = found.setting(key)
            origin = f" ({setting.origin})" if setting is not None else ""
            yield Finding(name=name, status=WARN if key == "strategy" else OK, message=f"{message}{origin}")


def _unheeded(found: PackageIndexes) -> Iterator[Finding]:
    chosen, other = found.unheeded
    for what in chosen:
        yield Finding(
            name="not honoured",
            status=WARN,
            message=f"{what} would change what uv or pip chooses; imagekit does not tell them",
            mend="say it in the project: [tool.imagekit], [tool.uv], or -c FILE in a requirements file",
        )
    if other:
        yield Finding(name="uv and pip", status=OK, message=f"of no matter to resolving: {', '.join(other)}")


def _offline_by(settings: Settings, found: PackageIndexes) -> str:
    own: Found | None = found.setting("offline")
    return str(settings.origin("offline")) if settings.offline or own is None else own.origin


def _answers(access: IndexAccess) -> Iterator[Finding]:
    """Whether the indexes answer; without any here, the resolver's own."""
    from imagekit.lock.download import Downloads
    from imagekit.lock.logins import server_of
    from imagekit.spec.url import redacted

    remote = [url for url in access.urls if url.startswith(("http://", "https://"))]
    if not remote and not access.indexes.no_index:
        yield _resolvers_own(access)
    downloads = Downloads(access, read_seconds=_PATIENCE)
    for url in () if access.indexes.no_index else remote:
        refused = downloads.refused(f"{url.rstrip('/')}/packaging/", server_of(url)[1])
        if refused is None:
            yield Finding(name=_INDEX, status=OK, message=f"{redacted(url)} answers")
        else:
            yield Finding(name=_INDEX, status=FAIL, message=refused.message, mend=refused.hint)


def _resolvers_own(access: IndexAccess) -> Finding:
    """Whether uv's own index answers: it is asked for one small package, with nothing cached."""
    from imagekit.lock.uv import find_uv

    def look() -> Finding:
        with tempfile.TemporaryDirectory(prefix="imagekit-doctor-") as directory:
            Path(directory, "requirements.in").write_text("packaging\n")
            done = subprocess.run(
                [
                    *(str(find_uv()), "pip", "compile", "--no-cache", "--no-config", "--quiet", "--no-header"),
                    *("--no-deps", "--no-annotate", "--only-binary", ":all:", "--", "requirements.in"),
                ],
                env=access.environment(access.for_uv()),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=directory,
                timeout=_PATIENCE,
                check=False,
            )
        if done.returncode == 0:
            return Finding(name=_INDEX, status=OK, message=f"answers ({done.stdout.strip()})")
        return _told(done.stderr, access)

    try:
        return guarded(_INDEX, look)
    except subprocess.TimeoutExpired:
        return Finding(
            name=_INDEX,
            status=FAIL,
            message=f"no answer within {_PATIENCE:.0f} seconds",
            mend="set UV_DEFAULT_INDEX to an index that answers here, or HTTPS_PROXY for a proxy",
        )


def _told(words: str, access: IndexAccess) -> Finding:
    from imagekit.lock.complaints import unreachable
    from imagekit.lock.refusals import first_url, refusal

    error = refusal(words, first_url(words) or "", access) or unreachable(words, words)
    mend = "set UV_DEFAULT_INDEX to an index that answers here; SSL_CERT_FILE, HTTPS_PROXY where a proxy is"
    return Finding(name=_INDEX, status=FAIL, message=error.message, mend=error.hint or mend)
