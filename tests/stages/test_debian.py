"""Base images from Debian packages: real apt, real mmdebstrap, the real engine."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.building import bases
from imagekit.engine.client import Engine
from imagekit.errors import BaseBuildFailed, HashMismatch
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base, lock_base
from imagekit.stages.debian_fetch import fetch_debs
from imagekit.stages.debian_lock import DebianLock

# Making a root filesystem takes half a minute: all who look at it share one worker.
pytestmark = pytest.mark.xdist_group("debian")

BASE = DebianBase(python="3.11")
REFERENCE = "imagekit-test/debian-base:3.11"


@pytest.fixture(scope="module")
def lock(debian_lock: DebianLock) -> DebianLock:
    return debian_lock


@pytest.fixture(scope="module")
def cache(debian_cache: Path) -> Path:
    return debian_cache


@pytest.fixture(scope="module")
def rootfs(debian_rootfs: DebianRootfs) -> DebianRootfs:
    return debian_rootfs


@pytest.fixture(scope="module")
def image(rootfs: DebianRootfs) -> Iterator[str]:
    with Engine.connect() as engine:
        engine.load([archive(rootfs, REFERENCE)])
        yield REFERENCE
        engine.remove_image(REFERENCE, force=True)


def archive(rootfs: DebianRootfs, reference: str) -> bytes:
    """An archive as ``docker save`` writes it."""
    config = f"{rootfs.config.digest.removeprefix('sha256:')}.json"
    manifest = [{"Config": config, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in ((config, rootfs.config.to_bytes()), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        tar.add(rootfs.tar, "layer.tar")
    return out.getvalue()


def run(image: str, *argv: str, user: str = "root") -> str:
    done = subprocess.run(
        ["docker", "run", "--rm", "--user", user, image, *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_mirror_locks_to_the_same_bytes(lock: DebianLock) -> None:
    assert lock_base(BASE).to_bytes() == lock.to_bytes()


def test_a_lock_reads_back_as_itself(lock: DebianLock) -> None:
    assert DebianLock.from_bytes(lock.to_bytes(), Path("debian.lock.toml")) == lock


def test_a_lock_holds_what_is_wanted_and_no_perl_modules(lock: DebianLock) -> None:
    names = {p.name for p in lock.packages}
    assert set(lock.wanted) <= names
    assert "libc6" in names
    assert not names & {"usrmerge", "perl", "perl-modules-5.36"}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it has no 'lock-version'"),
        (b"lock-version = 1\n", "it has no 'suite'"),
        (b'lock-version = "1.0"\n', "lock-version 1.0 is not 1"),
        (b"<html>", "Invalid statement"),
        (b"\xff", "can't decode byte 0xff"),
    ],
)
def test_another_file_is_no_lock(content: bytes, what: str) -> None:
    with pytest.raises(BaseBuildFailed, match=re.escape(what)) as caught:
        DebianLock.from_bytes(content, Path("pylock.toml"))
    assert caught.value.message.startswith("pylock.toml is no lock of Debian packages: ")
    assert str(caught.value.hint).startswith("remove pylock.toml, or name another: ")


def test_a_lock_is_written_to_a_directory_that_is_made(
    lock: DebianLock, cache: Path, rootfs: DebianRootfs, tmp_path: Path
) -> None:
    file, platform = tmp_path / "locks" / "debian.lock.toml", [Platform.host()]
    made = [
        bases.lay_out("3.11", platform, tmp_path / name, cache, SilentReporter(), lock_file=file)
        for name in ("first", "second")
    ]
    assert made[0] == made[1]
    assert DebianLock.from_bytes(file.read_bytes(), file) == lock == rootfs.lock


def test_the_same_lock_gives_the_same_bytes(
    lock: DebianLock, cache: Path, rootfs: DebianRootfs, tmp_path: Path
) -> None:
    (tmp_path / "debian").mkdir()
    subprocess.run(["cp", "-al", cache / "debian" / "debs", tmp_path / "debian" / "debs"], check=True)
    again = build_base(BASE, cache=tmp_path, lock=lock)
    assert again.tar != rootfs.tar
    assert again.diff_id == rootfs.diff_id
    assert again.config.digest == rootfs.config.digest


def test_a_kept_root_filesystem_is_used_again_unless_damaged(
    lock: DebianLock, cache: Path, rootfs: DebianRootfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # making one would be refused
    assert build_base(BASE, cache=cache, lock=lock) == rootfs
    with rootfs.tar.open("r+b") as stream:
        original = stream.read(1)
        stream.seek(0)
        stream.write(b"?")
    try:
        with pytest.raises(BaseBuildFailed, match="needs root"):
            build_base(BASE, cache=cache, lock=lock)
    finally:
        with rootfs.tar.open("r+b") as stream:
            stream.write(original)


def test_the_root_filesystem_is_small_and_clean(rootfs: DebianRootfs) -> None:
    assert rootfs.size < 125_000_000
    with tarfile.open(rootfs.tar) as tar:
        names = tar.getnames()
        docs = [m.name for m in tar if m.isreg() and m.name.startswith("usr/share/doc/")]
        sources = tar.extractfile("etc/apt/sources.list.d/debian.sources")
        assert sources is not None
        assert b"copy:" not in sources.read()
    assert names == sorted(names)
    assert docs
    assert all(name.endswith("/copyright") for name in docs)
    for prefix in ("usr/share/man/", "usr/share/locale/", "var/lib/apt/lists/", "dev/", "tmp/", "var/cache/apt/a"):
        kept = {n for n in names if n.startswith(prefix)}
        assert kept <= {"var/lib/apt/lists/partial", "var/cache/apt/archives", "var/cache/apt/archives/partial"}, prefix
    assert not {"etc/machine-id", "etc/apt/sources.list", "var/log/dpkg.log"} & set(names)


def test_python_in_it_has_what_flows_need(image: str) -> None:
    program = (
        "import ssl, sqlite3, zoneinfo, lzma, bz2, ctypes, sys, locale;"
        "assert sys.version_info[:2] == (3, 11);"
        "assert len(ssl.create_default_context().get_ca_certs()) > 50;"
        "assert zoneinfo.ZoneInfo('Europe/Berlin');"
        "assert locale.getpreferredencoding() == 'UTF-8';"
        "import json; print(json.__cached__)"
    )
    cached = run(image, "python", "-c", program, user="app").strip()
    assert run(image, "python", "-c", f"import os; print(os.path.exists({cached!r}))").strip() == "True"


def test_the_user_has_a_home_of_its_own(image: str) -> None:
    assert run(image, "sh", "-c", "id -u; id -g; cd; pwd; touch here", user="app").split() == [
        "1000",
        "1000",
        "/home/app",
    ]


def test_packages_can_be_installed_in_it(image: str) -> None:
    script = "apt-get -qq update && apt-get -qq -y install libgomp1 >&2 && dpkg --audit && ls /usr/share/doc/libgomp1"
    # The host's clock may be off by design: then its apt is told so, and this one must be as well.
    relaxed = ["Acquire::Check-Valid-Until=false", "Acquire::Check-Date=false"]
    options = "".join(f"{o.replace('=', ' ')};\n" for o in relaxed)
    assert run(image, "sh", "-c", f"printf '{options}' >/etc/apt/apt.conf.d/99clock; {script}").split() == ["copyright"]


def test_a_cut_off_file_in_the_cache_is_fetched_again(lock: DebianLock, tmp_path: Path) -> None:
    small = replace(lock, packages=tuple(sorted(lock.packages, key=lambda p: p.size)[:2]))
    files = fetch_debs(small, tmp_path, SilentReporter())
    first = small.packages[0]
    whole = files[first.name].read_bytes()
    files[first.name].write_bytes(whole[:-10])
    assert fetch_debs(small, tmp_path, SilentReporter())[first.name].read_bytes() == whole


def test_a_file_that_is_not_the_locked_one_is_refused(lock: DebianLock, tmp_path: Path) -> None:
    wrong = replace(min(lock.packages, key=lambda p: p.size), sha256="0" * 64)
    with pytest.raises(HashMismatch):
        fetch_debs(replace(lock, packages=(wrong,)), tmp_path, SilentReporter())
    assert not list(tmp_path.glob("*.deb"))


def test_a_machine_without_apt_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BaseBuildFailed, match="apt-get is not here") as caught:
        lock_base(BASE)
    assert "--base" in (caught.value.hint or "")
