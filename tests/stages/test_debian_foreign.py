"""A base for another processor: the same way for the same processor gives the same bytes, and nothing is run."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.building import bases
from imagekit.errors import BaseBuildFailed, InputError
from imagekit.export.layout_read import read_layout
from imagekit.lock.target import Target
from imagekit.oci.platform import Platform
from imagekit.preflight.elf import read_elf
from imagekit.progress import SilentReporter
from imagekit.stages.compile_here import compiler_here
from imagekit.stages.debian import DebianBase, DebianRootfs, build_base, lock_base
from imagekit.stages.debian_fetch import fetch_debs, newest_change
from imagekit.stages.debian_foreign import Packages, require_same, transplant
from imagekit.stages.debian_lock import DebianLock
from imagekit.stages.debian_rootfs import write_rootfs
from imagekit.stages.probe_files import base_from_content

pytestmark = pytest.mark.xdist_group("debian")

HOST = Platform.host()
OTHER = Platform("linux", "arm64" if HOST.architecture == "amd64" else "amd64")
FOREIGN = DebianBase(python="3.11", platform=OTHER)


@pytest.fixture(scope="module")
def foreign(debian_rootfs: DebianRootfs, debian_cache: Path) -> DebianRootfs:
    return build_base(FOREIGN, cache=debian_cache)


@pytest.fixture(scope="module")
def unpacked(foreign: DebianRootfs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["tar", "-x", "-f", foreign.tar, "-C", root], check=True)
    return root


@pytest.mark.soak
def test_for_the_same_processor_it_is_the_same_bytes(
    debian_lock: DebianLock, debian_cache: Path, debian_rootfs: DebianRootfs, tmp_path: Path
) -> None:
    """Every file of a compiled package taken from its .deb, every record of it written anew."""
    files = fetch_debs(debian_lock, debian_cache / "debian" / "debs", SilentReporter())
    packages = Packages(lock=debian_lock, files=files)
    members = transplant(
        debian_rootfs.tar,
        packages,
        packages,
        DebianBase(python="3.11").declaration,
        epoch=newest_change(list(files.values())),
        directory=tmp_path,
    )
    assert write_rootfs(members, tmp_path / "again.tar").diff_id == debian_rootfs.diff_id


def test_every_program_is_for_the_other_processor(foreign: DebianRootfs, debian_rootfs: DebianRootfs) -> None:
    with tarfile.open(foreign.tar) as archive:
        names = archive.getnames()
        machines = {}
        for member in archive:
            if member.isreg():
                stream = archive.extractfile(member)
                assert stream is not None
                if (elf := read_elf(stream.read())) is not None:
                    machines[member.name] = elf.machine
    assert set(machines.values()) == {OTHER.machine}
    assert len(machines) > 500
    assert names == sorted(names)
    ours = "x86_64" if HOST.architecture == "amd64" else "aarch64"
    assert [name for name in names if f"{ours}-linux" in name] == []
    with tarfile.open(debian_rootfs.tar) as archive:
        here = set(archive.getnames())
    # What scripts of packages made is there, too.
    for name in ("etc/passwd", "etc/ssl/certs/ca-certificates.crt", "etc/alternatives/awk", "home/app", "etc/shells"):
        assert name in names
    compiled = [name for name in names if name.endswith(".pyc")]
    assert len(compiled) > len([name for name in here if name.endswith(".pyc")]) - 4


def test_dpkg_finds_it_whole(foreign: DebianRootfs, unpacked: Path) -> None:
    listing = ["dpkg-query", f"--admindir={unpacked}/var/lib/dpkg", "-W", "-f"]
    listing.append("${Package} ${Version} ${Architecture} ${db:Status-Status}\n")
    printed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in printed.splitlines()]
    assert {row[2] for row in rows} == {"all", OTHER.architecture}
    assert {row[3] for row in rows} == {"installed"}
    assert sorted((row[0], row[1]) for row in rows) == [(p.name, p.version) for p in foreign.lock.packages]
    # Each file against the package's own list of digests.
    verify = ["dpkg", f"--root={unpacked}", "--verify"]
    odd = subprocess.run(verify, capture_output=True, text=True, check=False).stdout.splitlines()
    # What the declaration leaves out, and what is emptied here as well.
    places = "doc|man|info|locale|lintian|bug|groff|bash-completion|zsh|pixmaps|applications"
    excluded = re.compile(rf"missing\s+c?\s*(/usr/share/({places})/|/var/cache/)")
    assert [line for line in odd if not excluded.match(line)] == []


@pytest.mark.soak
def test_read_from_its_files_it_is_a_base(foreign: DebianRootfs, debian_rootfs: DebianRootfs, tmp_path: Path) -> None:
    name, digest = bases.lay_out("3.11", [HOST, OTHER], tmp_path / "layout", foreign.tar.parents[1], SilentReporter())
    assert name == "imagekit/python:3.11"
    found = {}
    for platform in (HOST, OTHER):
        content = read_layout(tmp_path / "layout", digest, platform)
        found[platform] = base_from_content(content, name, tmp_path / "cache"), content
    (here, ours), (there, theirs) = found[HOST], found[OTHER]
    assert there.config.platform.architecture == OTHER.architecture
    python = replace(there.python, machine=HOST.machine, markers=here.python.markers)
    assert python == here.python
    assert dict(there.python.markers)["platform_machine"] == OTHER.machine
    assert there.passwd == here.passwd
    assert there.directories == here.directories
    tags = {str(tag) for tag in Target.of(there).tags}
    assert f"cp311-cp311-manylinux_2_28_{OTHER.machine}" in tags
    assert not any(HOST.machine in tag for tag in tags)
    # Its own interpreter does not run here, and that of its sibling compiles the same.
    made = compiler_here(there, theirs, tmp_path / "other", same_here=lambda: ours)
    assert made.compiler is not None
    with made.compiler as compiler:
        assert compiler.submit([("/x.py", b"")]).result() != [None]


def test_another_version_here_is_said(debian_lock: DebianLock) -> None:
    first, *rest = debian_lock.packages
    other = replace(debian_lock, packages=(replace(first, version="0"), *rest), architecture="arm64")
    with pytest.raises(BaseBuildFailed, match=f"{first.name}: not of the same version") as caught:
        require_same(debian_lock, other)
    assert caught.value.hint


def test_a_lock_of_another_processor_is_refused(debian_lock: DebianLock, tmp_path: Path) -> None:
    with pytest.raises(BaseBuildFailed, match="the lock is of packages for"):
        build_base(FOREIGN, cache=tmp_path, lock=debian_lock)
    with pytest.raises(InputError, match="one platform's packages"):
        bases.lay_out("3.11", [HOST, OTHER], tmp_path, tmp_path, SilentReporter(), lock_file=tmp_path / "lock")


@pytest.mark.soak
def test_no_root_is_needed_where_the_same_is_here_already(
    foreign: DebianRootfs, debian_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    note = foreign.tar.with_suffix(".json")
    kept, note_text = foreign.tar.read_bytes(), note.read_bytes()
    note.unlink()
    try:
        again = build_base(FOREIGN, cache=debian_cache, lock=lock_base(FOREIGN))
    finally:
        foreign.tar.write_bytes(kept)
        note.write_bytes(note_text)
    assert again.diff_id == foreign.diff_id


@pytest.mark.soak
def test_a_project_is_built_for_it_without_an_engine(foreign: DebianRootfs, tmp_path: Path) -> None:
    """With wheels for that processor from the index, their bytecode, and nothing emulated."""
    bases.lay_out("3.11", [HOST, OTHER], tmp_path / "bases", foreign.tar.parents[1], SilentReporter())
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_text("numpy\n")
    (project / "flow.py").write_text("def main():\n    import numpy\n")
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
    words = ["build", project, "-t", "numbers:1", "--base-image", f"oci:{tmp_path / 'bases'}", "--python", "3.11"]
    words += ["--platform", f"{HOST},{OTHER}", "--output", f"oci:{tmp_path / 'out'}"]
    program = Path(sys.executable).with_name("imagekit")
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert f"{OTHER} programs do not run here: bytecode is compiled by the same CPython" in done.stderr
    for platform in (HOST, OTHER):
        content = read_layout(tmp_path / "out", "numbers:1", platform)
        assert content.config.platform.architecture == platform.architecture
        machines, names, wheel = set(), set(), b""
        for blob in content.layers:
            data = gzip.decompress(b"".join(blob.content.chunks()))
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    if member.isreg() and member.name.startswith("opt/venv/"):
                        names.add(member.name)
                        stream = archive.extractfile(member)
                        assert stream is not None
                        text = stream.read()
                        if (elf := read_elf(text)) is not None:
                            machines.add(elf.machine)
                        if re.search(r"/numpy-[^/]+/WHEEL$", member.name):
                            wheel = text
        assert machines == {platform.machine}
        assert re.search(rb"Tag: cp311-cp311-manylinux_\w+_" + platform.machine.encode(), wheel)
        assert any(name.endswith("numpy/__pycache__/__init__.cpython-311.pyc") for name in names)
