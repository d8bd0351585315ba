"""What an installed wheel's metadata says, read from its layer."""

from __future__ import annotations

import tarfile

from imagekit.layers.cache import Entry
from imagekit.layers.values import damaged


def read_metadata(entry: Entry, site: str) -> dict[str, str]:
    """The texts of ``METADATA`` and, where there is one, ``entry_points.txt`` below ``site``, by their names.

    Raises ``DamagedLayer`` where the layer cannot be read.
    """
    wanted = {
        path: path.rpartition("/")[2]
        for path in entry.paths()
        if path.startswith(f"{site}/")
        and path.count("/") == site.count("/") + 2
        and path.endswith((".dist-info/METADATA", ".dist-info/entry_points.txt"))
    }
    found: dict[str, str] = {}
    try:
        with tarfile.open(entry.path, "r:") as archive:
            for member in archive:
                name = wanted.get(member.name)
                content = archive.extractfile(member) if name else None
                if name and content:
                    found[name] = content.read().decode("utf-8")
                    if len(found) == len(wanted):
                        break
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise damaged(f"{entry.path} cannot be read: {error}", [entry.path]) from error
    return found
