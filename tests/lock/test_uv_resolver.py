"""uv: what it is asked, and what its answers and its failures become."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import HashMismatch, IndexUnreachable, NoWheel, ResolveError, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Login, Logins
from imagekit.lock.resolve import resolve
from imagekit.lock.uv import compile_argv, python_platform
from imagekit.progress import SilentReporter
from imagekit.spec.image import Indexes, RequirementLine

QUIET = SilentReporter()


def test_arguments_are_for_the_target(target):
    argv = compile_argv("uv", target, directory="/t", access=IndexAccess())
    assert argv == [
        "uv", "pip", "compile", "--format", "pylock.toml",
        "--python", sys.executable, "--python-version", "3.11.2", "--python-platform", "x86_64-manylinux_2_36",
        "--no-python-downloads", "--no-config", "--only-binary", ":all:",
        "--no-header", "--no-annotate", "--color", "never", "--no-progress", "--", "/t/requirements.in",
    ]  # fmt: skip


def test_arguments_with_everything(target):
    indexes = Indexes(default="https://a.example/simple", extra=("https://b.example/simple",), find_links=("/w",))
    argv = compile_argv(
        "uv", target, directory=".", access=IndexAccess(indexes=indexes), source_builds=("b", "a"), constraints=True,
        no_deps=True, upgrade=True, previous=True, best_match=True, in_base=True,
    )  # fmt: skip
    assert argv == [
        "uv", "pip", "compile", "--format", "pylock.toml", "--no-python-downloads", "--no-config",
        "--only-binary", ":all:", "--no-binary", "a", "--no-binary", "b",
        "--default-index", "https://a.example/simple", "--index", "https://b.example/simple", "--find-links", "/w",
        "--index-strategy", "unsafe-best-match", "--constraints", "./constraints.txt", "--no-deps", "--refresh",
        "--output-file", "./pylock.toml",
        "--no-header", "--no-annotate", "--color", "never", "--no-progress", "--", "./requirements.in",
    ]  # fmt: skip


def test_building_everything_takes_the_only_binary_option_away(target):
    argv = compile_argv("uv", target, directory="/t", access=IndexAccess(), source_builds=("*",))
    assert "--only-binary" not in argv
    assert "--no-binary" not in argv


def test_sources_alone_of_some_where_everything_may_be_built(target):
    argv = compile_argv(
        "uv", target, directory="/t", access=IndexAccess(), source_builds=("*",), no_binary=("b", ":all:", "a")
    )
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "--no-binary"] == ["a", "b"]
    assert "--only-binary" not in argv


def test_wheels_alone_of_some_where_everything_may_be_built(target):
    argv = compile_argv(
        "uv", target, directory="/t", access=IndexAccess(), source_builds=("*",), only_binary=("b", "a")
    )
    assert [argv[n + 1] for n, word in enumerate(argv) if word == "--only-binary"] == ["a", "b"]


def test_an_index_with_credentials_is_never_an_argument(target):
    login = Login(url="https://a.example/simple", user="user", password="canary", origin="a test")
    access = IndexAccess(
        indexes=Indexes(default="https://a.example/simple", extra=("https://b.example/simple",)),
        logins=Logins(by_url=(login,)),
    )
    argv = compile_argv("uv", target, directory="/t", access=access)
    assert "canary" not in " ".join(argv)
    assert argv[argv.index("--default-index") + 1] == "imagekit-1=https://a.example/simple"
    assert argv[argv.index("--index") + 1] == "https://b.example/simple"
    variables = access.for_uv()
    assert variables["UV_INDEX_IMAGEKIT_1_USERNAME"] == "user"
    assert variables["UV_INDEX_IMAGEKIT_1_PASSWORD"] == "canary"
    assert "canary" not in repr(access)


@pytest.mark.parametrize(
    ("architecture", "libc", "version", "expected"),
    [
        ("amd64", "glibc", "2.36", "x86_64-manylinux_2_36"),
        ("amd64", "glibc", "2.30", "x86_64-manylinux_2_28"),
        ("amd64", "glibc", "2.17", "x86_64-manylinux_2_17"),
        ("amd64", "glibc", "2.12", "x86_64-manylinux_2_17"),
        ("arm64", "glibc", "2.99", "aarch64-manylinux_2_40"),
        ("arm64", "glibc", "3.0", "aarch64-manylinux_2_40"),
        ("amd64", "musl", "1.2", "x86_64-unknown-linux-musl"),
    ],
)
def test_the_libc_is_rounded_down_to_what_uv_knows(other_target, architecture, libc, version, expected):
    assert python_platform(other_target("3.12.1", architecture, libc, version)) == expected


def test_a_set_is_resolved_with_markers_and_the_direct_ones_told_apart(wheels, wanted, target):
    wheels.add("alpha", "1.0", ["beta>=1", "gamma; python_version < '3.11'"])
    wheels.add("beta", "1.0")
    wheels.add("beta", "2.0")
    wheels.add("gamma", "1.0")
    lock = resolve(wanted("alpha", "gamma; sys_platform == 'win32'", indexes=wheels.indexes), target, reporter=QUIET)
    assert [(p.name, p.version, p.direct) for p in lock.packages] == [("alpha", "1.0", True), ("beta", "2.0", False)]


def test_the_best_wheel_of_the_target_is_chosen_not_the_hosts(wheels, wanted, other_target):
    for tag in ("cp313-cp313-manylinux_2_17_aarch64", "cp313-cp313-manylinux_2_28_aarch64", "py3-none-any"):
        wheels.add("alpha", "1.0", tag=tag)
    wheels.add("alpha", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    wheels.add("beta", "1.0", tag="cp313-cp313-musllinux_1_2_aarch64")
    spec = wanted("alpha", indexes=wheels.indexes)
    chosen = {
        libc: resolve(spec, other_target("3.13.1", "arm64", "glibc", libc), reporter=QUIET)
        .packages[0]
        .artifact.filename
        for libc in ("2.36", "2.20")
    }
    assert chosen == {
        "2.36": "alpha-1.0-cp313-cp313-manylinux_2_28_aarch64.whl",
        "2.20": "alpha-1.0-cp313-cp313-manylinux_2_17_aarch64.whl",
    }
    musl = resolve(
        wanted("beta", indexes=wheels.indexes), other_target("3.13.1", "arm64", "musl", "1.2"), reporter=QUIET
    )
    assert musl.packages[0].artifact.filename == "beta-1.0-cp313-cp313-musllinux_1_2_aarch64.whl"


def test_the_real_index_answers_for_another_python_and_platform(wanted, other_target):
    lock = resolve(wanted("markupsafe>=3"), other_target("3.13.1", "arm64", "glibc", "2.41"), reporter=QUIET)
    (package,) = lock.packages
    assert "cp313" in package.artifact.filename
    assert "aarch64" in package.artifact.filename
    assert len(package.artifact.sha256) == 64


def test_constraints_hold(wheels, wanted, target):
    wheels.add("alpha", "1.0")
    wheels.add("alpha", "2.0")
    below = (RequirementLine(text="alpha<2", origin="constraints.txt:1"),)
    lock = resolve(wanted("alpha", constraints=below, indexes=wheels.indexes), target, reporter=QUIET)
    assert [p.version for p in lock.packages] == ["1.0"]


def test_earlier_versions_are_kept_where_they_still_fit(wheels, wanted, target):
    wheels.add("alpha", "1.0")
    earlier = resolve(wanted("alpha", indexes=wheels.indexes), target, reporter=QUIET)
    wheels.add("alpha", "2.0")
    wheels.add("beta", "1.0")
    spec = wanted("alpha", "beta", indexes=wheels.indexes)
    kept = resolve(spec, target, reporter=QUIET, previous=earlier)
    assert [(p.name, p.version) for p in kept.packages] == [("alpha", "1.0"), ("beta", "1.0")]
    moved = resolve(spec, target, reporter=QUIET, previous=earlier, upgrade=True)
    assert [(p.name, p.version) for p in moved.packages] == [("alpha", "2.0"), ("beta", "1.0")]


def test_a_contradiction_names_who_needs_what(wheels, wanted, target):
    wheels.add("alpha", "1.0", ["beta>=2"])
    wheels.add("beta", "1.0")
    wheels.add("beta", "2.0")
    with pytest.raises(Unsatisfiable) as caught:
        resolve(wanted("alpha", "beta<2", indexes=wheels.indexes), target, reporter=QUIET)
    assert "beta" in caught.value.message
    assert "\n" not in caught.value.message
    assert "No solution found" in (caught.value.details or "")


def test_an_unknown_package_is_named(wheels, wanted, target):
    with pytest.raises(Unsatisfiable, match="nowhere"):
        resolve(wanted("nowhere", indexes=wheels.indexes), target, reporter=QUIET)


@pytest.mark.parametrize("tag", ["cp27-cp27m-manylinux1_x86_64", "cp311-cp311-win_amd64"])
def test_no_fitting_wheel_is_its_own_error_with_the_way_out(wheels, wanted, target, tag):
    wheels.add("alpha", "1.0", tag=tag)
    with pytest.raises(NoWheel) as caught:
        resolve(wanted("alpha==1.0", indexes=wheels.indexes), target, reporter=QUIET)
    assert "alpha" in caught.value.message
    assert "--allow-source-build alpha" in (caught.value.hint or "")


def test_a_source_only_package_of_the_real_index_is_no_wheel(wanted, target):
    with pytest.raises(NoWheel, match="docopt"):
        resolve(wanted("docopt==0.6.2"), target, reporter=QUIET)


def test_a_dead_index_is_named(wanted, target, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        dead = Indexes(default=f"http://127.0.0.1:{port}/simple")
        with pytest.raises(IndexUnreachable) as caught:
            resolve(wanted("alpha", indexes=dead), target, reporter=QUIET)
    assert f"127.0.0.1:{port}" in caught.value.message


def test_hashes_choose_among_files_and_are_held_to(wheels, wanted, target):
    best = wheels.add("alpha", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    other = wheels.add("alpha", "1.0", tag="py3-none-any")
    sha256 = {p: p_digest(p) for p in (best, other)}
    spec = wanted(indexes=wheels.indexes, requires_hashes=True)

    def lines(*hashes: str) -> tuple[RequirementLine, ...]:
        return (RequirementLine(text="alpha==1.0", origin="requirements.txt:1", hashes=hashes),)

    for path in (best, other):
        held = replace(spec, requirements=lines(f"sha256:{sha256[path]}"))
        assert resolve(held, target, reporter=QUIET).packages[0].artifact.filename == path.name
    with pytest.raises(HashMismatch, match="alpha"):
        resolve(replace(spec, requirements=lines("sha256:" + "0" * 64)), target, reporter=QUIET)


def test_once_hashed_everything_must_be(wheels, wanted, target):
    path = wheels.add("alpha", "1.0", ["beta"])
    wheels.add("beta", "1.0")
    line = RequirementLine(text="alpha==1.0", origin="requirements.txt:1", hashes=(f"sha256:{p_digest(path)}",))
    spec = replace(wanted(indexes=wheels.indexes, requires_hashes=True), requirements=(line,))
    with pytest.raises(HashMismatch, match=r"beta==1\.0"):
        resolve(spec, target, reporter=QUIET)


def test_building_needs_the_base(wanted, target):
    with pytest.raises(ResolveError, match="base"):
        resolve(wanted("docopt", source_builds=("docopt",)), target, reporter=QUIET)


def test_nothing_wanted_is_an_empty_lock(wanted, target):
    assert resolve(wanted(), target, reporter=QUIET).packages == ()


def test_a_configuration_file_above_the_project_changes_nothing(wheels, wanted, target, monkeypatch):
    wheels.add("alpha", "1.0")
    wheels.add("alpha", "2.0")
    (wheels.path.parent / "uv.toml").write_text('[pip]\nresolution = "lowest"\n')
    monkeypatch.chdir(wheels.path)
    lock = resolve(wanted("alpha", indexes=wheels.indexes), target, reporter=QUIET)
    assert [p.version for p in lock.packages] == ["2.0"]
    assert sorted(p.name for p in Path(wheels.path).iterdir()) == [
        "alpha-1.0-py3-none-any.whl",
        "alpha-2.0-py3-none-any.whl",
    ]


def p_digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
