"""Layers of files: the base's directories stay as they are, and what is read is what was promised."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from imagekit.errors import BaseUnusable, InvalidProject
from imagekit.layers.tree_layer import write_environment, write_files, write_source
from imagekit.layers.values import WrittenLayer
from imagekit.plan.prefix import Prefix
from imagekit.plan.user import choose_user
from imagekit.plan.values import User
from imagekit.spec.base import real_path
from imagekit.spec.image import FileMapping
from imagekit.spec.source_tree import scan

from .bases import base

ANN = User(name="ann", uid=1234, gid=2345, home="/home/ann", exists=True)


def _members(write: Callable[[BinaryIO], WrittenLayer]) -> dict[str, tarfile.TarInfo]:
    out = io.BytesIO()
    written = write(out)
    assert written.size == len(out.getvalue())
    assert written.diff_id == "sha256:" + hashlib.sha256(out.getvalue()).hexdigest()
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert len(set(names)) == len(names)
    for name in names:
        # A directory is there before what it holds.
        above = name.rpartition("/")[0]
        assert not above or names.index(above) < names.index(name)
    return {member.name: member for member in members}


def _digest(path: Path) -> str:
    return f"{'x' if path.stat().st_mode & 0o100 else '-'}:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _files(tmp_path: Path, *targets: str, mode: int = 0o644) -> tuple[list[FileMapping], dict[str, str]]:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    source.chmod(mode)
    return [FileMapping(source=source, target=t) for t in targets], {t: _digest(source) for t in targets}


def test_directories_of_the_base_keep_their_modes(tmp_path: Path) -> None:
    files, digests = _files(tmp_path, "/tmp/a", "/root/.rc", "/etc/new/b")
    found = _members(lambda out: write_files(files, digests, base(), out))
    assert {name: oct(m.mode) for name, m in found.items() if m.isdir()} == {
        "etc": "0o755",
        "etc/new": "0o755",
        "root": "0o700",
        "tmp": "0o1777",
    }


def test_links_to_directories_are_followed(tmp_path: Path) -> None:
    files, digests = _files(tmp_path, "/bin/tool", "/var/run/x/y", "/bin2/z")
    found = _members(lambda out: write_files(files, digests, base(), out))
    assert {name for name, m in found.items() if m.isreg()} == {"usr/bin/tool", "run/x/y", "bin2/z"}
    assert "bin" not in found


def test_only_what_is_above_a_path_is_followed() -> None:
    assert real_path("/var/run", base()) == "/var/run"
    assert real_path("/var/run/a", base()) == "/run/a"
    assert real_path("/a", base()) == "/a"


@pytest.mark.parametrize(("mode", "expected"), [(0o755, 0o755), (0o644, 0o644), (0o600, 0o644), (0o611, 0o644)])
def test_the_owners_executable_bit_decides(mode: int, expected: int, tmp_path: Path) -> None:
    files, digests = _files(tmp_path, "/a", mode=mode)
    (member,) = _members(lambda out: write_files(files, digests, base(), out)).values()
    assert (member.mode, member.uid, member.gid) == (expected, 0, 0)


@pytest.mark.parametrize("content", [b"CONTENT", b"longer content", b"short", b""])
def test_a_file_that_changed_after_it_was_promised(content: bytes, tmp_path: Path) -> None:
    files, digests = _files(tmp_path, "/a")
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InvalidProject, match="changed while it was read"):
        write_files(files, digests, base(), io.BytesIO())


def _project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "package" / "empty").mkdir(parents=True)
    (project / "flow.py").write_text("def etl(): ...\n")
    (project / "package" / "run.sh").write_text("#!/bin/sh\n")
    (project / "package" / "run.sh").chmod(0o744)
    (project / "link").symlink_to("package/run.sh")
    return project


@pytest.mark.parametrize(
    ("workdir", "root"), [("/app", "app/"), ("/bin/app", "usr/bin/app/"), ("/", ""), ("/root/work", "root/work/")]
)
def test_the_source_is_its_users(workdir: str, root: str, tmp_path: Path) -> None:
    tree = scan(_project(tmp_path))
    found = _members(lambda out: write_source(tree, tree.digest(), workdir, ANN, base(), out))
    ours = {name: m for name, m in found.items() if name.startswith(root) and name != root.rstrip("/")}
    assert {name.removeprefix(root): oct(m.mode) for name, m in ours.items()} == {
        "flow.py": "0o644",
        "link": "0o777",
        "package": "0o755",
        "package/empty": "0o755",
        "package/run.sh": "0o755",
    }
    assert {(m.uid, m.gid) for m in ours.values()} == {(1234, 2345)}
    if root == "root/work/":
        assert (found["root"].mode, found["root"].uid) == (0o700, 0)


@pytest.mark.parametrize("content", ["def ETL(): ...\n", "def etl(): ...\n# more\n", "def\n"])
def test_source_that_changes_while_it_is_read(content: str, tmp_path: Path) -> None:
    """The layer is kept by the digest that was taken before: it must be of that content."""
    project = _project(tmp_path)
    tree = scan(project)
    digest = tree.digest()
    (project / "flow.py").write_text(content)
    with pytest.raises(InvalidProject, match="changed while it was read") as caught:
        write_source(tree, digest, "/app", ANN, base(), io.BytesIO())
    assert caught.value.hint == "build again"


def test_source_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    project = _project(tmp_path)
    tree = scan(project)
    digest = tree.digest()
    (project / "flow.py").unlink()
    with pytest.raises(InvalidProject, match=r"flow\.py cannot be read"):
        write_source(tree, digest, "/app", ANN, base(), io.BytesIO())


def test_the_environment(tmp_path: Path) -> None:
    image = base()
    user = choose_user(image)
    prefix = Prefix.venv(image.python)
    found = _members(lambda out: write_environment(image, prefix, user, "/tmp/work", out))
    assert found["opt/venv/bin/python"].linkname == "/usr/bin/python3.11"
    assert found["opt/venv/lib64"].linkname == "lib"
    assert found["tmp"].mode == 0o1777
    for own in ("tmp/work", "home/app"):
        assert (found[own].uid, found[own].gid) == (1000, 1000)
    assert found["etc/passwd"].uid == found["home"].uid == 0


def test_an_environment_below_a_link_is_refused() -> None:
    image = base(links=(("/opt", "/var/opt"),))
    with pytest.raises(BaseUnusable, match="/var/opt/venv"):
        write_environment(image, Prefix.venv(image.python), choose_user(image), "/app", io.BytesIO())
