"""What Debian's tools write of packages: stanzas of fields (deb-control(5))."""

from __future__ import annotations

from collections.abc import Iterator


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The fields of each stanza that names a package, without their continuation lines."""
    for block in text.split("\n\n"):
        fields = (line.partition(":") for line in block.splitlines() if line and not line[0].isspace())
        stanza = {name: value.strip() for name, _, value in fields}
        if stanza.get("Package"):
            yield stanza
