"""A systemd unit of a worker. Source: systemd.service(5), systemd.exec(5), systemd.kill(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What says where the store, the configuration and the engine are.
_PASSED_ON = """XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME IMAGEKIT_CONFIG_FILE IMAGEKIT_CACHE_DIR
    IMAGEKIT_PROFILE IMAGEKIT_ENGINE DOCKER_HOST DOCKER_CONFIG""".split()
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def systemd_unit(
    pool: str, limit: int, python: str, variables: Mapping[str, str], *, prefetch: int | None = None
) -> str:
    """A unit that starts ``python -m imagekit worker start``, and starts it again where it fails.

    When it is stopped it has a minute and a half for the runs it has, and those that are not over by then are adopted
    when it starts again.
    """
    command = _words([python, "-m", "imagekit", "worker", "start", "--pool", pool, "--limit", str(limit)])
    command += f" --prefetch-seconds {prefetch}" if prefetch is not None else ""
    passed = [f"{name}={variables[name]}" for name in _PASSED_ON if variables.get(name)]
    environment = "".join(f"Environment={_quoted(each, dollars=False)}\n" for each in passed)
    described = pool.replace("%", "%%")
    return f"""[Unit]
Description=imagekit worker of the work pool {described}
After=network-online.target docker.service
Wants=network-online.target

[Service]
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=90

[Install]
WantedBy=default.target
"""


def _words(words: Sequence[str]) -> str:
    return " ".join(_quoted(word, dollars=True) for word in words)


def _quoted(word: str, *, dollars: bool) -> str:
    # % begins a specifier everywhere, $ a variable in commands alone.
    word = word.replace("%", "%%")
    if dollars:
        word = word.replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
