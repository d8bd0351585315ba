"""Commits of real repositories as sources: refs, what is kept, what is left out, and what breaks in between."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.cache.prune import prune
from imagekit.cache.verify import verify
from imagekit.checkouts.fetched import fetched
from imagekit.checkouts.find import find_source
from imagekit.checkouts.read import read_source
from imagekit.checkouts.values import Checkout, GitSource, SourceAccess
from imagekit.errors import DiskFull, InputError, RepositoryError
from imagekit.git.working_tree import state_of
from imagekit.progress import SilentReporter
from imagekit.sharing.leases import in_use
from imagekit.spec.revision import Revision, read_revision
from tests.own_repositories import Repository

Reach = Callable[..., SourceAccess]


def names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def source_of(repository: Repository, ref: str | None = None, subdirectory: str = "") -> GitSource:
    return GitSource(url=repository.url, ref=ref, subdirectory=subdirectory)


def test_a_branch_a_tag_and_commits(repository: Repository, reach: Reach) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1", "-m", "one")
    second = repository.commit({"helper.py": "value = 'two'\n"})
    for ref, commit in ((None, second), ("main", second), ("v1", first), (first, first), (first[:9], first)):
        found = find_source(source_of(repository, ref), reach())
        assert found.record == {"kind": "git", "url": repository.url, "ref": ref, "commit": commit}
        assert (found.project / "helper.py").read_text() == f"value = '{'one' if commit == first else 'two'}'\n"
        assert found.shown == f"{repository.url} at {commit[:12]}"
    with pytest.raises(RepositoryError, match="no branch, tag or commit 'nowhere'"):
        find_source(source_of(repository, "nowhere"), reach())
    with pytest.raises(RepositoryError, match="has no commit 0000"):
        find_source(source_of(repository, "0" * 40), reach())


def test_files_are_there_to_be_read_alone(repository: Repository, reach: Reach) -> None:
    (repository.path / "run").write_text("#!/bin/sh\n")
    (repository.path / "run").chmod(0o755)
    (repository.path / "out").symlink_to("/etc/passwd")
    repository.commit({"a/b.py": "x\n"})
    before = os.umask(0o077)
    try:
        found = find_source(source_of(repository), reach())
    finally:
        os.umask(before)
    tree = found.directory
    assert tree.name == "orders"
    assert names(tree) == ["a", "a/b.py", "flow.py", "helper.py", "out", "run"]
    modes = {name: stat.S_IMODE((tree / name).lstat().st_mode) for name in ("a", "a/b.py", "run")}
    assert modes == {"a": 0o755, "a/b.py": 0o444, "run": 0o555}
    assert os.readlink(tree / "out") == "/etc/passwd"
    assert stat.S_IMODE(tree.stat().st_mode) == 0o755


def test_a_commit_that_is_here_is_asked_of_nobody(repository: Repository, reach: Reach) -> None:
    commit = repository.git("rev-parse", "HEAD")
    find_source(source_of(repository, "main"), reach())
    shutil.rmtree(repository.path)
    nobody = replace(reach(), environment={"PATH": "/nowhere"}, offline=True)
    assert (find_source(source_of(repository, commit), nobody).project / "flow.py").is_file()
    with pytest.raises(RepositoryError):
        find_source(source_of(repository, "main"), reach())


def test_offline(reach: Reach) -> None:
    offline = reach(offline=True)
    with pytest.raises(RepositoryError, match=r"offline, and the branch or tag 'main' of https://example.com/r may be"):
        find_source(GitSource(url="https://example.com/r", ref="main"), offline)
    with pytest.raises(RepositoryError, match=r"offline, and https://example.com/r is asked for"):
        find_source(GitSource(url="https://example.com/r", ref="0" * 40), offline)


def test_subdirectories(repository: Repository, reach: Reach) -> None:
    (repository.path / "way").symlink_to("..")
    (repository.path / "inner").symlink_to("deep/below")
    repository.commit({"deep/below/flow.py": "def f(): ...\n", "shared.py": "\n"})
    found = find_source(source_of(repository, "main", "deep/below"), reach())
    assert names(found.project) == ["flow.py"]
    assert (found.directory / "shared.py").is_file()
    assert found.record["subdirectory"] == "deep/below"
    assert find_source(source_of(repository, "main", "inner"), reach()).project.resolve() == found.project
    for outside in ("nowhere", "flow.py", "way", "way/way"):
        with pytest.raises(InputError, match="has no directory"):
            find_source(source_of(repository, "main", outside), reach())


def test_history_is_not_fetched_and_new_commits_bring_what_is_new(repository: Repository, reach: Reach) -> None:
    for number in range(30):
        repository.commit({"data": os.urandom(20_000).hex(), "number": str(number)})
    large = os.urandom(200_000).hex()
    commit = repository.commit({"large": large})
    access = reach()
    find_source(source_of(repository, commit), access)
    (kept,) = (access.cache / "repositories").iterdir()

    def size() -> int:
        return sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())

    before = size()
    assert before < 300_000  # 30 versions of data would be 600,000
    found = find_source(source_of(repository, repository.commit({"number": "31"})), access)
    assert (found.project / "large").read_text() == large
    assert size() - before < 20_000


def test_what_git_would_run_or_fetch_besides(repository: Repository, reach: Reach, tmp_path: Path) -> None:
    """Hooks, filters, submodules and LFS: nothing of it is done, and what is missing is said."""
    other = Repository(tmp_path / "other")
    other.commit({"s": "1"})
    ran = tmp_path / "ran"
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.url, "vendor/sub")
    for hooks in (repository.path / ".git" / "hooks", repository.path / "hooks"):
        hooks.mkdir(exist_ok=True)
        for name in ("post-checkout", "post-upload-pack", "reference-transaction", "post-index-change"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
            (hooks / name).chmod(0o755)
    repository.git("config", "core.hooksPath", "/nonexistent")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    repository.commit(
        {"data/x.bin": pointer, ".gitattributes": "*.bin filter=lfs diff=lfs -text\nflow.py filter=evil\n"}
    )
    repository.git("config", "--unset", "core.hooksPath")
    home = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "filter.evil.smudge", "GIT_CONFIG_VALUE_0": f"touch {ran}"}
    found = find_source(source_of(repository), reach(variables=home))
    assert not ran.exists()
    assert (found.project / "data/x.bin").read_text() == pointer
    assert names(found.project / "vendor" / "sub") == []
    lfs, submodules = found.remarks
    assert lfs == "Git LFS keeps the content of data/x.bin, which is not fetched: flows see the pointers"
    assert submodules.startswith("vendor/sub: submodules are not fetched")
    # They are said again of what is kept.
    assert find_source(source_of(repository), reach()).remarks == found.remarks


PROGRAM = """
import sys
from pathlib import Path
from imagekit.checkouts.find import find_source
from imagekit.checkouts.values import GitSource, SourceAccess
import os
access = SourceAccess(cache=Path(sys.argv[1]), cache_size=1 << 30, environment=dict(os.environ))
print(find_source(GitSource(url=sys.argv[2], ref=sys.argv[3]), access).project, flush=True)
"""


def start(access: SourceAccess, url: str, ref: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROGRAM, str(access.cache), url, ref]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=access.environment)


def test_several_processes_at_once(repository: Repository, reach: Reach) -> None:
    commits = [repository.git("rev-parse", "HEAD"), repository.commit({"more": "1"})]
    running = [start(reach(), repository.url, ref) for ref in ("main", commits[1], commits[0], "main")]
    ended = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 4, ended
    assert ended[0] == ended[1] == ended[3] != ended[2]
    assert sorted(path.name for path in (reach().cache / "checkouts").iterdir() if len(path.name) != 64) == []


def slow_ssh(tmp_path: Path, note: Path) -> dict[str, str]:
    """A transport that notes its process and never ends, once; then it serves the repository."""
    script = tmp_path / "ssh"
    script.write_text(
        f"#!/bin/sh\nif [ ! -e {note} ]; then echo $$ > {note}.new; mv {note}.new {note}; exec sleep 1000; fi\n"
        'shift $(( $# - 1 )); exec sh -c "$1"\n'
    )
    script.chmod(0o755)
    return {"GIT_SSH": str(script), "GIT_SSH_VARIANT": "simple"}


def test_a_killed_fetch_and_again(repository: Repository, reach: Reach, tmp_path: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    note = tmp_path / "note"
    access = reach(variables=slow_ssh(tmp_path, note))
    url = f"ssh://example.com{repository.path}"
    killed = start(access, url, commit)
    while not note.exists():
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    # What outlives it would go on writing.
    os.kill(int(note.read_text()), signal.SIGKILL)
    (kept,) = (access.cache / "repositories").iterdir()
    (kept / "shallow.lock").touch()
    (kept / "HEAD.lock").touch()
    (kept / "objects" / "pack").mkdir(parents=True, exist_ok=True)
    (kept / "objects" / "pack" / "tmp_pack_x").write_text("half")
    found = find_source(GitSource(url=url, ref=commit), access)
    assert (found.project / "flow.py").is_file()
    assert not (kept / "objects" / "pack" / "tmp_pack_x").exists()


def test_a_damaged_repository_is_begun_anew(repository: Repository, reach: Reach) -> None:
    access = reach()
    find_source(source_of(repository), access)
    (kept,) = (access.cache / "repositories").iterdir()
    blob = repository.git("rev-parse", "HEAD:helper.py")
    (kept / "objects" / blob[:2] / blob[2:]).unlink()
    assert [damage.unit.kind.name for damage in verify(access.cache, SilentReporter())[1]] == ["repositories"]
    shutil.rmtree(access.cache / "checkouts")
    found = find_source(source_of(repository), access)
    assert (found.project / "helper.py").is_file()
    assert verify(access.cache, SilentReporter())[1] == []


def test_the_cache_counts_verifies_and_prunes_them(repository: Repository, reach: Reach) -> None:
    access = reach()
    found = find_source(source_of(repository), access)
    assert verify(access.cache, SilentReporter()) == (2, [])
    file = found.project / "helper.py"
    file.chmod(0o644)
    file.write_text("value = 'other'\n")
    assert [damage.reason for damage in verify(access.cache, SilentReporter())[1]] == ["other files than were written"]
    with in_use(access.cache):
        assert prune(access.cache, everything=True).in_use == 2
        assert file.exists()
    assert prune(access.cache, everything=True).entries == 2
    assert "one" in (find_source(source_of(repository), access).project / "helper.py").read_text()


def test_the_cache_is_held_to_its_size(repository: Repository, reach: Reach) -> None:
    large = os.urandom(50_000).hex()
    access = replace(reach(), cache_size=100_000)
    found = [find_source(source_of(repository, repository.commit({"large": large, "n": "1"})), access)]
    old = time.time() - 10 * 86400
    for path in access.cache.rglob("*"):
        os.utime(path, (old, old), follow_symlinks=False)
    found.append(find_source(source_of(repository, repository.commit({"n": "2"})), access))
    assert [each.project.exists() for each in found] == [False, True]


def test_a_disk_that_is_full(repository: Repository, reach: Reach, tmp_path: Path) -> None:
    repository.commit({"large": os.urandom(400_000).hex()})
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], check=True)
    try:
        access = replace(reach(), cache=disk)
        with pytest.raises(DiskFull) as caught:
            find_source(source_of(repository), access)
        assert caught.value.hint
        assert [path.name for path in (disk / "checkouts").iterdir()] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_cache_in_another_repository(repository: Repository, reach: Reach) -> None:
    """The home directory is one for many people; its commit is not the project's."""
    access = reach()
    Repository(access.cache).commit({"a": "1"})
    found = find_source(source_of(repository), access)
    assert read_revision(found.project) == Revision()
    assert state_of(found.project) == "unknown"


def test_what_is_written_is_what_is_read(repository: Repository, reach: Reach, tmp_path: Path) -> None:
    written = read_source(f"git+{repository.url}@main", tmp_path)
    assert isinstance(written, GitSource)
    found: Checkout = fetched(written, reach(), secret=None, reporter=SilentReporter())
    assert found.is_fetched
    assert str(found.source) == f"git+{repository.url}@main"
