"""Wheels of this machine that a resolver's files name by ``file:`` URLs, where a base sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.request import url2pathname

from imagekit.lock.runner import DIRECTORIES

OVERRIDES = "overrides.txt"  # where packages are, whatever the metadata of others says of it

_WHEEL = re.compile(rb"(?<= @ )file://(/[^\s;]+\.whl)")


def in_base_wheels(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, Path]]:
    """``files`` with every such wheel named as the base sees it, and the directories that it needs, by name."""
    directories: dict[str, Path] = {}

    def seen(found: re.Match[bytes]) -> bytes:
        url = found[1].decode()
        directory = Path(url2pathname(url)).parent
        name = next((n for n, known in directories.items() if known == directory), f"wheels{len(directories)}")
        directories[name] = directory
        return f"file://{DIRECTORIES / name}/{url.rpartition('/')[2]}".encode()

    texts = {name: _WHEEL.sub(seen, data) if "/" not in name else data for name, data in files.items()}
    return texts, directories
