"""Reading all that is kept, and finding what is not what was written."""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagekit.cache.kinds import KINDS, Unit, scan
from imagekit.errors import DamagedLayer, RepositoryError
from imagekit.git.remote import Git
from imagekit.layers.cache import read_entry
from imagekit.layers.values import digest_of_file, read_file
from imagekit.notes import from_note
from imagekit.oci.digest import is_digest
from imagekit.progress import Reporter
from imagekit.sharing.once import SUFFIX
from imagekit.spec.source_tree import tree_digest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]


@dataclass(frozen=True, slots=True)
class Damage:
    """An entry that is not what was written."""

    unit: Unit
    reason: str


def verify(root: Path, reporter: Reporter) -> tuple[int, list[Damage]]:
    """How many entries of ``root`` were read, and the damaged ones among them."""
    units = scan(root).units
    damaged: list[Damage] = []
    # sha256 lets other threads run.
    with (
        reporter.task("verifying the cache", total=sum(unit.size for unit in units), unit="B") as task,
        ThreadPoolExecutor(max_workers=2, thread_name_prefix="imagekit-verify") as pool,
    ):
        try:
            for unit, reason in zip(units, pool.map(_judged, units), strict=True):
                task.advance(unit.size)
                if reason is not None and (reason := _second_look(unit)) is not None:
                    damaged.append(Damage(unit, reason))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(units), damaged


def _judged(unit: Unit) -> str | None:
    try:
        return next(_JUDGES[unit.kind.name](unit), None)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"cannot be read ({error})"


def _second_look(unit: Unit) -> str | None:
    """What is wrong with ``unit`` as it is now: when it was found it may have been half there, or half gone."""
    first = unit.paths[0]
    if not first.is_dir():
        unit.paths[:] = [path for path in first.parent.glob(f"{unit.key}.*") if path.suffix != SUFFIX]
        if not first.with_name(unit.key + SUFFIX).exists() and unit.paths:
            return _judged(unit)
        return None
    return _judged(unit)


def _layer(unit: Unit) -> Iterator[str]:
    paths = {path.suffix: path for path in unit.paths}
    if set(paths) <= {".group", ".note"}:
        if ".group" in paths and not is_digest(read_file(paths[".group"]).decode("ascii")):
            yield "its digest is none"
        return
    if set(paths) - {".group", ".note"} != {".tar", ".json", ".paths"}:
        yield "a file of it is missing"
        return
    entry = read_entry(paths[".tar"])
    if entry is None:
        yield "cut short, or not what is noted of it"
        return
    try:
        entry.paths()
    except DamagedLayer as error:
        yield error.message
    if digest_of_file(entry.path) != entry.diff_id:
        yield "other bytes than were written"


def _blob(unit: Unit) -> Iterator[str]:
    notes = [path for path in unit.paths if path.suffix == ".json"]
    contents = [path for path in unit.paths if path.suffix != ".json"]
    if not notes or not contents:
        yield "a file of it is missing"
        return
    known = from_note(read_file(notes[0]))
    digests = {value for value in _texts(known) if is_digest(value)}
    for path in contents:
        # Its note names the digest among others: that of what it unpacks to.
        if digest_of_file(path) not in digests:
            yield "other bytes than were written"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _wheel(unit: Unit) -> Iterator[str]:
    """``<sha256>/<file>``, or ``<key>/<sha256>/<file>``."""
    for path in unit.paths:
        for file in path.rglob("*"):
            is_kept = file.is_file() and not file.name.startswith(".")
            if is_kept and digest_of_file(file).removeprefix("sha256:") != file.parent.name:
                yield f"{file.name} has another hash"
        if not path.is_dir():
            yield "no directory"


def _layout(unit: Unit) -> Iterator[str]:
    """An OCI layout: each blob is what its name says."""
    for path in unit.paths:
        for file in path.glob("blobs/sha256/*"):
            if digest_of_file(file).removeprefix("sha256:") != file.name:
                yield f"{file.name} holds other bytes"


def _base(unit: Unit) -> Iterator[str]:
    paths = {path.suffix: path for path in unit.paths}
    known = json.loads(read_file(paths[".json"]))
    if digest_of_file(paths[".tar"]) != known["diff_id"]:
        yield "other bytes than were written"


def _deb(unit: Unit) -> Iterator[str]:
    for path in unit.paths:
        if digest_of_file(path).removeprefix("sha256:") != unit.key:
            yield "another hash"


def _repodata(unit: Unit) -> Iterator[str]:
    """py-rattler's own files, which it looks at whenever it reads them."""
    if not all(path.is_dir() for path in unit.paths):
        yield "no directory"


def _unpacked(unit: Unit) -> Iterator[str]:
    """Whether it still starts is seen whenever it is to."""
    for path in unit.paths:
        if not isinstance(json.loads(read_file(path / "note.json")), dict) or not (path / "root").is_dir():
            yield "no interpreter"


def _checkout(unit: Unit) -> Iterator[str]:
    for path in unit.paths:
        known = json.loads(read_file(path / "note.json"))
        if tree_digest(path / known["tree"]) != known["digest"]:
            yield "other files than were written"


def _repository(unit: Unit) -> Iterator[str]:
    """As git judges it; without git nothing can be said, and nothing used."""
    for path in unit.paths:
        arguments = ["--git-dir", str(path), "fsck", "--connectivity-only"]
        with suppress(RepositoryError):
            if (path / "HEAD").is_file() and Git().run(path.as_uri(), arguments).returncode != 0:
                yield "no sound repository"


def _note(unit: Unit) -> Iterator[str]:
    """Notes of several rooms, each of which takes one that it cannot read for none."""
    for path in unit.paths:
        data = read_file(path)
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        if path.suffix == ".toml":
            tomllib.loads(data.decode())
        elif ".json" in path.suffixes and not isinstance(json.loads(data), dict):
            yield "no JSON object"


def _record(unit: Unit) -> Iterator[str]:
    for path in unit.paths:
        try:
            from_note(read_file(path))
        except ValueError:
            yield "other bytes than were written"


def _records(unit: Unit) -> Iterator[str]:
    """A directory of notes, one for each image."""
    for path in unit.paths:
        for file in path.glob("*.json"):
            from_note(read_file(file))
        if not path.is_dir():
            yield "no directory"


def _image_id(unit: Unit) -> Iterator[str]:
    """The image is the engine's to have, and is looked up there."""
    for path in unit.paths:
        if not re.fullmatch(rb"sha256:[0-9a-f]{64}", read_file(path)):
            yield "no image ID"


def _signing_key(unit: Unit) -> Iterator[str]:
    """Held to its fingerprint whenever it is used (``recipes.keys``)."""
    if not all(read_file(path) for path in unit.paths):
        yield "empty"


_JUDGES: dict[str, Callable[[Unit], Iterator[str]]] = {
    "layers": _layer,
    "blobs": _blob,
    "wheels": _wheel,
    "built": _wheel,
    "bases": _base,
    "debs": _deb,
    "repodata": _repodata,
    "unpacked": _unpacked,
    "derived": _layout,
    "checkouts": _checkout,
    "repositories": _repository,
    "facts": _note,
    "checks": _note,
    "scans": _note,
    "needs": _record,
    "preflights": _note,
    "commands": _image_id,
    "locks": _note,
    "extras": _records,
    "builds": _record,
    "contents": _record,
    "images": _record,
    "homes": _record,
    "keys": _signing_key,
}
assert set(_JUDGES) == {kind.name for kind in KINDS}
