"""Where extra packages come from: a site's private index, its authority, and what was fetched before."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import IndexUnreachable, ResolveError

from ..certificates import Authority
from ..lock.faulty_index import FaultyIndex
from ..own_repositories import Repository, git_server, package_files
from .conftest import Machine, Output

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras")

LOGIN = ("reader", "canary-31415")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def index(authority: Authority) -> Iterator[FaultyIndex]:
    running = FaultyIndex(login=LOGIN, tls=authority.server())
    yield running
    running.close()


@pytest.fixture
def plug(index: FaultyIndex) -> str:
    """A package that nobody else has."""
    name = f"plug{secrets.token_hex(4)}"
    index.add(name, "1.0")
    return name


def test_a_private_index_with_an_authority_of_its_own(
    machine: Machine,
    authority: Authority,
    index: FaultyIndex,
    plug: str,
    bare: str,
    make_image: Callable[..., str],
    engine: Engine,
    output: Output,
) -> None:
    (machine.directory / ".config/uv/uv.toml").unlink()
    netrc = machine.directory / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login {LOGIN[0]} password {LOGIN[1]}\n")
    netrc.chmod(0o600)
    reached = {"UV_DEFAULT_INDEX": index.url, "SSL_CERT_FILE": str(authority.bundle)}
    with pytest.raises(IndexUnreachable, match="certificate") as caught:
        machine.derive(bare, plug, UV_DEFAULT_INDEX=index.url)
    assert caught.value.message.startswith("EXTRA_PIP_PACKAGES on ")
    derived = machine.derive(bare, plug, **reached)
    assert derived.packages == (f"{plug}==1.0",)
    assert output(derived.reference, "python3", "-c", f"import {plug}; print({plug}.VERSION)") == "1.0\n"
    # The login is on this machine, and nowhere else.
    image = engine.image(derived.reference)
    assert image is not None
    told = json.dumps([derived.to_json(), image.settings, [entry.created_by for entry in engine.history(image.id)]])
    assert LOGIN[1] not in told
    own = {netrc}
    places = [path for path in machine.directory.rglob("*") if path.is_file() and path not in own]
    assert [path for path in places if LOGIN[1].encode() in path.read_bytes()] == []
    # Offline, what was fetched is enough: on the same image, where the engine has lost it, and on another one.
    index.close()
    offline = {**reached, "IMAGEKIT_OFFLINE": "true"}
    assert machine.derive(bare, plug, **reached).up_to_date
    engine.remove_image(derived.reference, force=True)
    assert machine.derive(bare, plug, **offline).image_id == derived.image_id
    assert machine.derive(make_image(), plug, **offline).packages == (f"{plug}==1.0",)
    with pytest.raises(ResolveError, match=f"offline, and uv's cache does not have other-{plug}"):
        machine.derive(bare, f"other-{plug}", **offline)


def test_a_wrong_login_is_one_error(
    machine: Machine, authority: Authority, index: FaultyIndex, plug: str, bare: str
) -> None:
    (machine.directory / ".config/uv/uv.toml").unlink()
    wrong = index.url_as("reader", "canary-27182")
    with pytest.raises(IndexUnreachable, match=r"EXTRA_PIP_PACKAGES on .*HTTP 401") as caught:
        machine.derive(bare, plug, UV_DEFAULT_INDEX=wrong, SSL_CERT_FILE=str(authority.bundle))
    assert "canary" not in json.dumps(caught.value.to_json())


def test_a_file_that_is_another_is_not_taken(
    machine: Machine, authority: Authority, index: FaultyIndex, plug: str, bare: str
) -> None:
    (machine.directory / ".config/uv/uv.toml").unlink()
    index.pages = {path: data for path, data in index.pages.items() if plug not in path}
    index.add(plug, "1.0", sha256="0" * 64)
    with pytest.raises(ResolveError, match="is not the file that the lock names"):
        machine.derive(bare, plug, UV_DEFAULT_INDEX=index.url_as(*LOGIN), SSL_CERT_FILE=str(authority.bundle))


def test_a_repository(
    machine: Machine, authority: Authority, bare: str, output: Output, tmp_path: Path, engine: Engine
) -> None:
    name = f"plug{secrets.token_hex(4)}"
    repository = Repository(tmp_path / "served" / name)
    repository.commit(package_files(name, "1.0", value="first"))
    reached = {"SSL_CERT_FILE": str(authority.bundle)}
    with git_server(tmp_path / "served", tls=authority.server()) as url:
        text = f"{name} @ git+{url}/{name}@main"
        first = machine.derive(bare, text, **reached)
        repository.commit(package_files(name, "1.0", value="second"))
        # The branch is looked at when it is asked for anew.
        assert machine.derive(bare, text, **reached).image_id == first.image_id
        second = machine.derive(bare, text, upgrade=True, **reached)
    program = f"import {name}; print({name}.VALUE)"
    assert [output(derived.reference, "python3", "-c", program) for derived in (first, second)] == [
        "first\n",
        "second\n",
    ]
    engine.remove_image(first.reference, force=True)
