"""pip-tools on the host, where the host is the target; in the base: tests/stages/test_in_base.py."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from imagekit.errors import IndexUnreachable, ResolveError, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Login, Logins
from imagekit.lock.piptools import compile_argv, host_is
from imagekit.lock.resolve import resolve
from imagekit.lock.runner import DIRECTORIES, CompletedInBase
from imagekit.progress import SilentReporter
from imagekit.spec.image import Indexes

QUIET = SilentReporter()


def test_arguments():
    indexes = Indexes(default="https://a.example/simple", extra=("https://b.example/simple",), find_links=("/w",))
    argv = compile_argv(
        ["pip-compile"],
        directory="/t",
        access=IndexAccess(indexes=indexes),
        source_builds=("a",),
        constraints=True,
    )
    assert argv == [
        "pip-compile", "--generate-hashes", "--allow-unsafe", "--strip-extras", "--resolver", "backtracking",
        "--no-config", "--no-header", "--no-annotate", "--no-color", "--newline", "lf", "--quiet",
        "--no-emit-index-url", "--no-emit-find-links",
        "--pip-args", "--no-input --disable-pip-version-check --only-binary :all: --no-binary a",
        "--index-url", "https://a.example/simple", "--extra-index-url", "https://b.example/simple",
        "--find-links", "/w", "--constraint", "/t/constraints.txt",
        "--output-file", "/t/requirements.txt", "--", "/t/requirements.in",
    ]  # fmt: skip


def test_wheels_alone_of_some_where_everything_may_be_built():
    argv = compile_argv(
        ["pip-compile"], directory="/t", access=IndexAccess(), source_builds=("*",), only_binary=("b", "a")
    )
    assert "--no-input --disable-pip-version-check --only-binary a --only-binary b" in argv


def test_credentials_are_never_an_argument():
    login = Login(url="https://a.example/simple", user="u", password="canary", origin="a test")
    access = IndexAccess(
        indexes=Indexes(default="https://a.example/simple", extra=("https://b.example/simple",)),
        logins=Logins(by_url=(login,)),
    )
    argv = compile_argv(["pip-compile"], directory="/t", access=access)
    assert not [a for a in argv if "canary" in a or "a.example" in a]
    assert access.for_pip()["PIP_INDEX_URL"] == "https://u:canary@a.example/simple"


def test_the_host_is_only_its_own_minor_platform_and_libc(host, other_target):
    minor = sys.version_info.minor
    version = host.libc_version
    assert host_is(host)
    assert host_is(other_target(f"3.{minor}.99", libc_version=version))
    assert not host_is(other_target(f"3.{minor + 1}.0", libc_version=version))
    assert not host_is(other_target(host.python, libc="musl", libc_version="1.2"))
    architecture = "arm64" if host.platform.architecture == "amd64" else "amd64"
    assert not host_is(other_target(host.python, architecture=architecture, libc_version=version))


def test_a_set_is_resolved_on_the_host_as_uv_would(wheels, wanted, host):
    wheels.add("alpha", "1.0", ["beta>=1", "gamma; python_version < '3'"])
    wheels.add("beta", "1.0")
    wheels.add("beta", "2.0", tag=f"cp3{host.version[1]}-cp3{host.version[1]}-manylinux_2_17_x86_64")
    wheels.add("beta", "2.0")
    locks = [
        resolve(wanted("alpha", resolver=r, indexes=wheels.indexes), host, reporter=QUIET) for r in ("pip-tools", "uv")
    ]
    assert [(p.name, p.version, p.direct) for p in locks[0].packages] == [
        ("alpha", "1.0", True),
        ("beta", "2.0", False),
    ]
    assert locks[0].packages == locks[1].packages
    assert sorted(p.suffix for p in Path(wheels.path).iterdir()) == [".whl"] * 4


def test_the_real_index(wanted, host):
    lock = resolve(wanted("markdown-it-py", resolver="pip-tools"), host, reporter=QUIET)
    assert [p.name for p in lock.packages] == ["markdown-it-py", "mdurl"]


def test_a_contradiction(wheels, wanted, host):
    wheels.add("alpha", "1.0", ["beta>=2"])
    wheels.add("beta", "1.0")
    wheels.add("beta", "2.0")
    with pytest.raises(Unsatisfiable) as caught:
        resolve(wanted("alpha", "beta<2", resolver="pip-tools", indexes=wheels.indexes), host, reporter=QUIET)
    assert "beta" in (caught.value.details or "")
    assert "Traceback" not in (caught.value.details or "")


def test_a_dead_index_is_named(wanted, host, monkeypatch):
    monkeypatch.setenv("PIP_RETRIES", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        dead = Indexes(default=f"http://127.0.0.1:{port}/simple")
        with pytest.raises(IndexUnreachable, match=f"127.0.0.1:{port}"):
            resolve(wanted("alpha", resolver="pip-tools", indexes=dead), host, reporter=QUIET)


def test_another_target_needs_the_base(wanted, other_target):
    with pytest.raises(ResolveError, match="base"):
        resolve(wanted("alpha", resolver="pip-tools"), other_target("3.9.2"), reporter=QUIET)


def test_what_the_base_answers_goes_through_uv(wheels, wanted, other_target):
    """The seam: what the base is asked, and what becomes of its answer (for a Python that the host is not)."""
    import hashlib

    path = wheels.add("alpha", "1.0", tag="cp314-cp314-manylinux_2_17_x86_64")
    asked = {}

    def base(argv, *, inputs, programs, directories, outputs):
        asked.update(argv=argv, inputs=inputs, programs=programs, directories=directories, outputs=outputs)
        pins = f"alpha==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        return CompletedInBase(exit_code=0, stdout="", stderr="", outputs={"requirements.txt": pins.encode()})

    spec = wanted("alpha", resolver="pip-tools", indexes=wheels.indexes)
    lock = resolve(spec, other_target("3.14.0"), reporter=QUIET, run_in_base=base)
    assert lock.packages[0].artifact.url == path.as_uri()
    assert asked["inputs"] == {"requirements.in": b"alpha\n"}
    assert asked["directories"] == {"links0": wheels.path}
    assert str(DIRECTORIES / "links0") in asked["argv"]
    assert str(wheels.path) not in asked["argv"]
    assert list(asked["programs"]) == ["uv"]
    assert asked["outputs"] == ["requirements.txt"]
