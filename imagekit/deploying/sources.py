"""A flow's source as ``from_source`` is given it, in the form in which it is kept: pip's VCS URLs, or a directory."""

from __future__ import annotations

import re
from pathlib import Path

_URL = re.compile(r"(https|ssh|file)://", re.IGNORECASE)


def source_text(given: str | Path, secret: str | None) -> str:
    """``given`` as ``git+URL`` or an absolute directory. ``InputError`` for anything else; no server is asked."""
    from imagekit.checkouts.find import check_source
    from imagekit.checkouts.read import read_source
    from imagekit.spec.git_url import git_url

    if isinstance(given, str) and not Path(given).is_dir():
        # As Prefect and git take it.
        given = git_url(given)
        given = f"git+{given}" if _URL.match(given) else given
    source = read_source(given, Path.cwd())
    check_source(source, secret)
    return str(source)
