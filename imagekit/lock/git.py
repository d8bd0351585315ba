"""Repositories: a ref resolved to its commit, and a commit's files.

git runs on the host, where the user's own credentials are (``~/.netrc``, an ssh agent), and with
nobody's configuration: no hooks, no filters, no submodules, no credential helpers, one protocol, no
prompt, a deadline. What a repository holds is written to a directory and never run there.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from imagekit.errors import DiskFull, ResolveError
from imagekit.lock.redaction import redacted, without_credentials

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_CREDENTIALS = re.compile(r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]\b")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_ALL_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
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
class Git:
    """``environment`` are the variables of the user, of which git gets those that it needs to reach a server.

    It may be used by several threads; :meth:`end` ends what they wait for.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None
    deadline: float = _DEADLINE
    offline: bool = False  # only repositories of this machine (file:) are asked
    _running: _Running = field(default_factory=_Running, init=False, repr=False, compare=False)

    def end(self) -> None:
        """End what is under way in other threads, with ``CancelledError`` there; nothing is begun any more."""
        with self._running.lock:
            self._running.has_ended = True
            for process in self._running.processes:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def commit(self, url: str, ref: str | None) -> str:
        """The full name of the commit that ``ref`` (a branch, a tag, a commit; ``None``: the default branch) is now.

        :class:`ResolveError` where there is none, where a branch and a tag differ, or where the server
        does not answer.
        """
        if ref is not None and _COMMIT.fullmatch(ref):
            return ref
        self._refuse_offline(url)
        known = self._refs(url)
        if ref is None:
            if "HEAD" in known:
                return known["HEAD"]
            raise ResolveError(f"{_shown(url)} has no default branch", hint="name a branch, tag or commit: …@REF")
        names = [ref] if ref.startswith("refs/") else [f"refs/tags/{ref}", f"refs/heads/{ref}", f"refs/{ref}"]
        # A tag with a message is an object of its own; what it points at is listed behind it.
        found = {name: known.get(f"{name}^{{}}", known[name]) for name in names if name in known}
        if len(set(found.values())) > 1:
            raise ResolveError(
                f"{_shown(url)} has a tag and a branch {ref!r}, which differ",
                hint=f"say which: …@refs/tags/{ref} or …@refs/heads/{ref}",
            )
        if found:
            return next(iter(found.values()))
        if _SHORT_COMMIT.fullmatch(ref):
            return self._in_full(url, ref)
        raise ResolveError(
            f"{_shown(url)} has no branch, tag or commit {ref!r}", hint=f"see: git ls-remote {_shown(url)}"
        )

    def checkout(self, url: str, commit: str, into: Path) -> None:
        """Write the files of ``commit`` into the directory ``into``, which is made."""
        self._refuse_offline(url)
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            repository = Path(directory, "repository")
            self._fetch(repository, url, commit)
            into.mkdir(parents=True, exist_ok=True)
            place = ["--git-dir", str(repository), "--work-tree", str(into)]
            self._git(url, [*place, "read-tree", commit])
            self._git(url, [*place, "checkout-index", "--all", "--force"])

    def describe(self, url: str, commit: str) -> str | None:
        """``TAG-DISTANCE-gCOMMIT`` of the last tag with a number before ``commit``; ``None`` where there is none."""
        self._refuse_offline(url)
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            at = ["--git-dir", directory]
            self._git(url, ["init", "--bare", "--quiet", "--template=", "--", directory])
            # All of it: a partial fetch never ends with a server of plain files (git 2.39 asks for the rest again).
            fetch = [*at, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]
            self._git(url, [*fetch, "--", url, *_ALL_REFS])
            found = self._run([*at, "describe", "--tags", "--long", "--match=*[0-9]*", commit], url)
            return found.stdout.strip() if found.returncode == 0 else None

    def _refuse_offline(self, url: str) -> None:
        if self.offline and urlsplit(url).scheme != "file":
            raise ResolveError(
                f"offline, and {_shown(url)} is asked for",
                hint="build once with the network: wheels made of a commit are kept",
            )

    def _fetch(self, repository: Path, url: str, commit: str) -> None:
        """The commit, alone where the server gives single ones, else with all branches and tags."""
        at = ["--git-dir", str(repository)]
        self._git(url, ["init", "--bare", "--quiet", "--template=", "--", str(repository)])
        fetch = [*at, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]
        if self._run([*fetch, "--depth=1", "--", url, commit], url).returncode != 0:
            self._git(url, [*fetch, "--", url, *_ALL_REFS])
        if self._run([*at, "cat-file", "-e", f"{commit}^{{commit}}"], url).returncode != 0:
            raise ResolveError(
                f"{_shown(url)} has no commit {commit}",
                hint="it may have been taken out of its branch: name another commit, or lock anew",
            )

    def _in_full(self, url: str, short: str) -> str:
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            at = ["--git-dir", directory]
            self._git(url, ["init", "--bare", "--quiet", "--template=", "--", directory])
            self._git(url, [*at, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--", url, *_ALL_REFS])
            found = self._run([*at, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{short}^{{commit}}"], url)
            if found.returncode != 0:
                raise ResolveError(
                    f"{_shown(url)} has no branch, tag or commit {short!r}", hint=f"see: git ls-remote {_shown(url)}"
                )
            return found.stdout.strip()

    def _refs(self, url: str) -> dict[str, str]:
        lines = self._git(url, ["ls-remote", "--quiet", "--", url]).splitlines()
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}

    def _git(self, url: str, arguments: Sequence[str]) -> str:
        completed = self._run(arguments, url)
        if completed.returncode != 0:
            raise _failed(url, completed.stderr)
        return completed.stdout

    def _run(self, arguments: Sequence[str], url: str) -> subprocess.CompletedProcess[str]:
        argv = ["git", *(word for setting in _SETTINGS for word in ("-c", setting)), *arguments]
        try:
            process = self._begun(argv, url)
        except FileNotFoundError:
            raise ResolveError(
                f"{_shown(url)} is a git repository, and git is not installed",
                hint="install it (on Debian: apt-get install git), or name a wheel instead",
            ) from None
        with process:
            try:
                stdout, stderr = process.communicate(timeout=self.deadline)
            except subprocess.TimeoutExpired:
                raise ResolveError(
                    f"{_shown(url)} did not give what was asked for within {self.deadline:.0f} seconds",
                    hint="try again, or name a wheel instead",
                ) from None
            finally:
                with self._running.lock:
                    self._running.processes.remove(process)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if self._running.has_ended:
            raise CancelledError
        return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)

    def _begun(self, argv: Sequence[str], url: str) -> subprocess.Popen[str]:
        with self._running.lock:
            if self._running.has_ended:
                raise CancelledError
            # A session of its own has no terminal to ask on, and ends as a whole.
            process = subprocess.Popen(
                argv,
                env=self._environment(url),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running.processes.append(process)
            return process

    def _environment(self, url: str) -> dict[str, str]:
        environment = {name: value for name, value in self.environment.items() if _CARRIED.fullmatch(name)}
        if self.ca_bundle is not None:
            environment["GIT_SSL_CAINFO"] = str(self.ca_bundle)
        if not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
            environment["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
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


def _failed(url: str, words: str) -> ResolveError | DiskFull:
    words = redacted(words).strip()
    if "No space left on device" in words:
        return DiskFull("no space left on the device for a git repository", hint="free some space", details=words)
    hint = f"check the address and the network: git ls-remote {_shown(url)}"
    message = f"{_shown(url)} could not be read"
    if _CREDENTIALS.search(words):
        message = f"{_shown(url)} asks for credentials, or refuses them"
        hint = "put them into ~/.netrc for that host, or use git+ssh:// with an ssh agent; never into the URL"
    elif re.search(r"not found|does not exist|does not appear to be a git repository", words):
        message = f"{_shown(url)} is no repository, or not one that you may see"
    elif "Host key verification failed" in words:
        hint = f"look at the host's key once: ssh {urlsplit(url).hostname}"
    return ResolveError(message, hint=hint, details=words or None)


def _shown(url: str) -> str:
    return without_credentials(url)
