"""Asking py-rattler: which packages of which channels make the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from imagekit.conda.asking import SOLVER
from imagekit.conda.channels import ChannelPlace, without_token
from imagekit.conda.values import CondaPackage
from imagekit.errors import IndexUnreachable, InputError, InvalidRequirement, ResolveError, Unsatisfiable
from imagekit.spec.conda import CondaWanted
from imagekit.spec.url import redacted

# The same modules as here are found there, whatever lies in the working directory.
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from imagekit.conda.asking import main; main()"
_PRIORITIES = {"strict": "Strict", "flexible": "Flexible", "disabled": "Disabled"}


def check_lines(wanted: CondaWanted, rattler: ModuleType) -> None:
    """``InvalidRequirement`` for what is no match spec; all of them at once."""
    problems: list[InputError] = []
    for line in wanted.packages:
        try:
            rattler.MatchSpec(line.text)
        except Exception as error:
            problems.append(
                InvalidRequirement(
                    f"{line.origin}: {line.text!r} is no match spec: {_line(str(error))}", hint='write "NAME=VERSION"'
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
    repodata: Path,
    offline: bool,
    environment: Mapping[str, str] | None,
    keep: Sequence[str] = (),
) -> tuple[CondaPackage, ...]:
    """The packages of the environment, in name order.

    ``repodata`` is where the channels' lists of packages are kept; ``environment`` has the proxies and certificates by
    which they are fetched; ``keep`` are match specs that hold for what is taken, whether asked for or not. Raises
    ``Unsatisfiable`` with the solver's words, and ``IndexUnreachable``.
    """
    asked = {
        "places": [asdict(place) for place in places],
        "specs": [line.text for line in wanted.packages],
        "subdir": subdir,
        "virtual": list(virtual),
        "priority": _PRIORITIES[wanted.priority],
        "keep": list(keep),
        "repodata": str(repodata),
        "offline": offline,
    }
    answer = _answered(asked, environment)
    if "records" not in answer:
        words = redacted(answer["words"]).strip()
        if answer["error"] != SOLVER:
            raise _unreachable(words, places, offline=offline)
        raise Unsatisfiable(
            f"no set of conda packages fits: {_first(_line(words))}",
            hint="loosen what is asked for, or name another channel: conda-channels",
            details=words,
        )
    names = {line.name for line in wanted.packages}
    packages = [_package(record, places, direct=record["name"] in names) for record in answer["records"]]
    return tuple(sorted(packages, key=lambda package: package.name))


def _answered(asked: Mapping[str, Any], environment: Mapping[str, str] | None) -> dict[str, Any]:
    # Logins go by standard input: neither arguments nor the environment have them.
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
        input=json.dumps(asked),
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        words = redacted(done.stderr).strip()
        raise ResolveError(
            f"py-rattler gave no answer: {_first(words.rpartition(chr(10))[2])}",
            hint="try another version of it: pip install --upgrade py-rattler",
            details=words,
        ) from None
    return answer


def _unreachable(words: str, places: Sequence[ChannelPlace], *, offline: bool) -> ResolveError:
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
    trust = "imagekit config set ca-bundle=FILE.pem says whom to trust"
    usual = "look at its name, the network and its login (conda-secrets); other channels: conda-channels"
    return IndexUnreachable(
        f"{which} cannot be read: {_first(_cause(words))}",
        hint=trust if "certificate" in words else usual,
        details=words,
    )


def _package(record: Mapping[str, Any], places: Sequence[ChannelPlace], *, direct: bool) -> CondaPackage:
    url = without_token(record["url"])
    channel = next((place.name for place in places if url.startswith(f"{place.url}/")), record["channel"])
    if not record["sha256"]:
        raise ResolveError(
            f"{record['filename']} has no sha256 in the channel {channel}, and nothing is installed without one",
            hint="index the channel anew (conda index), or take the package from another one",
        )
    lists = {name: tuple(record[name]) for name in ("depends", "constrains")}
    return CondaPackage(**{**record, **lists, "channel": channel, "url": url, "direct": direct})


def _cause(words: str) -> str:
    """The last cause that py-rattler names, if it names any: it goes from what was tried to why that failed."""
    return words.rpartition("Caused by: ")[2]


def _line(words: str) -> str:
    return " ".join(redacted(words).split())


def _first(words: str) -> str:
    """The first line of a program's words, or as much of it as a line holds."""
    line = next((line.strip() for line in words.splitlines() if line.strip()), "no word of it")
    return line if len(line) <= 160 else f"{line[:157]}…"
