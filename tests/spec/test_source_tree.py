"""The source that goes into an image, and its digest."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.errors import InvalidProject
from imagekit.spec.source_tree import scan


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def paths(root: Path) -> list[str]:
    return [f.path for f in scan(root).files]


def test_without_rules_the_usual_rubbish_stays_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "flow.py",
        "pkg/m.py",
        "pkg/__pycache__/m.pyc",
        "pkg/stale.pyc",
        ".git/HEAD",
        "venv/pyvenv.cfg",
        "venv/lib/x.py",
        "node_modules/x.js",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".ruff_cache/x",
        ".tox/x",
        ".nox/x",
        ".imagekit/x",
        ".DS_Store",
        ".env",
        "sub/.env",
        ".envrc",
    )
    assert paths(tmp_path) == [".envrc", "flow.py", "pkg", "pkg/m.py", "sub"]


def test_a_worktree_s_git_file_stays_out(tmp_path: Path) -> None:
    write(tmp_path, ".git", "a")
    assert paths(tmp_path) == ["a"]


def test_with_rules_exactly_those(tmp_path: Path) -> None:
    write(tmp_path, ".git/HEAD", "a.log", "b")
    (tmp_path / ".dockerignore").write_text("*.log\n.dockerignore")
    assert paths(tmp_path) == [".git", ".git/HEAD", "b"]


def test_rules_from_another_file(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    (tmp_path / ".dockerignore").write_text("a")
    (tmp_path / "other.ignore").write_text("b\n*ignore")
    assert [f.path for f in scan(tmp_path, tmp_path / "other.ignore").files] == ["a"]
    with pytest.raises(InvalidProject, match=r"missing\.ignore"):
        scan(tmp_path, tmp_path / "missing.ignore")


def test_kinds(tmp_path: Path) -> None:
    write(tmp_path, "plain", "run.sh")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "out").symlink_to("../outside")
    (tmp_path / "dir").mkdir()
    found = {f.path: f for f in scan(tmp_path).files}
    assert (found["plain"].kind, found["plain"].executable, found["plain"].size) == ("file", False, 5)
    assert found["run.sh"].executable
    assert (found["out"].kind, found["out"].link_target) == ("symlink", "../outside")
    assert found["dir"].kind == "dir"


def test_what_cannot_be_sent_is_named_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "d").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d" / "sock"))
        (tmp_path / os.fsdecode(b"bad\xff")).write_text("")
        with pytest.raises(InvalidProject) as caught:
            scan(tmp_path)
    assert caught.value.details is not None
    assert "pipe is a fifo" in caught.value.details
    assert "d/sock is a socket" in caught.value.details
    assert "not UTF-8" in caught.value.details
    (tmp_path / ".dockerignore").write_text("pipe\nd\nbad*")
    assert paths(tmp_path) == [".dockerignore"]


def test_the_digest_is_of_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    write(one, "a.py", "pkg/b.py")
    (one / "link").symlink_to("a.py")
    shutil.copytree(one, two, symlinks=True)
    os.utime(two / "a.py", (1, 1))
    (two / "a.py").chmod(0o600)
    (two / "pkg").chmod(0o700)
    before = scan(one).digest()
    assert scan(two).digest() == before

    (two / "a.py").chmod(0o700)
    assert scan(two).digest() != before
    (two / "a.py").chmod(0o600)
    (two / "a.py").write_text("b.py")
    assert scan(two).digest() != before
    (two / "a.py").write_text("a.py")
    assert scan(two).digest() == before
    (two / "link").unlink()
    (two / "link").symlink_to("pkg/b.py")
    assert scan(two).digest() != before
    (two / "link").unlink()
    (two / "link").write_text("a.py")
    assert scan(two).digest() != before


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, "plain", "closed", "d/x")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "d").chmod(0)
    program = "import pathlib, sys; from imagekit.spec.source_tree import scan; scan(pathlib.Path(sys.argv[1]))"
    # Root without the capability to pass over permissions, as any user is.
    unprivileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.getuid() == 0 else []
    command = [*unprivileged, sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "InvalidProject" in done.stderr
    assert "closed cannot be read: Permission denied" in done.stderr
    assert "d cannot be read: Permission denied" in done.stderr
