"""Private indexes: logins from each place that has one, for resolving and for fetching, and nowhere else to be seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import IndexUnreachable, InputError, InvalidConfig, InvalidRequirement, Unsatisfiable
from imagekit.lock.resolve import obtain, resolve
from imagekit.lock.target import Target
from imagekit.secret import Secret
from imagekit.secrets.redaction import without_credentials
from imagekit.spec.read import read_spec
from tests.lock.faulty_index import Fault, FaultyIndex, Handler, basic, redirect, status, unauthorized, whole
from tests.lock.indexed import CANARY, Machine, versions

LOGIN = ("reader", CANARY)


@pytest.fixture
def machine(tmp_path: Path, target: Target) -> Iterator[Machine]:
    made = Machine(tmp_path, target)
    yield made
    assert made.leaks() == []


@pytest.fixture
def private() -> Iterator[FaultyIndex]:
    running = FaultyIndex(login=LOGIN)
    running.add("alpha", "1.0", requires=["beta"])
    running.add("beta", "1.0")
    yield running
    running.close()


@pytest.fixture
def public() -> Iterator[FaultyIndex]:
    running = FaultyIndex()
    running.add("gamma", "1.0")
    yield running
    running.close()


BOTH = {"alpha": "1.0", "beta": "1.0"}


def test_a_login_in_a_variable_of_uv(machine: Machine, private: FaultyIndex) -> None:
    assert machine.both("alpha", variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}) == BOTH
    assert machine.both("alpha", variables={"UV_INDEX": private.url_as(*LOGIN)}) == BOTH


def test_a_login_in_a_variable_of_pip(machine: Machine, private: FaultyIndex) -> None:
    assert machine.both("alpha", variables={"PIP_INDEX_URL": private.url_as(*LOGIN)}) == BOTH


def test_a_login_by_the_name_of_a_projects_index(machine: Machine, private: FaultyIndex) -> None:
    toml = f'[[index]]\nname = "corp-eu"\nurl = "{private.url}"\ndefault = true\n'
    variables = {"UV_INDEX_CORP_EU_USERNAME": LOGIN[0], "UV_INDEX_CORP_EU_PASSWORD": LOGIN[1]}
    assert machine.both("alpha", toml=toml, variables=variables) == BOTH


def test_a_login_by_the_name_of_an_index_of_the_environment(machine: Machine, private: FaultyIndex) -> None:
    variables = {
        "UV_INDEX": f"corp={private.url}",
        "UV_INDEX_CORP_USERNAME": LOGIN[0],
        "UV_INDEX_CORP_PASSWORD": CANARY,
    }
    assert machine.both("alpha", variables=variables) == BOTH


def test_a_login_in_netrc(machine: Machine, private: FaultyIndex) -> None:
    machine.write(".netrc", f"machine 127.0.0.1 login {LOGIN[0]} password {LOGIN[1]}\n")
    assert machine.both("alpha", toml=f'index-url = "{private.url}"\n') == BOTH


def test_a_login_in_a_netrc_elsewhere(machine: Machine, private: FaultyIndex) -> None:
    path = machine.write("elsewhere", f"machine 127.0.0.1\n  login {LOGIN[0]}\n  password {LOGIN[1]}\n")
    assert machine.both("alpha", toml=f'index-url = "{private.url}"\n', variables={"NETRC": str(path)}) == BOTH


def test_a_broken_netrc_is_named_and_not_shown(machine: Machine, private: FaultyIndex) -> None:
    machine.write(".netrc", f"machine 127.0.0.1 login reader {CANARY}\n")
    with pytest.raises(InvalidConfig, match=r"\.netrc:2: not a netrc file") as caught:
        machine.lock("alpha", toml=f'index-url = "{private.url}"\n')
    assert CANARY not in f"{caught.value.to_json()}"


def _keyring(machine: Machine, private: FaultyIndex, *, whole: bool) -> dict[str, str]:
    """A ``keyring`` program that knows the index by its URL, or by its host alone."""
    place = private.url if whole else private.host
    body = f'#!/bin/sh\n[ "$1 $2" = "get {place}" ] || exit 1\n'
    body += (
        f'[ "$3" = --mode ] && echo {LOGIN[0]}\n[ "$3" = --mode ] || [ "$3" = {LOGIN[0]} ] || exit 1\necho {CANARY}\n'
    )
    program = machine.write("bin/keyring", body, 0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "UV_KEYRING_PROVIDER": "subprocess"}


@pytest.mark.parametrize("whole", [True, False])
def test_a_login_in_the_keyring(machine: Machine, private: FaultyIndex, whole: bool) -> None:
    variables = _keyring(machine, private, whole=whole)
    assert machine.both("alpha", toml=f'index-url = "{private.url}"\n', variables=variables) == BOTH


def test_a_keyring_is_asked_for_the_user_that_is_named(machine: Machine, private: FaultyIndex) -> None:
    variables = _keyring(machine, private, whole=True)
    toml = f'[[index]]\nname = "corp"\nurl = "{private.url}"\nusername = "{LOGIN[0]}"\ndefault = true\n'
    assert machine.both("alpha", toml=toml, variables=variables) == BOTH
    named = {**variables, "UV_DEFAULT_INDEX": private.url.replace("://", f"://{LOGIN[0]}@")}
    assert machine.both("alpha", variables=named) == BOTH


def test_no_keyring_is_asked_unless_a_provider_is_named(machine: Machine, private: FaultyIndex) -> None:
    variables = {"PATH": _keyring(machine, private, whole=True)["PATH"]}
    with pytest.raises(IndexUnreachable, match="HTTP 401"):
        machine.lock("alpha", toml=f'index-url = "{private.url}"\n', variables=variables)


def test_the_library_of_the_keyring(
    machine: Machine, private: FaultyIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import keyring.core
    from keyring.backend import KeyringBackend
    from keyring.credentials import Credential, SimpleCredential

    # No other test of this process is to find it.
    monkeypatch.setattr(KeyringBackend, "_classes", set(KeyringBackend._classes))

    class Known(KeyringBackend):
        priority = 1.0  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return CANARY if (service, username) == (private.url, LOGIN[0]) else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def get_credential(self, service: str, username: str | None) -> Credential | None:
            return SimpleCredential(*LOGIN) if service == private.url else None

    monkeypatch.setattr(keyring.core, "_keyring_backend", Known())
    variables = {"PIP_KEYRING_PROVIDER": "import"}
    assert machine.both("alpha", toml=f'index-url = "{private.url}"\n', variables=variables) == BOTH


def without_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none on this machine, whatever other tests of this process have found before."""
    import keyring.core

    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def test_a_login_that_is_a_stored_secret(
    machine: Machine, private: FaultyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(machine.home))
    without_keyring(monkeypatch)
    Secret(CANARY).save("corp-token")
    toml = (
        f'[[index]]\nname = "corp"\nurl = "{private.url}"\nusername = "{LOGIN[0]}"\nsecret = "corp-token"\n'
        "default = true\n"
    )
    assert machine.both("alpha", toml=toml, variables={"XDG_DATA_HOME": str(machine.home)}) == BOTH


def test_what_is_not_needed_is_not_looked_for(machine: Machine, private: FaultyIndex) -> None:
    """A build of which all is here opens no store of secrets."""
    asked: list[str] = []

    def secret(name: str) -> str:
        asked.append(name)
        return LOGIN[1]

    toml = f'[[index]]\nname = "corp"\nurl = "{private.url}"\nsecret = "x"\nusername = "{LOGIN[0]}"\ndefault = true\n'
    spec = machine.spec("beta", toml=toml)
    access = replace(machine.access(spec), secret=secret)
    cache = machine.directory / "cache"

    def lock() -> dict[str, str]:
        return versions(obtain(spec, machine.target, cache_dir=cache, reporter=machine.told, access=access))

    assert lock() == {"beta": "1.0"}
    assert asked == ["x"]
    assert lock() == {"beta": "1.0"}
    assert CANARY not in repr(access.of(spec))
    assert asked == ["x"]


def test_a_secret_that_is_not_stored_is_named_when_it_is_needed(
    machine: Machine, private: FaultyIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_keyring(monkeypatch)
    toml = f'[[index]]\nname = "corp"\nurl = "{private.url}"\nsecret = "corp-token"\ndefault = true\n'
    with pytest.raises(InputError, match="corp-token") as caught:
        machine.lock("alpha", toml=toml)
    assert "imagekit secret set corp-token" in (caught.value.hint or "")


def test_a_place_of_files_that_wants_a_login(machine: Machine, private: FaultyIndex) -> None:
    private.pages["/flat/"] = private.pages["/simple/alpha/"] + private.pages["/simple/beta/"]
    place = private.url_as(*LOGIN).replace("/simple", "/flat/")
    assert machine.both("alpha", toml="no-index = true\n", variables={"UV_FIND_LINKS": place}) == BOTH


def test_two_indexes_of_one_server_with_logins_of_their_own(machine: Machine) -> None:
    """As GitLab and Artifactory have it."""
    server = FaultyIndex()
    wanted = {"one": ("one", "canary-1"), "two": ("two", "canary-2")}

    def only(user: str, password: str) -> Fault:
        def answer(handler: Handler, content: bytes) -> None:
            good = handler.headers.get("Authorization") == basic(user, password)
            (whole if good else unauthorized)(handler, content)

        return answer

    for name, package in (("one", "alpha"), ("two", "beta")):
        server.add(package, "1.0")
        page = server.pages.pop(f"/simple/{package}/").replace(b'href="/files/', f'href="/{name}/files/'.encode())
        file = f"/files/{package}-1.0-py3-none-any.whl"
        server.pages |= {f"/{name}/simple/{package}/": page, f"/{name}{file}": server.pages.pop(file)}
        for path in server.pages:
            if path.startswith(f"/{name}/"):
                server.always[path] = only(*wanted[name])
    base = server.url.removesuffix("/simple")
    toml = "".join(f'[[index]]\nname = "{n}"\nurl = "{base}/{n}/simple"\n' for n in wanted)
    variables = {"UV_DEFAULT_INDEX": f"{base}/none/simple"}
    for name, (user, password) in wanted.items():
        variables |= {f"UV_INDEX_{name.upper()}_USERNAME": user, f"UV_INDEX_{name.upper()}_PASSWORD": password}
    try:
        assert machine.both("alpha", "beta", toml=toml, variables=variables) == BOTH
    finally:
        server.close()


def test_a_login_is_for_its_server_alone(machine: Machine, private: FaultyIndex, public: FaultyIndex) -> None:
    variables = {"UV_INDEX": private.url_as(*LOGIN), "UV_DEFAULT_INDEX": public.url}
    assert machine.both("alpha", "gamma", variables=variables) == {**BOTH, "gamma": "1.0"}
    assert public.logins == []


def test_a_redirection_to_another_server_does_not_carry_the_login(machine: Machine, private: FaultyIndex) -> None:
    elsewhere = FaultyIndex()
    path = elsewhere.add("alpha", "1.0")
    beta = elsewhere.add("beta", "1.0")
    target = elsewhere.url.removesuffix("/simple").replace("127.0.0.1", "localhost")
    for page in ("/simple/alpha/", path, beta):
        private.always[page] = redirect(target)
    try:
        lock = machine.lock("alpha", variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)})
        assert machine.fetch(lock, variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}).keys() == {"alpha"}
        private.always = {beta: redirect(target)}
        assert machine.both("beta", variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}) == {"beta": "1.0"}
        assert beta in elsewhere.asked
        assert elsewhere.logins == []
    finally:
        elsewhere.close()


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_an_index_without_a_login_says_where_to_put_one(
    machine: Machine, private: FaultyIndex, resolver: str, host: Target
) -> None:
    machine.target = host
    toml = f'[[index]]\nname = "my-corp"\nurl = "{private.url}"\ndefault = true\n'
    with pytest.raises(IndexUnreachable, match=r"asks for a login, and none is known for 127\.0\.0\.1:") as caught:
        machine.lock("alpha", toml=toml, resolver=resolver)
    hint = caught.value.hint or ""
    assert "password PASSWORD), or set UV_INDEX_MY_CORP_USERNAME and UV_INDEX_MY_CORP_PASSWORD;" in hint
    assert without_credentials(hint) == hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
@pytest.mark.parametrize("code", [401, 403])
def test_an_index_that_refuses_the_login_says_where_that_came_from(
    machine: Machine, private: FaultyIndex, code: int, resolver: str, host: Target
) -> None:
    machine.target = host
    private.always["/simple/alpha/"] = status(code)
    with pytest.raises(IndexUnreachable, match=rf"refuses the login from UV_DEFAULT_INDEX \(HTTP {code}\)") as caught:
        machine.lock("alpha", variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}, resolver=resolver)
    assert CANARY not in f"{caught.value.to_json()}"


@pytest.mark.parametrize("code", [401, 403])
def test_a_file_that_is_refused(machine: Machine, private: FaultyIndex, code: int) -> None:
    variables = {"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}
    lock = machine.lock("beta", variables=variables)
    path = "/files/beta-1.0-py3-none-any.whl"
    private.always[path] = status(code)
    asked = private.asked.count(path)
    with pytest.raises(IndexUnreachable, match=rf"beta: .*{path} refuses the login .*HTTP {code}") as caught:
        machine.fetch(lock, variables=variables)
    assert private.asked.count(path) - asked == 1
    assert CANARY not in f"{caught.value.to_json()}"
    with pytest.raises(IndexUnreachable, match=r"beta: .* asks for a login, and none is known"):
        machine.fetch(lock)


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_pip_tools_gets_the_login_as_uv_does(
    machine: Machine, private: FaultyIndex, resolver: str, host: Target
) -> None:
    machine.target = host
    assert machine.both("alpha", variables={"UV_DEFAULT_INDEX": private.url_as(*LOGIN)}, resolver=resolver) == BOTH
    machine.write(".netrc", f"machine 127.0.0.1 login {LOGIN[0]} password {LOGIN[1]}\n")
    assert machine.both("alpha", toml=f'index-url = "{private.url}"\n', resolver=resolver) == BOTH


@pytest.mark.parametrize(
    "toml",
    [
        'index-url = "https://reader:canary-31415@packages.example.com/simple"\n',
        'extra-index-urls = ["https://canary-31415@packages.example.com/simple"]\n',
        '[[index]]\nname = "corp"\nurl = "https://reader:canary-31415@packages.example.com/simple"\n',
    ],
)
def test_a_login_in_the_projects_own_files_is_refused_and_not_shown(machine: Machine, toml: str) -> None:
    with pytest.raises((InvalidRequirement, InvalidConfig)) as caught:
        machine.spec("alpha", toml=toml)
    assert "netrc" in (caught.value.hint or "")
    assert CANARY not in f"{caught.value.to_json()}"


def test_the_same_lock_with_and_without_a_login(machine: Machine, private: FaultyIndex) -> None:
    """A login is no part of what decides a lock, and stands in none."""
    spec = read_spec(machine.project, packages=["beta"], python="3.11")
    locks = []
    for url in (private.url_as(*LOGIN), private.url):
        machine.write(".netrc", f"machine 127.0.0.1 login {LOGIN[0]} password {LOGIN[1]}\n")
        access = machine.access(spec, UV_DEFAULT_INDEX=url)
        locks.append((resolve(spec, machine.target, reporter=machine.told, access=access), access.deciding))
    assert locks[0] == locks[1]


def test_what_pip_alone_would_look_at_is_named(machine: Machine, public: FaultyIndex, private: FaultyIndex) -> None:
    variables = {"PIP_INDEX_URL": public.url, "PIP_EXTRA_INDEX_URL": private.url_as(*LOGIN)}
    with pytest.raises(Unsatisfiable) as caught:
        machine.lock("alpha", variables=variables)
    assert f"pip's configuration names http://***@{private.host}/simple" in (caught.value.hint or "")
