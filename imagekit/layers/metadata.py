"""What an installed wheel's metadata says, read from its layer."""

from __future__ import annotations

import tarfile

from imagekit.layers.cache import Entry
from imagekit.layers.values import damaged

_LARGEST = 1 << 20


def read_metadata(entry: Entry, site: str) -> dict[str, str]:
    """The texts of ``METADATA`` and, where there is one, ``entry_points.txt`` of the one package below ``site``.

    Raises ``ValueError`` where there are several packages, or a text is longer than a mebibyte, and
    ``DamagedLayer`` where the layer cannot be read.
    """
    inside = [path[len(site) + 1 :] for path in entry.paths() if path.startswith(f"{site}/")]
    places = {path.partition("/")[0] for path in inside if path.partition("/")[0].endswith(".dist-info")}
    if len(places) != 1:
        raise ValueError(f"{entry.title} has {len(places)} .dist-info directories")
    (place,) = places
    names = ("METADATA", "entry_points.txt")
    wanted = {f"{site}/{place}/{name}": name for name in names if f"{place}/{name}" in inside}
    found: dict[str, str] = {}
    try:
        with tarfile.open(entry.path, "r:") as archive:
            for member in archive:
                name = wanted.get(member.name)
                if name and member.size > _LARGEST:
                    raise ValueError(f"{name} has {member.size} bytes")
                content = archive.extractfile(member) if name else None
                if name and content:
                    found[name] = content.read().decode("utf-8")
                    if len(found) == len(wanted):
                        break
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise damaged(f"{entry.path} cannot be read: {error}", [entry.path]) from error
    return found
