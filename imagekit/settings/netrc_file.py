"""The logins of a netrc file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from imagekit.errors import InvalidConfig


def netrc_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where it is, or would be."""
    return Path(environ["NETRC"]) if environ.get("NETRC") else home / ".netrc"


def read_netrc(environ: Mapping[str, str], home: Path) -> dict[str, tuple[str, str]]:
    """Host → (user, password), the host ``""`` for ``default``; of ``NETRC``, or of the user's own file.

    ``InvalidConfig`` names the file and line that cannot be read, and shows nothing of it.
    """
    path = netrc_path(environ, home)
    if not path.is_file():
        return {}
    import netrc

    try:
        hosts = netrc.netrc(str(path)).hosts
    except netrc.NetrcParseError as problem:
        raise InvalidConfig(
            f"{path}:{problem.lineno}: not a netrc file", hint="a line is: machine HOST login USER password PASSWORD"
        ) from None
    except (OSError, UnicodeDecodeError):
        raise InvalidConfig(f"{path} cannot be read", hint=f"see: ls -l {path}") from None
    return {
        "" if host == "default" else host: (login or account or "", password or "")
        for host, (login, account, password) in hosts.items()
    }
