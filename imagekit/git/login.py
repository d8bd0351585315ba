"""A login of a git server: handed to git by its environment, and to the one server that it is for.

Source: gitcredentials(7) (helpers, ``credential.URL.helper``), git(1) (``GIT_SSH_COMMAND``), ssh(1).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import urlsplit

from imagekit.secrets.needles import needles

_USER, _PASSWORD = "IMAGEKIT_GIT_USER", "IMAGEKIT_GIT_PASSWORD"
# git's own form of a helper; what it appends ("get") is a comment. The values are in the environment alone.
_HELPER = f'!printf \'username=%s\\npassword=%s\\n\' "${_USER}" "${_PASSWORD}" #'
_PATIENCE = 60.0  # seconds, for a helper


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLogin:
    """A user and password for the server of ``url``, or the private key that an ssh server takes."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    key_file: str | None = None  # a path that holds the key while the login is used

    def settings(self, url: str) -> list[str]:
        """Settings of git that make it ask for the password, where ``url`` is on the login's server."""
        if self.key_file is not None or server_of(url) != server_of(self.url):
            return []
        return [f"credential.{server_of(self.url)}.helper={_HELPER}"]

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What git's environment has of it, beside ``environment``."""
        if self.key_file is None:
            return {_USER: self.user, _PASSWORD: self.password}
        own = shlex.quote(environment["GIT_SSH"]) if environment.get("GIT_SSH") else "ssh -oBatchMode=yes"
        command = environment.get("GIT_SSH_COMMAND") or own
        return {"GIT_SSH_COMMAND": f"{command} -oIdentitiesOnly=yes -i {shlex.quote(self.key_file)}"}

    def concealed(self, words: str) -> str:
        """``words`` without the password in any form."""
        return needles([self.password.encode("utf-8", "surrogateescape")]).concealed(words)


@contextmanager
def login_by_key(url: str, key: str) -> Iterator[GitLogin]:
    """The login with a private key, whose text is in a file without a name while the block lasts.

    ssh closes the descriptors that it inherits, so it opens the file by this process's.
    """
    with _unnamed() as file:
        file.write(key.strip().encode("utf-8", "surrogateescape") + b"\n")
        file.flush()
        yield GitLogin(url=url, key_file=f"/proc/{os.getpid()}/fd/{file.fileno()}")


def login_of_helper(url: str, environment: Mapping[str, str]) -> GitLogin | None:
    """What the user's own credential helpers know of ``url``; ``None`` where that is nothing.

    Their configuration is read for this alone, outside any repository, and nobody is asked.
    """
    parts = urlsplit(url)
    question = f"protocol={parts.scheme}\nhost={parts.netloc.rpartition('@')[2]}\npath={parts.path.lstrip('/')}\n\n"
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GCM_INTERACTIVE": "never", "LC_ALL": "C.UTF-8"}
    variables = {name: value for name, value in environment.items() if not name.startswith(("GIT_DIR", "GIT_TRACE"))}
    try:
        done = subprocess.run(
            ["git", "credential", "fill"],
            input=question,
            env={**variables, **quiet},
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_PATIENCE,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if done.returncode != 0 or not found.get("password"):
        return None
    return GitLogin(url=url, user=found.get("username", ""), password=found["password"])


def server_of(url: str) -> str:
    """``SCHEME://HOST[:PORT]``, without a user."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _unnamed() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="imagekit-")
