"""The process in which py-rattler solves one environment: JSON on standard input, JSON on standard output.

It takes proxies and certificates from its process's environment alone, which is not ours to change; and its threads may
abort a process that ends while they are at work.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from imagekit.conda.channels import ChannelPlace, client_of

SOLVER, SERVERS = "solver", "servers"  # what an answer without records is about


def main() -> None:
    """Answer ``{"records": […]}``, or ``{"error": SOLVER or SERVERS, "words": …}``."""
    import rattler
    from rattler import exceptions

    asked = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {"records": [_record(each) for each in asyncio.run(_solved(asked, rattler))]}
    except exceptions.SolverError as error:
        answer = {"error": SOLVER, "words": str(error)}
    except _of_servers(exceptions) as error:
        answer = {"error": SERVERS, "words": str(error)}
    print(json.dumps(answer), flush=True)
    # Its threads are not waited for: some abort where the interpreter is gone.
    os._exit(0)


async def _solved(asked: Mapping[str, Any], rattler: ModuleType) -> list[Any]:
    places = [ChannelPlace(**place) for place in asked["places"]]
    found: list[Any] = await rattler.solve(
        sources=[rattler.Channel(place.url) for place in places],
        specs=[rattler.MatchSpec(text) for text in asked["specs"]],
        gateway=_gateway(rattler, Path(asked["repodata"]), places, offline=asked["offline"]),
        platforms=[rattler.Subdir(asked["subdir"]), rattler.Subdir("noarch")],
        virtual_packages=[
            rattler.GenericVirtualPackage(
                rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
            )
            for name, version, build in asked["virtual"]
        ],
        channel_priority=getattr(rattler.ChannelPriority, asked["priority"]),
        constraints=[rattler.MatchSpec(text) for text in asked["keep"]],
    )
    return found


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
    client = client_of(places, rattler)
    return rattler.Gateway(cache_dir=repodata, per_channel_config=config, **({"client": client} if client else {}))


def _record(record: Any) -> dict[str, Any]:
    """What ``values.CondaPackage`` has of a package, but for its channel's name."""
    noarch = record.noarch
    return {
        "name": record.name.normalized,
        "version": str(record.version),
        "build": str(record.build),
        "build_number": int(record.build_number),
        "subdir": record.subdir,
        "channel": str(record.channel or ""),
        "url": str(record.url),
        "filename": record.file_name,
        "sha256": bytes(record.sha256).hex() if record.sha256 is not None else "",
        "md5": bytes(record.md5).hex() if record.md5 is not None else "",
        "size": record.size or 0,
        "depends": list(record.depends),
        "constrains": list(record.constrains),
        "noarch": "python" if noarch.python else "generic" if noarch.generic else "",
        "site_packages": getattr(record, "python_site_packages_path", None) or "",
        "license": record.license or "",
        "timestamp": _milliseconds(record.timestamp),
    }


def _milliseconds(moment: Any) -> int | None:
    if moment is None:
        return None
    return round(moment.timestamp() * 1000) if hasattr(moment, "timestamp") else int(moment)
