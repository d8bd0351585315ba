"""Bringing a lock's files to disk: verified while they stream in, kept by their hash.

A store is a directory of ``<sha256>/<filename>``. A file is there whole and verified, or not at
all: it is written beside its place and renamed into it, so several processes may share a store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from imagekit.atomic import UNFINISHED, is_disk_full
from imagekit.errors import DiskFull, HashMismatch, IndexUnreachable, ResolveError
from imagekit.lock.access import IndexAccess
from imagekit.lock.download import Downloads, PassingFault, offline
from imagekit.lock.stop import Stop
from imagekit.lock.values import Artifact, LockedPackage, is_file_name
from imagekit.network.passing import pause_after
from imagekit.oci.digest import digest_of_stream
from imagekit.progress import Reporter
from imagekit.sharing.leases import mark_used
from imagekit.sharing.once import SUFFIX, BeingMade, make_once
from imagekit.spec.url import redacted

_CHUNK = 1 << 18  # bytes held in memory for each download
_READ_SECONDS = 60.0  # between two pieces of a file, not for all of it
_LONGEST_PAUSE = 30.0  # a server's Retry-After beyond this is not waited for

Advance = Callable[[int], None]


class WheelStore:
    """The files of locks, on disk. Safe to use from several threads and processes.

    ``directory`` is made as needed. ``access`` says how servers are reached; without one, as ``requests`` finds it
    in the environment. ``attempts`` bounds how often a passing failure (a 5xx, a broken connection, a file cut
    short) is tried; ``pause`` is the first wait between two tries, in seconds, doubled each time (and up to a half
    less, by chance); a server may ask for a longer one. ``read_seconds`` may pass between two pieces of a file.
    """

    def __init__(
        self,
        directory: Path,
        *,
        access: IndexAccess | None = None,
        attempts: int = 5,
        pause: float = 0.5,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._directory = directory
        self._access = access or IndexAccess()
        self._downloads = Downloads(self._access, read_seconds=read_seconds)
        self._attempts = attempts
        self._pause = pause

    def path(self, artifact: Artifact) -> Path:
        """Where ``artifact`` lies once it is here."""
        if not is_file_name(artifact.filename):
            raise ResolveError(f"{artifact.filename!r} is not a file name", hint="look at the lock or URL that says so")
        return self._directory / artifact.sha256 / artifact.filename

    def get(
        self,
        artifact: Artifact,
        *,
        package: str = "",
        advance: Advance = lambda _: None,
        stop: Stop | None = None,
    ) -> Path:
        """The verified file of ``artifact``, fetched if it is not here yet.

        ``advance`` is told the bytes as they arrive. When ``stop`` is set it ends early, with
        ``CancelledError``. Errors: :class:`HashMismatch` (never tried again),
        :class:`IndexUnreachable` naming ``package`` and the URL without its secrets, :class:`DiskFull`.
        """
        name = package or artifact.filename
        stop = stop or Stop()
        try:
            stop.check()
            kept = self._kept(artifact, advance)
            if kept is not None:
                return kept
            return make_once(
                self.path(artifact).with_name(SUFFIX),
                lambda: self._kept(artifact, advance),
                lambda: self._fetch(artifact, name, advance, stop),
                stop=stop.event,
            )
        except BeingMade:
            raise CancelledError from None
        except OSError as error:
            if is_disk_full(error):
                raise DiskFull(
                    f"no space left for {self.path(artifact)}", hint="free some space: imagekit cache prune"
                ) from error
            raise

    def take(self, url: str, filename: str, *, package: str) -> Artifact:
        """The file at ``url``, whatever it hashes to, which is known from here on. Errors as :meth:`get`'s."""
        unknown = Artifact(filename=filename, url=url, sha256="", by_url=True)
        path = self._fetch(unknown, package, lambda _: None, Stop())
        return replace(unknown, sha256=path.parent.name, size=path.stat().st_size)

    def refuse_missing(self, packages: Sequence[LockedPackage]) -> None:
        """Offline, the error that names all of ``packages`` whose files are not here."""
        if self._access.offline:
            remote = [p for p in packages if not p.artifact.url.startswith("file:")]
            if missing := [p.artifact.filename for p in remote if not self.path(p.artifact).exists()]:
                raise offline(*missing)

    def size_here(self, artifact: Artifact) -> int | None:
        """Bytes of ``artifact`` where it lies on this machine; 0 or ``None`` where it does not."""
        size = _size(self.path(artifact))
        return _size(_local_path(artifact.url)) if size is None and artifact.url.startswith("file:") else size

    def size(self, artifact: Artifact, *, package: str = "") -> int:
        """Bytes of ``artifact``; where its server does not say, it is fetched. Errors as :meth:`get`'s."""
        size = artifact.size or self.size_here(artifact)
        if not size and not artifact.url.startswith("file:"):
            size = self._downloads.size(artifact.url, package or artifact.filename)
        return size or self.get(artifact, package=package).stat().st_size

    def _kept(self, artifact: Artifact, advance: Advance) -> Path | None:
        """The file where it is here. Read whole: whoever asks for it is about to do dearer things with it."""
        path = self.path(artifact)
        mark_used(path, self._directory.parent)
        try:
            if _digest(path) != artifact.sha256:
                return None
            advance(path.stat().st_size)
            return path
        except OSError:
            return None

    def _fetch(self, artifact: Artifact, name: str, advance: Advance, stop: Stop) -> Path:
        shown = redacted(artifact.url)
        for attempt in range(1, self._attempts + 1):
            received = 0

            def count(amount: int) -> None:
                nonlocal received
                received += amount
                advance(amount)

            try:
                return self._once(artifact, name, count, stop)
            except PassingFault as fault:
                advance(-received)
                stop.check()
                # A server that asks for none at all, or for one that is over, is not to be stormed.
                wanted = max(fault.pause or 0.0, pause_after(attempt, first=self._pause, longest=_LONGEST_PAUSE))
                if attempt == self._attempts or wanted > _LONGEST_PAUSE:
                    raise IndexUnreachable(
                        f"{name}: could not be fetched from {shown}: {redacted(str(fault))}",
                        hint="check the network, proxy and CA bundle (`imagekit doctor`), then run it again: "
                        "what is already fetched is kept",
                    ) from None
                stop.event.wait(wanted)
                stop.check()
        raise AssertionError("attempts is at least 1")

    def _once(self, artifact: Artifact, name: str, advance: Advance, stop: Stop) -> Path:
        path = self.path(artifact)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                actual = self._stream(artifact, name, stream, advance, stop)
            if artifact.sha256 not in ("", actual):
                raise HashMismatch(
                    f"{name}: {redacted(artifact.url)} is not the file that the lock names",
                    hint="never install it; if the index replaced the file on purpose, lock anew: imagekit lock",
                    details=f"expected sha256:{artifact.sha256}\nreceived sha256:{actual}",
                )
            path = self.path(replace(artifact, sha256=actual))
            path.parent.mkdir(exist_ok=True, mode=0o700)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
        except FileNotFoundError:
            # Its directory was pruned, or the cache removed, meanwhile.
            raise PassingFault(f"{path.parent} was removed") from None
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return path

    def _stream(self, artifact: Artifact, name: str, stream: BinaryIO, advance: Advance, stop: Stop) -> str:
        """Write ``artifact`` to ``stream``; its sha256 as hex."""
        digest = hashlib.sha256()
        for chunk in self._chunks(artifact, name, stop):
            stop.check()
            digest.update(chunk)
            stream.write(chunk)
            advance(len(chunk))
        return digest.hexdigest()

    def _chunks(self, artifact: Artifact, name: str, stop: Stop) -> Iterator[bytes]:
        if artifact.url.startswith("file:"):
            yield from _local_chunks(artifact.url, name)
        else:
            yield from self._remote_chunks(artifact, name, stop)

    def _remote_chunks(self, artifact: Artifact, name: str, stop: Stop) -> Iterator[bytes]:
        received = 0
        with self._downloads.open(artifact.url, name) as response:
            expected = response.headers.get("Content-Length")
            with stop.reading(response):
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    received += len(chunk)
                    yield chunk
        # urllib3 1.x does not notice a body that ends too early.
        if expected is not None and expected.isdigit() and received < int(expected):
            raise PassingFault(f"the connection ended after {received} of {expected} bytes")


def fetch_all(
    packages: Sequence[LockedPackage],
    store: WheelStore,
    *,
    reporter: Reporter,
    threads: int = 6,
    stop: Stop | None = None,
) -> Generator[tuple[LockedPackage, Path]]:
    """Each of ``packages`` with its verified file, in the order in which they arrive.

    The first failure, an interrupt, or ``stop`` (with ``CancelledError``) ends the downloads under way; those not
    begun are dropped. They are begun in the order given.
    """
    if not packages:
        return
    store.refuse_missing(packages)
    sizes = [p.artifact.size for p in packages]
    total = None if None in sizes else sum(s for s in sizes if s is not None)
    title = f"fetching {len(packages)} file{'s' * (len(packages) != 1)}"
    with reporter.task(title, total, "B") as task, ThreadPoolExecutor(max_workers=threads) as pool:
        stop = stop or Stop()
        futures = {
            pool.submit(store.get, p.artifact, package=p.name, advance=task.advance, stop=stop): p for p in packages
        }
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    package = futures[future]
                    path = future.result()
                    task.note(package.artifact.filename)
                    yield package, path
        finally:
            # Also when the caller stops early, or is interrupted.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _local_chunks(url: str, name: str) -> Iterator[bytes]:
    try:
        with _local_path(url).open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except (OSError, ValueError) as problem:
        # ValueError: a NUL in a path, or what is no URL.
        why = "is not there" if isinstance(problem, FileNotFoundError) else f"cannot be read: {problem}"
        path = unquote(url.removeprefix("file://"))
        raise IndexUnreachable(
            f"{name}: {path!r} {why}" if "\0" in path else f"{name}: {path} {why}",
            hint="put the file back, or lock anew: imagekit lock",
        ) from None


def _local_path(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return digest_of_stream(stream).removeprefix("sha256:")
