"""Asking py-rattler: which packages of which channels make the environment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from imagekit.conda.channels import ChannelPlace, client_of, without_token
from imagekit.conda.values import CondaPackage
from imagekit.errors import IndexUnreachable, InputError, InvalidRequirement, ResolveError, Unsatisfiable
from imagekit.lock.redaction import redacted
from imagekit.spec.conda import CondaWanted

_PRIORITIES = {"strict": "Strict", "flexible": "Flexible", "disabled": "Disabled"}


def check_lines(wanted: CondaWanted, rattler: ModuleType) -> None:
    """``InvalidRequirement`` for what is no match spec, or names a channel that is not asked; all of them at once."""
    problems: list[InputError] = []
    for line in wanted.packages:
        try:
            rattler.MatchSpec(line.text)
        except Exception as error:
            problems.append(
                InvalidRequirement(
                    f"{line.origin}: {line.text!r} is no match spec: {_words(error)}", hint='write "NAME=VERSION"'
                )
            )
    if problems:
        raise InputError.join(problems)


def solve(
    wanted: CondaWanted,
    *,
    subdir: str,
    virtual: Sequence[tuple[str, str, str]],
    places: Sequence[ChannelPlace],
    rattler: ModuleType,
    repodata: Path,
    offline: bool,
    keep: Sequence[str] = (),
) -> tuple[CondaPackage, ...]:
    """The packages of the environment, in name order.

    ``repodata`` is where the channels' lists of packages are kept; ``keep`` are match specs that hold for what is
    taken, whether asked for or not. Raises ``Unsatisfiable`` with the solver's words, and ``IndexUnreachable``.
    """

    from rattler import exceptions

    async def ask() -> list[Any]:
        found: list[Any] = await rattler.solve(
            sources=[rattler.Channel(place.url) for place in places],
            specs=[rattler.MatchSpec(line.text) for line in wanted.packages],
            gateway=_gateway(rattler, repodata, places, offline=offline),
            platforms=[rattler.Subdir(subdir), rattler.Subdir("noarch")],
            virtual_packages=[
                rattler.GenericVirtualPackage(
                    rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
                )
                for name, version, build in virtual
            ],
            channel_priority=getattr(rattler.ChannelPriority, _PRIORITIES[wanted.priority]),
            constraints=[rattler.MatchSpec(text) for text in keep],
        )
        return found

    try:
        # Whoever calls may be in a loop of their own.
        with ThreadPoolExecutor(1, thread_name_prefix="imagekit-conda") as pool:
            records = pool.submit(asyncio.run, ask()).result()
    except exceptions.SolverError as error:
        raise Unsatisfiable(
            f"no set of conda packages fits: {_first(_words(error))}",
            hint="loosen what is asked for, or name another channel: conda-channels",
            details=_words(error, whole=True),
        ) from None
    except _of_servers(exceptions) as error:
        raise _unreachable(error, places, offline=offline) from None
    names = {line.name for line in wanted.packages}
    packages = [_package(record, places, direct=record.name.normalized in names) for record in records]
    return tuple(sorted(packages, key=lambda package: package.name))


def _of_servers(exceptions: ModuleType) -> tuple[type[Exception], ...]:
    """What py-rattler raises when a channel's list of packages is not to be had."""
    names = ("GatewayError", "FetchRepoDataError", "IoError", "InvalidUrlError", "InvalidChannelError")
    return tuple(getattr(exceptions, name) for name in names)


def _gateway(rattler: ModuleType, repodata: Path, places: Sequence[ChannelPlace], *, offline: bool) -> Any:
    config = {}
    if offline:
        remote = [place for place in places if not place.url.startswith("file:")]
        only_kept = rattler.SourceConfig(cache_action="force-cache-only")
        config = {f"{place.url}/": only_kept for place in remote}
    repodata.mkdir(parents=True, exist_ok=True, mode=0o700)
    client = client_of(places, rattler)
    return rattler.Gateway(cache_dir=repodata, per_channel_config=config, **({"client": client} if client else {}))


def _unreachable(error: Exception, places: Sequence[ChannelPlace], *, offline: bool) -> ResolveError:
    words = _words(error, whole=True)
    for place in places:
        words = words.replace(place.fetched, place.url)
    named = next((place.name for place in places if place.url in words), places[0].name if len(places) == 1 else None)
    which = f"the channel {named}" if named is not None else f"a channel ({', '.join(p.name for p in places)})"
    if offline:
        return IndexUnreachable(
            f"offline, and what {which} has is not kept here",
            hint="build once with the network, or name a channel of this machine: file:///DIRECTORY",
            details=words,
        )
    return IndexUnreachable(
        f"{which} cannot be read: {_first(words)}",
        hint="look at its name, the network and its login (conda-secrets); other channels: conda-channels",
        details=words,
    )


def _package(record: Any, places: Sequence[ChannelPlace], *, direct: bool) -> CondaPackage:
    url = without_token(str(record.url))
    channel = next((place.name for place in places if url.startswith(f"{place.url}/")), str(record.channel or ""))
    if record.sha256 is None:
        raise ResolveError(
            f"{record.file_name} has no sha256 in the channel {channel}, and nothing is installed without one",
            hint="index the channel anew (conda index), or take the package from another one",
        )
    noarch = record.noarch
    return CondaPackage(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=int(record.build_number),
        subdir=record.subdir,
        channel=channel,
        url=url,
        filename=record.file_name,
        sha256=bytes(record.sha256).hex(),
        md5=bytes(record.md5).hex() if record.md5 is not None else "",
        size=record.size or 0,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        noarch="python" if noarch.python else "generic" if noarch.generic else "",
        site_packages=getattr(record, "python_site_packages_path", None) or "",
        license=record.license or "",
        timestamp=_milliseconds(record.timestamp),
        direct=direct,
    )


def _milliseconds(moment: Any) -> int | None:
    if moment is None:
        return None
    return round(moment.timestamp() * 1000) if hasattr(moment, "timestamp") else int(moment)


def _words(error: BaseException, *, whole: bool = False) -> str:
    text = redacted(str(error)).strip()
    return text if whole else " ".join(text.split())


def _first(words: str) -> str:
    """The first line of a program's words, or as much of it as a line holds."""
    line = next((line.strip() for line in words.splitlines() if line.strip()), "no word of it")
    return line if len(line) <= 160 else f"{line[:157]}…"
