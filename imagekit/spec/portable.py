"""Requirements as they may be told on another machine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

_FILE_URL = re.compile(r"((?:git\+)?)file://(/[^\s;@#]*)")


def portable(text: str, context: Path) -> str:
    """A requirement's text without paths of this machine: those in ``context`` are relative to it."""

    def name(found: re.Match[str]) -> str:
        path = Path(unquote(found[2]))
        inside = path.is_relative_to(context)
        return f"{found[1]}file:{path.relative_to(context).as_posix() if inside else path.name}"

    return _FILE_URL.sub(name, text)
