"""Addresses of git repositories as people and other programs write them."""

from __future__ import annotations

import re

_SCP = re.compile(r"(?P<user>[A-Za-z_][\w.-]*)@(?P<host>[^:/\s]+):(?P<path>.+)")


def git_url(text: str) -> str:
    """``text`` as a URL: git's own short form for ssh (``git@HOST:PATH``) is none."""
    scp = _SCP.fullmatch(text)
    return f"ssh://{scp['user']}@{scp['host']}/{scp['path']}" if scp else text
