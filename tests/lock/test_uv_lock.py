"""``uv.lock``: real ones, made by uv of tiny wheels and projects."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from imagekit.errors import InvalidProject, InvalidRequirement, StaleLock
from imagekit.lock.uv import find_uv
from imagekit.lock.uv_lock import export_uv_lock
from imagekit.spec.source_tree import scan
from tests.own_repositories import Repository, package_files

PROJECT = """
[project]
name = "orders"
version = "1"
requires-python = ">=3.10"
dependencies = ["alpha>=1", "only-windows; sys_platform == 'win32'", "old; python_version < '3.11'"]

[project.optional-dependencies]
fast = ["gamma"]
all = ["orders[fast]"]

[dependency-groups]
dev = ["delta"]
"""
MEMBER = """
[project]
name = "{name}"
version = "1"
dependencies = [{dependencies}]

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""


@pytest.fixture
def index(wheels):
    for name in ("beta", "gamma", "delta", "old", "only_windows"):
        wheels.add(name, "1.0")
    wheels.add("alpha", "1.0", ["beta; sys_platform == 'linux'"])
    wheels.add("alpha", "2.0")
    return wheels


def uv_lock(index, directory: Path) -> Path:
    """``uv lock`` as a user runs it."""
    subprocess.run(
        [str(find_uv()), "lock", "--quiet", "--no-config", "--no-index", "--find-links", str(index.path)],
        cwd=directory,
        check=True,
    )
    return directory / "uv.lock"


def write(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(text)
    return directory


def locked(index, tmp_path: Path, text: str = PROJECT) -> tuple[Path, Path]:
    project = write(tmp_path / "project", text)
    return uv_lock(index, project), project


def names(exported) -> set[str]:
    return {str(package.name) for package in exported.file.pylock.packages}


def test_the_extras_and_groups_asked_for_and_no_others(index, target, tmp_path):
    path, project = locked(index, tmp_path)
    plain = export_uv_lock(path, project, target)
    assert names(plain) == {"alpha", "old", "only-windows"}
    more = export_uv_lock(path, project, target, extras=("all",), groups=("dev",))
    assert names(more) == {"alpha", "old", "only-windows", "gamma", "delta"}


def test_uv_writes_nothing_and_reads_no_configuration(index, target, tmp_path, monkeypatch):
    path, project = locked(index, tmp_path)
    (project / "uv.toml").write_text('required-version = "==0.0.1"\n')
    monkeypatch.setenv("UV_NO_HASHES", "1")
    before = scan(project).digest()
    for directory in (project, *(p for p in project.iterdir() if p.is_dir())):
        os.chmod(directory, 0o555)
    try:
        assert names(export_uv_lock(path, project, target))
    finally:
        os.chmod(project, 0o755)
    assert scan(project).digest() == before
    assert sorted(p.name for p in project.iterdir()) == ["pyproject.toml", "uv.lock", "uv.toml"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("alpha>=1", "alpha>=2"), "asks for alpha>=2, and then for alpha>=1"),
        (('"alpha>=1"', '"alpha>=1", "beta"'), "asks for beta"),
        (('"alpha>=1", ', ""), "does not ask for alpha>=1 any more"),
        (('"alpha>=1"', '"alpha[fast]>=1"'), r"alpha\[fast\]>=1"),
        (("sys_platform == 'win32'", "sys_platform == 'linux'"), "asks for only-windows"),
    ],
)
def test_a_lock_of_other_requirements_is_stale(index, target, tmp_path, change, words):
    path, project = locked(index, tmp_path)
    write(project, PROJECT.replace(*change))
    with pytest.raises(StaleLock, match=words) as caught:
        export_uv_lock(path, project, target)
    assert caught.value.hint == "make it anew: uv lock"


def test_what_does_not_matter_here_does_not_make_it_stale(index, other_target, tmp_path):
    path, project = locked(index, tmp_path)
    write(project, PROJECT.replace("delta", "gamma").replace('"alpha>=1"', "'alpha >= 1'"))
    assert names(export_uv_lock(path, project, other_target()))
    with pytest.raises(StaleLock, match="the group dev of orders asks for gamma"):
        export_uv_lock(path, project, other_target(), groups=("dev",))
    # A marker that does not hold on this Python, but on that one.
    write(project, PROJECT.replace("old; python_version < '3.11'", "old>=1; python_version < '3.11'"))
    assert names(export_uv_lock(path, project, other_target("3.11.2")))
    with pytest.raises(StaleLock, match="asks for old>=1"):
        export_uv_lock(path, project, other_target("3.10.2"))


def test_all_differences_are_told_at_once(index, target, tmp_path):
    path, project = locked(index, tmp_path)
    write(project, PROJECT.replace("alpha>=1", "alpha>=2").replace('"gamma"', '"beta"'))
    with pytest.raises(StaleLock, match="and 2 more") as caught:
        export_uv_lock(path, project, target, extras=("fast",))
    assert [line.split(" asks")[0].split(" does")[0] for line in caught.value.details.splitlines()] == [
        "orders",
        "orders[fast]",
        "orders[fast]",
    ]


def test_constraints_and_overrides_are_part_of_it(index, target, tmp_path):
    text = PROJECT + '\n[tool.uv]\nconstraint-dependencies = ["beta<2"]\noverride-dependencies = ["alpha==1.0"]\n'
    path, project = locked(index, tmp_path, text)
    assert names(export_uv_lock(path, project, target)) >= {"alpha", "beta"}
    write(project, text.replace("beta<2", "beta<3").replace("alpha==1.0", "alpha==2.0"))
    with pytest.raises(StaleLock, match=r"constraint-dependencies asks for beta<3, and then for beta<2 \(and 1 more\)"):
        export_uv_lock(path, project, target)


def test_an_extra_that_is_not_there(index, target, tmp_path):
    path, project = locked(index, tmp_path)
    with pytest.raises(StaleLock, match="quick"):
        export_uv_lock(path, project, target, extras=("quick",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 2\n", "version is 2"),
        ("version = 1\nrequires-python = [", r"uv\.lock:2"),
        ("version = 1\nrequires-python = '>=3.10'\n", "has no orders"),
    ],
)
def test_a_lock_that_cannot_be_read(target, tmp_path, text, words):
    project = write(tmp_path, PROJECT)
    (project / "uv.lock").write_text(text)
    with pytest.raises((InvalidProject, StaleLock), match=words):
        export_uv_lock(project / "uv.lock", project, target)


def test_what_uv_stumbles_over_is_told_by_line(index, target, tmp_path):
    lock, project = locked(index, tmp_path)
    text = lock.read_text()
    assert 'version = "2.0"' in text
    lock.write_text(text.replace('version = "2.0"', "version = 2.0", 1))
    with pytest.raises(InvalidProject, match=r"^uv\.lock:\d+: uv cannot use it: invalid type: floating point"):
        export_uv_lock(lock, project, target)


@pytest.mark.parametrize("name", ["utf-8-sig", "utf-8"])
def test_marks_of_byte_order_and_line_ends_of_windows(index, target, tmp_path, name):
    lock, project = locked(index, tmp_path)
    expected = names(export_uv_lock(lock, project, target))
    lock.write_bytes(lock.read_text().replace("\n", "\r\n").encode(name))
    assert names(export_uv_lock(lock, project, target)) == expected
    lock.write_bytes(lock.read_bytes().decode(name).encode("utf-16"))
    with pytest.raises(InvalidProject, match=r"^uv\.lock:1: not UTF-8"):
        export_uv_lock(lock, project, target)


@pytest.fixture
def workspace(index, tmp_path) -> Path:
    root = write(
        tmp_path / "workspace",
        MEMBER.format(name="shop", dependencies='"cart"')
        + '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/scratch"]\n'
        "[tool.uv.sources]\ncart = { workspace = true }\n",
    )
    write(
        root / "packages" / "cart",
        MEMBER.format(name="cart", dependencies='"money", "alpha"')
        + "[tool.uv.sources]\nmoney = { workspace = true }\n",
    )
    write(root / "packages" / "money", MEMBER.format(name="money", dependencies='"beta"'))
    write(root / "packages" / "scratch", MEMBER.format(name="scratch", dependencies=""))
    uv_lock(index, root)
    return root


def test_members_are_copied_and_not_linked(workspace, target):
    exported = export_uv_lock(workspace / "uv.lock", workspace, target)
    assert names(exported) == {"alpha", "beta"}
    assert {line.text: line.local.path for line in exported.direct} == {
        f"{name} @ {(workspace / 'packages' / name).as_uri()}": workspace / "packages" / name
        for name in ("cart", "money")
    }
    assert [line.origin.split(":")[0] for line in exported.direct] == ["uv.lock", "uv.lock"]


def test_one_member_takes_the_lock_of_the_workspace_around_it(workspace, target):
    exported = export_uv_lock(workspace / "uv.lock", workspace / "packages" / "cart", target)
    assert [line.text.split(" @ ")[0] for line in exported.direct] == ["money"]
    assert names(exported) == {"alpha", "beta"}


def test_a_root_that_is_no_project_brings_all_members(workspace, index, target):
    write(workspace, '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/scratch"]\n')
    uv_lock(index, workspace)
    exported = export_uv_lock(workspace / "uv.lock", workspace, target)
    assert [line.text.split(" @ ")[0] for line in exported.direct] == ["cart", "money"]


def test_a_member_more_or_less_is_told(workspace, target):
    write(workspace / "packages" / "new", MEMBER.format(name="new", dependencies=""))
    with pytest.raises(StaleLock, match="new is no member of it"):
        export_uv_lock(workspace / "uv.lock", workspace, target)


def test_a_path_outside_is_refused_with_file_and_line(index, target, tmp_path):
    write(tmp_path / "lib", MEMBER.format(name="lib", dependencies=""))
    text = PROJECT.replace('"alpha>=1"', '"lib"') + '[tool.uv.sources]\nlib = { path = "../lib" }\n'
    path, project = locked(index, tmp_path, text)
    with pytest.raises(InvalidRequirement, match=r"uv\.lock:\d+: .*outside the project"):
        export_uv_lock(path, project, target)


def test_a_source_that_changed_is_told(index, target, tmp_path):
    write(tmp_path / "project" / "lib", MEMBER.format(name="lib", dependencies=""))
    text = PROJECT.replace('"alpha>=1"', '"lib"') + '[tool.uv.sources]\nlib = { path = "lib" }\n'
    path, project = locked(index, tmp_path, text)
    assert [line.text.split(" @ ")[0] for line in export_uv_lock(path, project, target).direct] == ["lib"]
    write(project, text.replace('{ path = "lib" }', '{ git = "https://example.com/lib", tag = "v1" }'))
    with pytest.raises(StaleLock, match=r"lib \(git https://example.com/lib tag v1\), and then for lib \(path lib\)"):
        export_uv_lock(path, project, target)


def test_a_commit_of_a_repository(index, target, tmp_path):
    repository = Repository(tmp_path / "project" / "vendor" / "part")
    commit = repository.commit(package_files("part", "1.0", below="inner/"))
    source = f'{{ git = "{repository.path.as_uri()}", subdirectory = "inner" }}'
    text = PROJECT.replace('"alpha>=1"', '"part"') + f"[tool.uv.sources]\npart = {source}\n"
    path, project = locked(index, tmp_path, text)
    (line,) = export_uv_lock(path, project, target).direct
    assert line.text == f"part @ git+{repository.path.as_uri()}@{commit}#subdirectory=inner"


def test_extras_that_exclude_each_other(index, target, tmp_path):
    text = (
        PROJECT.replace('fast = ["gamma"]', 'fast = ["alpha<2"]\nnew = ["alpha>=2"]').replace(
            'all = ["orders[fast]"]', ""
        )
        + '[tool.uv]\nconflicts = [[{ extra = "fast" }, { extra = "new" }]]\n'
    )
    path, project = locked(index, tmp_path, text)

    def versions(*extras: str) -> list[str]:
        packages = export_uv_lock(path, project, target, extras=extras).file.pylock.packages
        return [str(p.version) for p in packages if p.name == "alpha"]

    assert (versions("fast"), versions("new")) == (["1.0"], ["2.0"])
    with pytest.raises(InvalidProject, match="fast"):
        versions("fast", "new")
