"""The index that uv asks where nobody names one. Only uv knows it: its own help says which it is."""

from __future__ import annotations

import re
import subprocess
from functools import cache

from imagekit.errors import InvalidConfig

_SAID = re.compile(r"--default-index.*?\(by\s+default:\s+<(?P<url>[^>\s]+)>\)", re.DOTALL)


@cache
def uv_default_index() -> str:
    """Its URL; :class:`InvalidConfig` where this uv does not say it, :class:`ResolveError` where there is no uv."""
    from imagekit.lock.uv import find_uv

    done = subprocess.run(
        [find_uv(), "pip", "compile", "--help"],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    found = _SAID.search(done.stdout)
    if found is None:
        raise InvalidConfig(
            "an index is asked after the default one, whose address is not known here",
            hint="name it: index-url in [tool.imagekit], or UV_DEFAULT_INDEX",
        )
    return found["url"]
