"""git, run with an environment of our own: nobody's configuration, hooks, filters or helpers, and no prompt.

Source: git(1), git-config(1), gitcredentials(7).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from imagekit.errors import DiskFull, RepositoryError
from imagekit.git.login import GitLogin
from imagekit.network.urls import without_login
from imagekit.spec.url import redacted

_CREDENTIALS = re.compile(r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]\b")
# Of a file of a commit it says no more than that it could not be written.
_FULL = re.compile(r"No space left on device|Disk quota exceeded|unable to write (new )?(index )?file")
_PROTOCOLS = {"https": "https", "http": "http", "ssh": "ssh", "file": "file"}
_DEADLINE = 900.0  # seconds, of one call of git: a large repository takes minutes
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.autocrlf=false",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "protocol.version=2",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.defaultBranch=none",
    # A server that says nothing for a minute is not waited for.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
)
# Of the host's: where its credentials and certificates are, and by which way the network is reached.
_CARRIED = re.compile(
    r"HOME|PATH|USER|LOGNAME|LANG|TMPDIR|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND|GIT_SSL_CAINFO|GIT_SSL_CAPATH"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy"
)


@dataclass(slots=True)
class _Running:
    """The processes under way; once it has ended, none begins."""

    lock: Lock = field(default_factory=Lock)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    has_ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GitProgram:
    """``environment`` are the variables of the user, of which git gets those that it needs to reach a server.

    It may be used by several threads; :meth:`end` ends what they wait for.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundle: Path | None = None
    deadline: float = _DEADLINE
    login: GitLogin | None = None
    holds: tuple[int, ...] = ()  # descriptors of locks, which then last as long as a git that outlives this process
    _running: _Running = field(default_factory=_Running, init=False, repr=False, compare=False)

    def end(self) -> None:
        """End what is under way in other threads, with ``CancelledError`` there; nothing is begun any more."""
        with self._running.lock:
            self._running.has_ended = True
            for process in self._running.processes:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def output(self, url: str, arguments: Sequence[str], *, index: Path | None = None) -> str:
        """What ``git ARGUMENTS`` prints; ``RepositoryError`` or ``DiskFull`` where it fails."""
        completed = self.run(url, arguments, index=index)
        if completed.returncode != 0:
            raise self._failed(url, completed.stderr)
        return completed.stdout

    def run(self, url: str, arguments: Sequence[str], *, index: Path | None = None) -> subprocess.CompletedProcess[str]:
        """``git ARGUMENTS``, for what it asks of the repository at ``url``; however it ends.

        ``index`` is a file of its own for the index, where several write out of one repository.
        """
        settings = (*_SETTINGS, *(self.login.settings(url) if self.login is not None else ()))
        argv = ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]
        try:
            process = self._begun(argv, url, index)
        except FileNotFoundError:
            raise RepositoryError(
                f"{redacted(url)} is a git repository, and git is not installed",
                hint="install it (on Debian: apt-get install git)",
            ) from None
        with process:
            try:
                stdout, stderr = process.communicate(timeout=self.deadline)
            except subprocess.TimeoutExpired:
                raise RepositoryError(
                    f"{without_login(url)} did not give what was asked for within {self.deadline:.0f} seconds",
                    hint="try again: what a server that is overloaded refuses now it may give later",
                ) from None
            finally:
                with self._running.lock:
                    self._running.processes.remove(process)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if self._running.has_ended:
            raise CancelledError
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)

    def _begun(self, argv: Sequence[str], url: str, index: Path | None) -> subprocess.Popen[str]:
        with self._running.lock:
            if self._running.has_ended:
                raise CancelledError
            # A session of its own has no terminal to ask on, and ends as a whole.
            process = subprocess.Popen(
                argv,
                env=self._environment(url) | ({} if index is None else {"GIT_INDEX_FILE": str(index)}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                pass_fds=self.holds,
                # Files that it writes are read by others: a builder, the user of a container.
                umask=0o022,
            )
            self._running.processes.append(process)
            return process

    def _environment(self, url: str) -> dict[str, str]:
        environment = {name: value for name, value in self.environment.items() if _CARRIED.fullmatch(name)}
        if self.ca_bundle is not None:
            environment["GIT_SSL_CAINFO"] = str(self.ca_bundle)
        if not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
            environment["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
        if self.login is not None:
            environment |= self.login.variables(environment)
        return {
            **environment,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS.get(urlsplit(url).scheme, "none"),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "LC_ALL": "C.UTF-8",
        }

    def _failed(self, url: str, words: str) -> RepositoryError | DiskFull:
        words = redacted(words).strip()
        if self.login is not None:
            words = self.login.concealed(words)
        if _FULL.search(words):
            return DiskFull("no space left on the device for a git repository", hint="free some space", details=words)
        hint = f"check the address and the network: git ls-remote {without_login(url)}"
        message = f"{without_login(url)} could not be read"
        asks_login = _CREDENTIALS.search(words) is not None
        if asks_login:
            message = f"{without_login(url)} asks for credentials, or refuses them"
            hint = "put them into ~/.netrc for that host, or use git+ssh:// with an ssh agent; never into the URL"
        elif re.search(r"not found|does not exist|does not appear to be a git repository", words):
            message = f"{without_login(url)} is no repository, or not one that you may see"
        elif "Host key verification failed" in words:
            hint = f"look at the host's key once: ssh {urlsplit(url).hostname}"
        elif "dubious ownership" in words:
            hint = "it belongs to another user, and git reads none of theirs: make it your own, or clone it"
        error = RepositoryError(message, hint=hint, details=words or None)
        error.asks_login = asks_login
        return error
