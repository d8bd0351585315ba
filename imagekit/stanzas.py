"""What Debian's tools write of packages: stanzas of fields (deb-control(5))."""

from __future__ import annotations

from collections.abc import Iterator


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The fields of each stanza that names a package, without their continuation lines; of one twice, the first."""
    for block in text.split("\n\n"):
        stanza: dict[str, str] = {}
        # Not by ``splitlines``: a description may hold other signs that end a line elsewhere.
        for line in block.split("\n"):
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                stanza.setdefault(name, value.strip())
        if stanza.get("Package"):
            yield stanza
