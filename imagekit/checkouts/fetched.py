"""A commit of a git repository as a flow's source: fetched once, kept, and the same files each time."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from imagekit.atomic import UNFINISHED, is_disk_full
from imagekit.cache.prune import trim
from imagekit.checkouts.import_paths import import_paths
from imagekit.checkouts.mirror import Mirror
from imagekit.checkouts.remarks import lfs_pointers, remarks
from imagekit.checkouts.server import Server, server_of
from imagekit.checkouts.values import Checkout, GitSource, SourceAccess
from imagekit.errors import DiskFull, InputError, RepositoryError
from imagekit.git.remote import is_commit
from imagekit.network.urls import without_login
from imagekit.progress import Reporter
from imagekit.sharing.leases import in_use, mark_used
from imagekit.sharing.once import make_once
from imagekit.spec.source_tree import tree_digest

CHECKOUTS = "checkouts"
_NOTE = "note.json"


def fetched(source: GitSource, access: SourceAccess, *, secret: str | None, reporter: Reporter) -> Checkout:
    """The files of the commit that ``source.ref`` is now, in the cache; of a commit that is there nobody is asked.

    ``secret`` is the name of a stored one. Raises ``RepositoryError``, ``InvalidSecret``, ``DiskFull``, and
    ``InputError`` for a subdirectory that is not in the commit.
    """
    if is_commit(source.ref):
        assert source.ref is not None
        place = _place(source, source.ref, access)
        note = _kept(place, access.cache)
        if note is not None:
            return _checkout(source, source.ref, place, note)
    elif access.offline and urlsplit(source.url).scheme != "file":
        what = f"the branch or tag {source.ref!r}" if source.ref else "the default branch"
        raise RepositoryError(
            f"offline, and {what} of {without_login(source.url)} may be another commit by now",
            hint=f"name the commit: git+{without_login(source.url)}@COMMIT "
            "(imagekit flow-run inspect shows that of a run)",
        )
    with in_use(access.cache), server_of(source, access, secret) as server:
        commit = source.ref if is_commit(source.ref) else server.ask(lambda git: git.commit(source.url, source.ref))
        assert commit is not None
        place = _place(source, commit, access)
        note = _kept(place, access.cache)
        if note is None:
            with reporter.task(f"fetching {without_login(source.url)} at {commit[:12]}"):
                note = make_once(
                    place.with_name(f"{place.name}.lock"),
                    lambda: _kept(place, access.cache),
                    lambda: _made(place, source, commit, access, server),
                )
            trim(access.cache, access.cache_size, grown=_size_of(place))
    return _checkout(source, commit, place, note)


def _checkout(source: GitSource, commit: str, place: Path, note: dict[str, Any]) -> Checkout:
    tree = place / note["tree"]
    project = tree / source.subdirectory
    if not project.is_dir() or not project.resolve().is_relative_to(tree.resolve()):
        raise InputError(
            f"{without_login(source.url)} has no directory {source.subdirectory!r} at {commit[:12]}",
            hint="look at its #subdirectory=…",
        )
    record = {"kind": "git", "url": source.url, "ref": source.ref, "commit": commit}
    return Checkout(
        source=source,
        directory=tree,
        subdirectory=source.subdirectory,
        record={**record, "subdirectory": source.subdirectory} if source.subdirectory else record,
        imports=import_paths(project),
        remarks=remarks(note["lfs"], note["submodules"]),
    )


def _place(source: GitSource, commit: str, access: SourceAccess) -> Path:
    key = hashlib.sha256(f"{source.url}\0{commit}".encode()).hexdigest()
    return access.cache / CHECKOUTS / key


def _kept(place: Path, cache: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((place / _NOTE).read_text("utf-8"))
        if (place / found["tree"]).is_dir():
            mark_used(place / _NOTE, cache)
            return found
    return None


def _made(place: Path, source: GitSource, commit: str, access: SourceAccess, server: Server) -> dict[str, Any]:
    # Also the name of a project that has none of its own.
    name = urlsplit(source.url).path.rstrip("/").rpartition("/")[2].removesuffix(".git").lstrip(".") or "repository"
    new = place.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    mirror = Mirror(cache=access.cache, url=source.url)
    try:
        new.mkdir(parents=True, mode=0o755)
        submodules = server.ask(lambda git: mirror.write(git, commit, new / name))
        note: dict[str, Any] = {"url": source.url, "commit": commit, "tree": name, "lfs": lfs_pointers(new / name)}
        note |= {"submodules": submodules, "digest": tree_digest(new / name)}
        _close_files(new / name)
        # Whoever looks for the repository that a project is in is not to find one that the cache lies in.
        (new / ".git").touch()
        (new / _NOTE).write_text(json.dumps(note), "utf-8")
        # What lies there without its note is none.
        shutil.rmtree(place, ignore_errors=True)
        with suppress(FileExistsError):
            os.rename(new, place)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            return note
        if is_disk_full(error):
            hint = f"free some (df -h {place.parent}), or: imagekit cache prune"
            raise DiskFull(f"no space left for {place.parent}", hint=hint) from error
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return note


def _size_of(directory: Path) -> int:
    """Bytes of the files below ``directory``."""
    return sum(os.lstat(os.path.join(above, name)).st_size for above, _, names in os.walk(directory) for name in names)


def _close_files(directory: Path) -> None:
    """Nobody is to write into what others run, and everybody is to read it."""
    for above, _, names in os.walk(directory):
        os.chmod(above, 0o755)  # noqa: S103
        for name in names:
            path = os.path.join(above, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, 0o555 if mode & stat.S_IXUSR else 0o444)
