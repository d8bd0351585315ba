"""How an assembled image may differ from one that an installer made: the whole list, each with its reason. Pure.

Everything that is not on it is a difference. A rule looks at both files: it says of a name alone only
where the installer's file is of the installer itself.
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagekit.check.saved_image import File
from imagekit.plan.prefix import Prefix

Rule = Callable[[str, "File | None", "File | None"], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One kind of difference that is meant; ``covers(path, assembled, reference)`` says whether it is that one."""

    name: str
    reason: str
    covers: Rule


def documented(place: Prefix) -> tuple[Documented, ...]:
    """The list for packages at ``place``."""
    prefix = place.root
    own = re.compile(
        re.escape(prefix) + r"/(\.gitignore|\.lock|CACHEDIR\.TAG|bin/(activate(\.\w+|_this\.py)?|\w+\.bat))"
    )
    scripts = f"{place.scripts_path}/"
    return (
        Documented(
            name="shells",
            reason="scripts that activate an environment in a shell, and uv's own marks of one: an image has its PATH",
            covers=lambda path, ours, theirs: ours is None and own.fullmatch(path) is not None,
        ),
        Documented(
            name="pyvenv.cfg",
            reason="uv adds its own version to it; the interpreter and its version are the same",
            covers=lambda path, ours, theirs: path == f"{prefix}/pyvenv.cfg" and _both(ours, theirs, _environment),
        ),
        Documented(
            name="INSTALLER",
            reason="it names who installed the package (PEP 376): imagekit here, uv there",
            covers=lambda path, ours, theirs: (
                _in_dist_info(path, "INSTALLER") and _data(ours) == b"imagekit\n" and _data(theirs) == b"uv"
            ),
        ),
        Documented(
            name="REQUESTED",
            reason="whether a package was asked for is the lock's to say (the label imagekit.lock), not its layer's",
            covers=lambda path, ours, theirs: (
                ours is None and _in_dist_info(path, "REQUESTED") and theirs is not None and theirs.size == 0
            ),
        ),
        Documented(
            name="uv_cache.json",
            reason="when uv took a local wheel into its cache: of the machine it was on",
            covers=lambda path, ours, theirs: ours is None and _in_dist_info(path, "uv_cache.json"),
        ),
        Documented(
            name="pip3.X",
            reason="uv and pip give pip one script more than it asks for, by the interpreter's version",
            covers=lambda path, ours, theirs: ours is None and _PIP.fullmatch(path.removeprefix(scripts)) is not None,
        ),
        Documented(
            name="RECORD",
            reason="its rows of the files named here; and uv leaves it the mode that the wheel's own has",
            covers=lambda path, ours, theirs: (
                _in_dist_info(path, "RECORD")
                and _both(ours, theirs, lambda data: _rows(data, path, scripts), modes=False)
            ),
        ),
        Documented(
            name="scripts",
            reason="the text around an entry point's call; the interpreter and the call are the same",
            covers=lambda path, ours, theirs: path.startswith(scripts) and _both(ours, theirs, _call),
        ),
    )


def kept(place: Prefix) -> Callable[[str], bool]:
    """Which files' bytes the list looks at."""
    names = ("INSTALLER", "RECORD")
    prefix, scripts = place.root, place.scripts_path
    return lambda path: (
        path == f"{prefix}/pyvenv.cfg"
        or any(_in_dist_info(path, name) for name in names)
        or posixpath.dirname(path) == scripts
    )


def _data(file: File | None) -> bytes | None:
    return file.content.data if file is not None and file.content is not None else None


def _both(ours: File | None, theirs: File | None, meaning: Callable[[bytes], object], *, modes: bool = True) -> bool:
    """Whether two files of the same owner, and mode where ``modes``, mean the same, and mean something."""
    mine, others = _data(ours), _data(theirs)
    if ours is None or theirs is None or mine is None or others is None:
        return False
    if (ours.uid, ours.gid) != (theirs.uid, theirs.gid) or (modes and ours.mode != theirs.mode):
        return False
    found = meaning(mine)
    return found is not None and found == meaning(others)


def _in_dist_info(path: str, name: str) -> bool:
    return path.endswith(f".dist-info/{name}")


def _environment(data: bytes) -> Mapping[str, str] | None:
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    found = {key.strip().lower(): value.strip() for key, _, value in lines}
    # PEP 405 has the first two; uv and virtualenv write version_info where venv writes version.
    keys = ("home", "include-system-site-packages")
    if not all(key in found for key in keys):
        return None
    return {**{key: found[key] for key in keys}, "version": found.get("version") or found.get("version_info", "")}


def _rows(data: bytes, path: str, scripts: str) -> set[tuple[str, ...]] | None:
    """The rows of a RECORD but for those that the other rules cover."""
    site, info = posixpath.dirname(posixpath.dirname(path)), posixpath.basename(posixpath.dirname(path))
    own = {f"{info}/{name}" for name in ("INSTALLER", "REQUESTED", "RECORD", "uv_cache.json")}
    try:
        rows = {tuple(row) for row in csv.reader(data.decode("utf-8").splitlines())}
    except (UnicodeDecodeError, csv.Error):
        return None
    found: set[tuple[str, ...]] = set()
    for row in rows:
        if len(row) != 3:
            return None
        if row[0] in own:
            continue
        place = posixpath.normpath(posixpath.join(site, row[0]))
        if place.startswith(scripts) and _PIP.fullmatch(place.removeprefix(scripts)):
            continue
        # An entry point's script has another text, and so another hash; that it is there is compared.
        found.add((row[0],) if place.startswith(scripts) else row)
    return found


_PIP = re.compile(r"pip3\.\d+")
_CALL = re.compile(
    rb"#!(?P<python>[^\n]+)\n(?:[^\n]*\n)*?from (?P<module>[\w.]+) import (?P<name>\w+)\n"
    rb"(?:[^\n]*\n)*?    sys\.exit\((?P<call>[\w.]+)\(\)\)\n?"
)


def _call(data: bytes) -> tuple[bytes, ...] | None:
    """Interpreter, module, name and call of an entry point's script, as all installers write them."""
    found = _CALL.fullmatch(data)
    return found.group("python", "module", "name", "call") if found is not None else None
