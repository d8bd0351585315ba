"""Which of a base's files go with the distributions that are replaced. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents, Distribution


def doomed(removed: Iterable[Distribution], base: BaseImage, contents: Contents) -> list[str]:
    """Paths (no leading slash) to hide so that the files of ``removed`` are gone: files, or whole directories.

    A file that another distribution owns too stays. A directory goes with the last of its entries, and
    then is the one path that stands for them; those of the installation scheme itself stay.
    """
    gone = {found.metadata for found in removed}
    staying = {path for metadata, paths in contents.files.items() if metadata not in gone for path in paths}
    # Debian's Python has headers beside the prefix for packages, in /usr/include.
    places = tuple(f"{place.rstrip('/')}/" for place in (base.python.scheme.data, base.python.scheme.headers))
    files = {
        path
        for metadata in gone
        for path in contents.files.get(metadata, ())
        # A record may name what lies anywhere; what an installer put there lies in its scheme.
        if path not in staying and path.startswith(places)
    }
    lost = files | _emptied(files, contents, _lasting(base))
    return sorted(path.lstrip("/") for path in lost if path.rpartition("/")[0] not in lost)


def _emptied(files: set[str], contents: Contents, lasting: set[str]) -> set[str]:
    """Directories all of whose entries go, from the deepest up."""
    lost = set(files)
    emptied: set[str] = set()
    above = {directory for path in files for directory in _above(path)}
    for directory in sorted(above, key=lambda path: path.count("/"), reverse=True):
        entries = contents.entries.get(directory)
        if entries and directory not in lasting and all(f"{directory}/{name}" in lost for name in entries):
            lost.add(directory)
            emptied.add(directory)
    return emptied


def _lasting(base: BaseImage) -> set[str]:
    scheme = base.python.scheme
    places = (scheme.purelib, scheme.platlib, scheme.scripts, scheme.headers, scheme.data)
    return {directory for place in places for directory in (place, *_above(place))}


def _above(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
