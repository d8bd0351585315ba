"""What ``imagekit doctor`` shows of indexes: the order, whose word it is, no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.cli.finding import FAIL, OK, WARN, Finding
from imagekit.cli.index_findings import package_indexes
from tests.certificates import Authority
from tests.lock.conftest import make_target
from tests.lock.faulty_index import FaultyIndex
from tests.lock.indexed import CANARY, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", make_target())


@pytest.fixture
def index() -> Iterator[FaultyIndex]:
    running = FaultyIndex(login=("reader", CANARY))
    yield running
    running.close()


def found(machine: Machine, *, offline: bool = True, **variables: str) -> list[Finding]:
    findings = list(package_indexes(machine.settings(**variables), offline=offline))
    assert CANARY not in f"{findings}"
    return findings


def lines(findings: list[Finding]) -> list[str]:
    return [f"{f.status} {f.name}: {f.message}" for f in findings]


def test_nothing_is_configured(machine: Machine) -> None:
    assert lines(found(machine)) == ["ok package indexes: no default is set here: the resolver's own is asked"]


def test_indexes_in_their_order_with_their_origins(machine: Machine) -> None:
    machine.write(
        ".config/uv/uv.toml",
        '[[index]]\nname = "team"\nurl = "https://team.example.com/simple"\n'
        '[[index]]\nurl = "https://mirror.example.com/simple"\ndefault = true\n',
    )
    own = str(machine.home / ".config/uv/uv.toml")
    machine.write(".netrc", f"machine mirror.example.com login reader password {CANARY}\n")
    variables = {"UV_INDEX_TEAM_USERNAME": "reader", "UV_INDEX_TEAM_PASSWORD": CANARY}
    assert lines(found(machine, **variables)) == [
        f"ok index 1: team = https://team.example.com/simple ({own}), login from UV_INDEX_TEAM_PASSWORD",
        f"ok index 2: https://mirror.example.com/simple ({own}), login from netrc",
        f"ok netrc: {machine.home / '.netrc'}: 1 hosts",
    ]


def test_a_login_in_a_variable_is_not_shown(machine: Machine) -> None:
    (line,) = lines(found(machine, UV_DEFAULT_INDEX=f"https://reader:{CANARY}@mirror.example.com/simple"))
    assert line == "ok index 1: https://mirror.example.com/simple (UV_DEFAULT_INDEX), login from UV_DEFAULT_INDEX"


def test_what_is_pips_alone(machine: Machine) -> None:
    path = machine.write(
        "pip.conf",
        "[global]\nindex-url = https://mirror.example.com/simple\n"
        f"extra-index-url =\n    https://reader:{CANARY}@team.example.com/simple\n",
    )
    findings = found(machine, PIP_CONFIG_FILE=str(path))
    assert lines(findings) == [
        f"ok index 1: https://mirror.example.com/simple ({path})",
        f"warn pip's extra: https://***@team.example.com/simple ({path}) is for pip-tools alone: uv is not told of it",
    ]
    assert "UV_INDEX" in (findings[1].mend or "")


def test_what_is_not_safe(machine: Machine) -> None:
    machine.write(".netrc", "machine a.example.com login reader password x\n", 0o644)
    findings = found(
        machine,
        UV_INSECURE_HOST="mirror.example.com",
        UV_INDEX_STRATEGY="unsafe-best-match",
        UV_FIND_LINKS=str(machine.home / "gone"),
    )
    assert [f.name for f in findings if f.status == WARN] == ["find-links", "insecure hosts", "netrc", "any index"]
    assert f"chmod 600 {machine.home / '.netrc'}" in [f.mend for f in findings]


def test_proxies_certificates_and_policies(machine: Machine, tmp_path: Path) -> None:
    client = Authority(tmp_path / "authority").client()
    shown = lines(
        found(
            machine,
            HTTPS_PROXY=f"http://user:{CANARY}@proxy.example.com:3128",
            NO_PROXY="localhost",
            SSL_CLIENT_CERT=str(client),
            UV_PRERELEASE="allow",
            UV_EXCLUDE_NEWER="2026-01-01T00:00:00Z",
            UV_KEYRING_PROVIDER="subprocess",
        )
    )
    assert shown[1:] == [
        "ok https proxy: http://***@proxy.example.com:3128, but for localhost",
        f"ok client certificate: {client}",
        "ok keyring: subprocess (UV_KEYRING_PROVIDER)",
        "ok pre-releases: are taken like any other version (UV_PRERELEASE)",
        "ok exclude-newer: nothing after 2026-01-01T00:00:00Z (UV_EXCLUDE_NEWER)",
    ]


@pytest.mark.parametrize("variable", ["IMAGEKIT_OFFLINE", "UV_OFFLINE"])
def test_offline_nothing_is_asked(machine: Machine, index: FaultyIndex, variable: str) -> None:
    findings = found(machine, offline=False, **{variable: "true", "UV_DEFAULT_INDEX": index.url})
    assert lines(findings)[-1] == f"ok offline: nothing is fetched ({variable})"
    assert index.asked == []


def test_whether_each_index_answers(machine: Machine, index: FaultyIndex) -> None:
    well = found(machine, offline=False, UV_DEFAULT_INDEX=index.url_as("reader", CANARY))[-1]
    assert (well.status, well.message) == (OK, f"{index.url} answers")
    refused = found(machine, offline=False, UV_DEFAULT_INDEX=index.url)[-1]
    assert refused.status == FAIL
    assert "asks for a login" in refused.message
    index.close()
    dead = found(machine, offline=False, UV_DEFAULT_INDEX=index.url)[-1]
    assert (dead.status, dead.name) == (FAIL, "package index")
    assert index.host in dead.message


def test_a_configuration_that_cannot_be_read(machine: Machine) -> None:
    path = machine.write("pip.conf", f"index-url = https://reader:{CANARY}@team.example.com/simple\n")
    (finding,) = found(machine, PIP_CONFIG_FILE=str(path))
    assert (finding.status, finding.message) == (FAIL, f"{path}:1: pip's configuration cannot be read")


def test_what_uv_and_pip_would_go_by_and_are_not_told(machine: Machine) -> None:
    findings = found(machine, UV_RESOLUTION="lowest", PIP_CONSTRAINT="limits.txt", UV_LINK_MODE="copy")
    told = "would change what uv or pip chooses; imagekit does not tell them"
    assert lines(findings)[1:] == [
        f"warn not honoured: PIP_CONSTRAINT {told}",
        f"warn not honoured: UV_RESOLUTION {told}",
        "ok uv and pip: of no matter to resolving: UV_LINK_MODE",
    ]
