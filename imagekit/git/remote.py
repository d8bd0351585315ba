"""Repositories: a ref resolved to its commit, and a commit's files.

git runs on the host, where the user's own credentials are (``~/.netrc``, an ssh agent), and with
nobody's configuration: no hooks, no filters, no submodules, no credential helpers, one protocol, no
prompt, a deadline. What a repository holds is written to a directory and never run there.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from imagekit.errors import RepositoryError
from imagekit.git.program import GitProgram
from imagekit.network.urls import without_login

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_ALL_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")


def is_commit(ref: str | None) -> bool:
    """Whether ``ref`` is a commit's full name, which no one can move."""
    return ref is not None and _COMMIT.fullmatch(ref) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Git(GitProgram):
    """Repositories by their URLs."""

    offline: bool = False  # only repositories of this machine (file:) are asked

    def commit(self, url: str, ref: str | None) -> str:
        """The full name of the commit that ``ref`` (a branch, a tag, a commit; ``None``, HEAD: the default one) is now.

        :class:`RepositoryError` where there is none, where a branch and a tag differ, or where the server
        does not answer.
        """
        if ref is not None and is_commit(ref):
            return ref
        self._refuse_offline(url)
        known = self._refs(url)
        if ref is None or ref == "HEAD":
            if "HEAD" in known:
                return known["HEAD"]
            raise RepositoryError(
                f"{without_login(url)} has no default branch", hint="name a branch, tag or commit: …@REF"
            )
        names = [ref] if ref.startswith("refs/") else [f"refs/tags/{ref}", f"refs/heads/{ref}", f"refs/{ref}"]
        # A tag with a message is an object of its own; what it points at is listed behind it.
        found = {name: known.get(f"{name}^{{}}", known[name]) for name in names if name in known}
        if len(set(found.values())) > 1:
            raise RepositoryError(
                f"{without_login(url)} has a tag and a branch {ref!r}, which differ",
                hint=f"say which: …@refs/tags/{ref} or …@refs/heads/{ref}",
            )
        if found:
            return next(iter(found.values()))
        if _SHORT_COMMIT.fullmatch(ref):
            return self._in_full(url, ref)
        raise RepositoryError(
            f"{without_login(url)} has no branch, tag or commit {ref!r}",
            hint=f"see: git ls-remote {without_login(url)}",
        )

    def checkout(self, url: str, commit: str, into: Path) -> None:
        """Write the files of ``commit`` into the directory ``into``, which is made."""
        self._refuse_offline(url)
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            repository = Path(directory, "repository")
            self.fetch(repository, url, commit)
            self.write(repository, url, commit, into)

    def fetch(self, repository: Path, url: str, commit: str) -> None:
        """Bring ``commit`` into the bare ``repository``, which is made where it is missing.

        It comes alone where the server gives single ones, else with all branches and tags.
        """
        self._refuse_offline(url)
        at = ["--git-dir", str(repository)]
        if not (repository / "HEAD").is_file():
            self.output(url, ["init", "--bare", "--quiet", "--template=", "--", str(repository)])
        # What has a name is told to the server the next time, which then sends what is new alone.
        kept = f"+{commit}:refs/commits/{commit}"
        if self.run(url, [*at, *_FETCH, "--depth=1", "--", url, kept]).returncode != 0:
            self.output(url, [*at, *_FETCH, "--", url, *_ALL_REFS])
        if not self.has(repository, url, commit):
            raise RepositoryError(
                f"{without_login(url)} has no commit {commit}",
                hint="it may have been taken out of its branch: name another commit, or lock anew",
            )

    def has(self, repository: Path, url: str, commit: str) -> bool:
        """Whether the bare ``repository`` holds ``commit`` itself; what it is made of may still be missing."""
        at = ["--git-dir", str(repository)]
        return self.run(url, [*at, "cat-file", "-e", f"{commit}^{{commit}}"]).returncode == 0

    def write(self, repository: Path, url: str, commit: str, into: Path) -> None:
        """Write the files of a ``commit`` that is in the bare ``repository`` into the directory ``into``."""
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            place = ["--git-dir", str(repository), "--work-tree", str(into)]
            index = Path(directory, "index")
            self.output(url, [*place, "read-tree", commit], index=index)
            self.output(url, [*place, "checkout-index", "--all", "--force"], index=index)

    def submodules(self, repository: Path, url: str, commit: str) -> list[str]:
        """The paths of submodules in ``commit``, of which no file is ever fetched."""
        at = ["--git-dir", str(repository)]
        lines = self.output(url, [*at, "ls-tree", "-r", "-z", "--full-tree", commit]).split("\0")
        return [path for head, _, path in (line.partition("\t") for line in lines) if head.startswith("160000 ")]

    def describe(self, url: str, commit: str) -> str | None:
        """``TAG-DISTANCE-gCOMMIT`` of the last tag with a number before ``commit``; ``None`` where there is none."""
        self._refuse_offline(url)
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            at = self._all_of(url, directory)
            found = self.run(url, [*at, "describe", "--tags", "--long", "--match=*[0-9]*", commit])
            return found.stdout.strip() if found.returncode == 0 else None

    def _refuse_offline(self, url: str) -> None:
        if self.offline and urlsplit(url).scheme != "file":
            raise RepositoryError(
                f"offline, and {without_login(url)} is asked for",
                hint="run it once with the network: what is fetched of a commit is kept",
            )

    def _all_of(self, url: str, directory: str) -> list[str]:
        """All branches and tags, in a repository below ``directory``; git's arguments that name it.

        All of it: a partial fetch never ends with a server of plain files (git 2.39 asks for the rest again).
        """
        at = ["--git-dir", directory]
        self.output(url, ["init", "--bare", "--quiet", "--template=", "--", directory])
        self.output(url, [*at, *_FETCH, "--", url, *_ALL_REFS])
        return at

    def _in_full(self, url: str, short: str) -> str:
        with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
            at = self._all_of(url, directory)
            found = self.run(url, [*at, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{short}^{{commit}}"])
            if found.returncode != 0:
                raise RepositoryError(
                    f"{without_login(url)} has no branch, tag or commit {short!r}",
                    hint=f"see: git ls-remote {without_login(url)}",
                )
            return found.stdout.strip()

    def _refs(self, url: str) -> dict[str, str]:
        lines = self.output(url, ["ls-remote", "--quiet", "--", url]).splitlines()
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
