"""The locked .deb files: fetched once, verified every time, offered to apt as a repository."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from imagekit.atomic import UNFINISHED
from imagekit.errors import BaseBuildFailed, HashMismatch
from imagekit.oci.digest import digest_of_stream
from imagekit.progress import Reporter
from imagekit.stages.debian_lock import (
    LOCK_ANEW,
    DebianLock,
    DebPackage,
    apt_with,
    network_settings_of_host,
    run_words,
)

APT_HELPER = "/usr/lib/apt/apt-helper"


def fetch_debs(lock: DebianLock, store: Path, reporter: Reporter) -> dict[str, Path]:
    """The file of each locked package, by package name.

    ``store`` keeps them by hash for the next time. A file there that is not what its name
    says (a full disk, a cut-off copy) is fetched again; one that the mirror serves wrongly
    is a ``HashMismatch``.
    """
    store.mkdir(parents=True, exist_ok=True)
    files = {p.name: store / f"{p.sha256}.deb" for p in lock.packages}
    with ThreadPoolExecutor(4) as pool:
        intact = dict(zip(files, pool.map(_intact, lock.packages, files.values()), strict=True))
    missing = [p for p in lock.packages if not intact[p.name]]
    if not missing:
        return files
    with (
        reporter.task("Fetching Debian packages", total=sum(p.size for p in missing), unit="B") as task,
        tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=store) as directory,
    ):
        for batch in _batches(missing, 16):
            _fetch(batch, Path(directory))
            for package in batch:
                fetched = Path(directory) / f"{package.sha256}.deb"
                if not _intact(package, fetched):
                    raise _mismatch(package.filename)
                os.replace(fetched, files[package.name])
                task.advance(package.size)
    return files


def write_repository(lock: DebianLock, files: dict[str, Path], directory: Path) -> None:
    """A flat repository (sources.list(5)) of exactly the locked packages."""
    stanzas = []
    for package in lock.packages:
        name = f"{package.name}_{package.sha256[:12]}.deb"
        try:
            os.link(files[package.name], directory / name)
        except OSError:
            shutil.copyfile(files[package.name], directory / name)
        control = run_words(
            ["dpkg-deb", "--field", str(files[package.name])], failure=f"{package.filename} could not be read"
        )
        stanzas.append(f"{control.rstrip()}\nFilename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256}\n")
    (directory / "Packages").write_text("\n".join(stanzas), encoding="utf-8")


def newest_change(files: Sequence[Path]) -> int:
    """When the youngest of the .deb files was made, in seconds since the epoch.

    dpkg-deb writes the time of the package's last change into the archive's header (ar(5),
    16 bytes of member name and 12 of time after the 8 bytes of magic).
    """
    times = []
    for file in files:
        with file.open("rb") as stream:
            header = stream.read(36)
        times.append(int(header[24:36]))
    return max(times)


def _fetch(packages: Sequence[DebPackage], directory: Path) -> None:
    local = [p for p in packages if p.uri.startswith("file:")]
    for package in local:
        root = package.uri.removeprefix("file:")
        source = Path("/" + root.lstrip("/")) / package.filename
        try:
            shutil.copyfile(source, directory / f"{package.sha256}.deb")
        except OSError as error:
            raise BaseBuildFailed(f"{source}: {error.strerror}", hint=LOCK_ANEW) from error
    triples: list[str] = []
    for package in packages:
        if package not in local:
            target = directory / f"{package.sha256}.deb"
            triples += [f"{package.uri}/{quote(package.filename)}", str(target), f"SHA256:{package.sha256}"]
    if triples:
        config = directory / "apt.conf"
        config.write_text("\n".join(network_settings_of_host()) + "\n")
        try:
            run_words(
                [*apt_with(config), APT_HELPER, "download-file", *triples],
                failure="Debian packages could not be fetched",
                hint=f"see whether apt-get update works here; mirrors drop superseded versions: {LOCK_ANEW}",
            )
        except BaseBuildFailed as error:
            if "Hash Sum mismatch" in (error.details or ""):
                raise _mismatch("a Debian package", error.details) from error
            raise


def _mismatch(what: str, details: str | None = None) -> HashMismatch:
    hint = f"{LOCK_ANEW}; if it happens again, the mirror is not to be trusted"
    return HashMismatch(f"{what} is not the file that the lock names", hint=hint, details=details)


def _intact(package: DebPackage, file: Path) -> bool:
    try:
        if file.stat().st_size != package.size:
            return False
        with file.open("rb") as stream:
            digest = digest_of_stream(stream)
    except FileNotFoundError:
        return False
    return digest == f"sha256:{package.sha256}"


def _batches(packages: Sequence[DebPackage], size: int) -> list[Sequence[DebPackage]]:
    return [packages[start : start + size] for start in range(0, len(packages), size)]
