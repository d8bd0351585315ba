"""What a page takes for granted on a reader's machine or in its network, each made where a page needs it."""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from tests.certificates import Authority
from tests.conda.channel import module_package, python_package, write_channel
from tests.lock.faulty_index import FaultyIndex
from tests.own_repositories import Repository, SshServer, git_server
from tests.prefect.surroundings import REQUIREMENTS, Server, environment

from .blocks import ROOT
from .reader import Reader

_IMAGEKIT = str(Path(sys.executable).with_name("imagekit"))
# A newer Python than the base of most pages, under the name that it has where registries are reached.
NEWER, NEWER_ELSEWHERE = "imagekit/python:3.13", "python:3.13-slim"
PLATFORMS = "linux/amd64,linux/arm64"


def loaded(ours: Engine, other: Engine, image: str, *names: str) -> None:
    """Have ``image`` of ``other`` in ``ours``, under ``names``."""
    if ours.image(image) is None:
        ours.load(other.save(image))
    found = ours.image(image)
    assert found is not None
    for name in names:
        ours.tag(found.id, name)


def _environment(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """An environment of the reader's own, in which nothing is installed, imagekit neither."""
    directory = request.getfixturevalue("tmp_path") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    somebody.programs = directory / "bin"
    # The versions that pages name, of what moves on from day to day.
    constraints = somebody.home / "constraints.txt"
    constraints.write_text("\n".join(each for each in REQUIREMENTS if "==" in each))
    kept = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    somebody.variables = {**somebody.variables, "PIP_CONSTRAINT": str(constraints), "PIP_CACHE_DIR": kept}


def _newer_base(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """Under both names, whichever of the two it was made, or pulled, as."""
    address = somebody.variables["IMAGEKIT_ENGINE"]
    shared: Engine = request.getfixturevalue("engine")
    with Engine.connect(address) as ours:
        names = (NEWER, NEWER_ELSEWHERE)
        if all(ours.image(name) is None for name in names):
            there = next((name for name in names if shared.image(name) is not None), None)
            if there is None:
                subprocess.run([_IMAGEKIT, "base", "ensure", "--python", "3.13"], check=True, env=somebody.environment)
            else:
                ours.load(shared.save(there))
        here = next(name for name in names if ours.image(name) is not None)
        loaded(ours, shared, here, *names)


def _hub(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """Docker Hub is the tests' registry, which has what pages pull from there."""
    there = f"{somebody.stand_ins['registry.example.com']}/library/python"
    with Engine.connect(somebody.variables["IMAGEKIT_ENGINE"]) as ours:
        loaded(ours, ours, "imagekit/python:3.11", f"{there}:3.11-slim")
    subprocess.run(["docker", "push", "--quiet", f"{there}:3.11-slim"], check=True, env=somebody.environment)
    subprocess.run(["docker", "rmi", f"{there}:3.11-slim"], check=True, env=somebody.environment)
    somebody.stand_ins |= {f"python:{version}-slim": f"{there}:{version}-slim" for version in ("3.11", "{python}")}


def _layout(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """A base for two processors in ``bases``; made once for all pages."""
    made: Path = request.getfixturevalue("readers_cache").with_name("bases")
    if not made.exists():
        words = [_IMAGEKIT, "base", "build", "--python", "3.11", "--platform", PLATFORMS, "-o", f"oci:{made}.part"]
        subprocess.run(words, check=True, env=somebody.environment)
        Path(f"{made}.part").rename(made)
    shutil.copytree(made, somebody.directory / "bases", copy_function=os.link)


def _conda(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """A channel with a Python and a GDAL; the Python is the base's own."""
    directory: Path = request.getfixturevalue("tmp_path") / "channel"
    python = python_package(request.getfixturevalue("python_image"))
    # Content that no other test has.
    mark = {"share/mark.txt": secrets.token_hex(8)}
    url = write_channel(directory, [python, module_package("gdal", "3.8.0", files=mark)])
    somebody.stand_ins |= {"conda-forge": url, "python=3.12": "python=3.11", "https://conda.example.com/team": url}


FLOW = "def etl(n: int = 3):\n    print('from a repository')\n    return n\n"


def _git(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """``https://example.com/orders.git`` and ``…/team/flows.git``, the latter by ssh as well."""
    root: Path = request.getfixturevalue("tmp_path") / "served"
    for name in ("orders", "team/flows"):
        made = Repository(root / "made" / name)
        made.commit({"flow.py": FLOW, "orders/flow.py": FLOW})
        made.git("tag", "v3")
        made.git("clone", "--quiet", "--bare", str(made.path), str(root / f"{name}.git"))
    authority = Authority(root / "authority")
    _trusting(somebody, authority)
    _until_the_end(request, git_server(root, tls=authority.server()), somebody, "https://example.com/")
    # Its user's directory, whose path must be short.
    ssh = SshServer(Path(tempfile.mkdtemp(prefix="ssh-")) / "sshd")
    ssh.__enter__()
    request.addfinalizer(lambda: ssh.__exit__())
    (somebody.home / "known_hosts").write_text(ssh.known_hosts())
    (somebody.home / "key").touch(0o600)
    (somebody.home / "key").write_text(ssh.key)
    # ssh takes its own files from the account's home, whatever HOME says.
    options = f"-F none -oBatchMode=yes -oIdentityAgent=none -oUserKnownHostsFile={somebody.home}/known_hosts"
    command = f"ssh {options} -oIdentityFile={somebody.home}/key"
    somebody.variables = {**somebody.variables, "GIT_SSH_COMMAND": command}
    somebody.stand_ins["git+ssh://git@example.com/team/flows.git"] = ssh.url(root / "team/flows.git")


def _until_the_end(request: pytest.FixtureRequest, context: object, somebody: Reader, name: str) -> None:
    url = context.__enter__()  # type: ignore[attr-defined]
    request.addfinalizer(lambda: context.__exit__(None, None, None))  # type: ignore[attr-defined]
    somebody.stand_ins[name] = f"{url}/"


def _site(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """An index whose certificate is of a site's own authority; ``site.pem`` has that one as well."""
    authority = Authority(request.getfixturevalue("tmp_path") / "authority")
    index = FaultyIndex(tls=authority.server())
    request.addfinalizer(index.close)
    index.add("acme", "1.0")
    Path(somebody.stand_ins["/etc/ssl/site.pem"]).write_text(_bundle(authority))
    (somebody.directory / "imagekit.toml").write_text(
        f'packages = ["acme"]\n\n[[index]]\nname = "corp"\nurl = "{index.url}"\nexplicit = true\npackages = ["acme"]\n'
    )


def _trusting(somebody: Reader, authority: Authority) -> None:
    bundle = somebody.home / "trusted.pem"
    bundle.write_text(_bundle(authority))
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
    somebody.variables = {**somebody.variables, **dict.fromkeys(names, str(bundle))}


def _bundle(authority: Authority) -> str:
    usual = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile
    return Path(str(usual)).read_text() + authority.bundle.read_text()


def _prefect(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """A Prefect server at the address that pages give; it has no pool."""
    server = Server(environment(), request.getfixturevalue("tmp_path") / "server")
    request.addfinalizer(server.close)
    somebody.stand_ins["http://prefect.example.com:4200/api"] = server.api
    somebody.variables = {**somebody.variables, "DO_NOT_TRACK": "1"}


def _clone(somebody: Reader, request: pytest.FixtureRequest) -> None:
    """What is committed of this repository, at the address that README.md gives; and a clone that is there already."""
    somebody.stand_ins["https://example.com/imagekit.git"] = ROOT.as_uri()
    somebody.stand_ins["PATH_OF_A_CLONE_OF_THIS_REPOSITORY"] = str(ROOT)


NEEDS: dict[str, Callable[[Reader, pytest.FixtureRequest], None]] = {
    "environment": _environment,
    "newer base": _newer_base,
    "layout": _layout,
    "conda": _conda,
    "git": _git,
    "site": _site,
    "prefect": _prefect,
    "clone": _clone,
    "hub": _hub,
}
