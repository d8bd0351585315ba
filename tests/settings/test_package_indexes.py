"""uv's and pip's configuration: what is read, what rules out what, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidConfig
from imagekit.lock.access import IndexAccess
from imagekit.settings.package_indexes import PackageIndexes
from imagekit.settings.pip_config import pip_files
from imagekit.settings.uv_config import uv_files

A, B, C = (f"https://{name}.example.com/simple" for name in "abc")


class Home:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.variables = {"XDG_CONFIG_DIRS": str(path / "xdg"), "PIP_CONFIG_FILE": "/dev/null"}

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, **variables: str) -> PackageIndexes:
        return PackageIndexes.read({**self.variables, **variables}, self.path)

    def access(self, resolver: str = "uv", **variables: str) -> IndexAccess:
        return self.read(**variables).access(resolver=resolver)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# uv


def test_uvs_files_in_their_order(home: Home) -> None:
    home.write("xdg/uv/uv.toml", f'[[index]]\nurl = "{C}"\ndefault = true\n[[index]]\nurl = "{B}"\n')
    home.write(".config/uv/uv.toml", f'[[index]]\nname = "a"\nurl = "{A}"\n')
    indexes = home.access().indexes
    assert (indexes.extra, indexes.default) == ((A, B), C)
    assert [(each.name, each.url) for each in indexes.named] == [("a", A)]


def test_a_variable_rules_out_uvs_files(home: Home) -> None:
    home.write(".config/uv/uv.toml", f'index-url = "{A}"\nextra-index-url = ["{B}"]\nno-index = false\n')
    assert home.access().indexes.default == A
    indexes = home.access(UV_DEFAULT_INDEX=C, UV_INDEX=f"corp={A} {B}").indexes
    assert (indexes.default, indexes.extra) == (C, (A, B))


def test_older_names_of_uvs_variables(home: Home) -> None:
    indexes = home.access(UV_INDEX_URL=A, UV_EXTRA_INDEX_URL=f"{B} {C}").indexes
    assert (indexes.default, indexes.extra) == (A, (B, C))
    assert home.access(UV_INDEX_URL=A, UV_DEFAULT_INDEX=B).indexes.default == B


def test_another_file_and_none(home: Home) -> None:
    home.write(".config/uv/uv.toml", f'index-url = "{A}"\n')
    other = home.write("other.toml", f'[pip]\nindex-url = "{B}"\n')
    assert home.access(UV_CONFIG_FILE=str(other)).indexes.default == B
    assert home.access(UV_NO_CONFIG="1").indexes.default is None
    assert uv_files({"UV_NO_CONFIG": "0", "XDG_CONFIG_DIRS": "", "XDG_CONFIG_HOME": "/none"}, home.path) == []


def test_the_pip_section_of_uv_rules_out_its_top(home: Home) -> None:
    home.write(".config/uv/uv.toml", f'index-url = "{A}"\n[pip]\nindex-url = "{B}"\nprerelease = "allow"\n')
    access = home.access()
    assert (access.indexes.default, access.prereleases) == (B, True)


def test_flat_and_explicit_indexes_of_uv(home: Home) -> None:
    (home.path / "wheels").mkdir()
    home.write(
        ".config/uv/uv.toml",
        f'[[index]]\nurl = "{home.path}/wheels"\nformat = "flat"\n'
        f'[[index]]\nname = "x"\nurl = "{A}"\nexplicit = true\n',
    )
    indexes = home.access().indexes
    assert (indexes.find_links, indexes.extra, indexes.default) == ((f"{home.path}/wheels",), (), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index-url = 3\n", "index-url is not a string"),
        ("index = 3\n", "index is not a list of tables"),
        ("[[index]]\nname = 'x'\n", r"index\.url is not a string"),
        ("index-url = \n", r"uv\.toml:1"),
        ('index-strategy = "unsafe-first-match"\n', "unsafe-first-match' is not honoured"),
    ],
)
def test_a_file_of_uv_that_cannot_be_read(home: Home, text: str, words: str) -> None:
    home.write(".config/uv/uv.toml", text)
    with pytest.raises(InvalidConfig, match=words):
        home.access()


# pip


def test_pips_files_in_their_order(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    del home.variables["PIP_CONFIG_FILE"]
    monkeypatch.setattr("sys.prefix", str(home.path / "venv"))
    paths = [
        home.write(name, "[global]\n")
        for name in ("xdg/pip/pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "venv/pip.conf", "mine.conf")
    ]
    found = pip_files({**home.variables, "PIP_CONFIG_FILE": str(paths[-1])}, home.path)
    assert [path for path in found if path != Path("/etc/pip.conf")] == paths
    assert pip_files({"PIP_CONFIG_FILE": "/dev/null"}, home.path) == []


def test_what_rules_out_what_in_pips_configuration(home: Home) -> None:
    own = home.write("pip.conf", f"[global]\nindex-url = {A}\ntrusted-host =\n  a.example.com\n  b.example.com\n")
    access = home.access(PIP_CONFIG_FILE=str(own))
    assert (access.indexes.default, access.insecure_hosts) == (A, ("a.example.com", "b.example.com"))
    home.write("pip.conf", f"[global]\nindex_url = {A}\n[install]\nindex-url = {B}\n[list]\nindex-url = {C}\n")
    assert home.access(PIP_CONFIG_FILE=str(own)).indexes.default == B
    assert home.access(PIP_CONFIG_FILE=str(own), PIP_INDEX_URL=C).indexes.default == C


def test_pips_indexes_for_each_resolver(home: Home) -> None:
    (home.path / "wheels").mkdir()
    own = home.write("pip.conf", f"[global]\nindex-url = {A}\nextra-index-url = {B}\nfind-links = {home.path}/wheels\n")
    variables = {"PIP_CONFIG_FILE": str(own)}
    uv, pip = home.access(**variables), home.access("pip-tools", **variables)
    # To pip all are one; that one of them hides the others is nothing that its configuration says.
    assert (uv.indexes.default, uv.indexes.extra, uv.indexes.find_links) == (A, (), ())
    assert uv.pip_only == (B, f"{home.path}/wheels")
    assert (pip.indexes.default, pip.indexes.extra, pip.indexes.find_links) == (A, (B,), (f"{home.path}/wheels",))
    any_index = home.access(UV_INDEX_STRATEGY="unsafe-best-match", **variables)
    assert (any_index.indexes.default, any_index.indexes.extra) == (A, (B,))


def test_one_set_of_places_and_no_mixture(home: Home) -> None:
    variables = {"UV_INDEX": C, "PIP_INDEX_URL": A, "PIP_EXTRA_INDEX_URL": B}
    uv, pip = home.access(**variables).indexes, home.access("pip-tools", **variables).indexes
    assert (uv.default, uv.extra) == (None, (C,))
    assert (pip.default, pip.extra) == (A, (B,))
    assert home.access("pip-tools", UV_INDEX=C).indexes.extra == (C,)


def test_places_of_files_alone(home: Home) -> None:
    (home.path / "wheels").mkdir()
    indexes = home.access(PIP_NO_INDEX="1", PIP_FIND_LINKS=f"{home.path}/wheels {home.path}/gone").indexes
    assert (indexes.no_index, indexes.find_links) == (True, (f"{home.path}/wheels",))


def test_pips_other_settings(home: Home) -> None:
    client = home.write("client.pem", "")
    own = home.write(
        "pip.conf",
        f"[global]\ncert = /etc/site.pem\nclient-cert = {client}\nproxy = http://proxy.example.com:3128\npre = true\n",
    )
    access = home.access(PIP_CONFIG_FILE=str(own))
    assert (access.ca_bundle, access.client_cert) == (Path("/etc/site.pem"), client)
    assert access.proxies.https == access.proxies.http == "http://proxy.example.com:3128"
    assert not access.prereleases
    assert home.access("pip-tools", PIP_CONFIG_FILE=str(own)).prereleases
    proxied = home.access(PIP_CONFIG_FILE=str(own), HTTPS_PROXY="http://other.example.com:1")
    assert (proxied.proxies.https, proxied.proxies.http) == ("http://other.example.com:1", None)


@pytest.mark.parametrize(
    "text", ["index-url = x\n", "[global]\nindex-url\n  =\n[global\n", "[global]\npre = perhaps\n"]
)
def test_a_file_of_pip_that_cannot_be_read(home: Home, text: str) -> None:
    own = home.write("pip.conf", text)
    with pytest.raises(InvalidConfig, match=r"pip\.conf"):
        home.access(PIP_CONFIG_FILE=str(own))


# What other programs are started with


def test_no_variable_of_indexes_reaches_a_resolver_but_those_meant(home: Home) -> None:
    said = {
        "UV_INDEX": A, "UV_INDEX_CORP_PASSWORD": "x", "PIP_EXTRA_INDEX_URL": B, "UV_CONFIG_FILE": "/dev/null",
        "UV_PRERELEASE": "allow", "HTTPS_PROXY": "http://proxy.example.com:1", "no_proxy": "localhost",
    }  # fmt: skip
    access = home.access(**said, PATH="/bin", UV_CACHE_DIR="/cache", UV_HTTP_TIMEOUT="3").joined(home.access().indexes)
    assert access.variables == {
        "PATH": "/bin", "UV_CACHE_DIR": "/cache", "UV_HTTP_TIMEOUT": "3", "XDG_CONFIG_DIRS": str(home.path / "xdg"),
    }  # fmt: skip
    for variables in (access.for_uv(), access.for_pip()):
        assert variables["HTTPS_PROXY"] == variables["https_proxy"] == "http://proxy.example.com:1"
        assert variables["NO_PROXY"] == "localhost"
    assert access.in_base()["UV_HTTP_TIMEOUT"] == "3"


def test_files_of_this_machine_are_not_named_in_a_base(home: Home) -> None:
    client = home.write("client.pem", "")
    (home.path / "wheels").mkdir()
    access = home.access(
        SSL_CLIENT_CERT=str(client), PIP_CERT="/etc/site.pem", UV_FIND_LINKS=f"{home.path}/wheels", UV_DEFAULT_INDEX=A
    )
    assert str(home.path) not in f"{access.in_base()}"
    assert "/etc/site.pem" not in f"{access.in_base()}"
