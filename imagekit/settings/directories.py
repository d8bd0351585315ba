"""Where the user's files are: configuration, cache, data, state, and Docker's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from imagekit.errors import InvalidConfig


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is, or would be."""
    if explicit := environ.get("IMAGEKIT_CONFIG_FILE"):
        return expanded(explicit, environ, "IMAGEKIT_CONFIG_FILE")
    return user_directory(environ, "XDG_CONFIG_HOME", ".config") / "config.toml"


def docker_config(environ: Mapping[str, str]) -> Path:
    """Docker's own configuration directory."""
    return Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home(environ) / ".docker"


def home(environ: Mapping[str, str]) -> Path:
    """The user's home directory: ``HOME``, or the account's where that is unset or relative."""
    chosen = Path(environ.get("HOME", ""))
    if chosen.is_absolute():
        return chosen
    if sys.platform == "win32":
        return Path.home()
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")  # as engines have it for a user without an account


def expanded(text: str, environ: Mapping[str, str], variable: str) -> Path:
    """``text`` with a leading ``~`` replaced."""
    if text == "~" or text.startswith("~/"):
        return home(environ) / text[2:]
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InvalidConfig(
            f"{variable} is {text!r}, and that home directory is not known", hint="write the whole path: /home/NAME/…"
        ) from None


def user_directory(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """imagekit's directory of one kind: ``variable`` is XDG's for it (``XDG_CACHE_HOME``)."""
    if sys.platform in ("darwin", "win32"):
        import platformdirs

        of_platform = {
            "XDG_CACHE_HOME": platformdirs.user_cache_path,
            "XDG_CONFIG_HOME": platformdirs.user_config_path,
            "XDG_DATA_HOME": platformdirs.user_data_path,
            "XDG_STATE_HOME": platformdirs.user_state_path,
        }
        return of_platform[variable]("imagekit")
    # XDG Base Directory Specification: a relative path is invalid and to be ignored.
    chosen = environ.get(variable, "")
    return (Path(chosen) if chosen.startswith("/") else home(environ) / below_home) / "imagekit"
