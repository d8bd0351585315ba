"""Settings that cannot be meant are refused in plain words, before anything is tried."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from pathlib import Path

import pytest

from imagekit.engine.faults import reach
from imagekit.errors import EngineNotFound, InvalidConfig
from imagekit.settings import ConfigFile, Settings

NO_ADDRESSES = ["tcp://x:99999", "tcp://[::1", "tcp://x:port", "tcp://a..b:1", "ssh://x:70000", "carrier://x"]


def load(tmp_path: Path, **environ: str) -> Settings:
    return Settings.load({"HOME": str(tmp_path), **environ}, tmp_path)


def write_context(tmp_path: Path, host: str, *, tls: bool = False) -> None:
    directory, digest = tmp_path / ".docker" / "contexts", hashlib.sha256(b"far").hexdigest()
    (directory / "meta" / digest).mkdir(parents=True)
    (directory / "meta" / digest / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    if tls:
        (directory / "tls" / digest / "docker").mkdir(parents=True)
        (directory / "tls" / digest / "docker" / "ca.pem").write_text("")


@pytest.mark.parametrize("address", NO_ADDRESSES)
@pytest.mark.parametrize("variable", ["IMAGEKIT_ENGINE", "DOCKER_HOST"])
def test_no_engines_address(tmp_path: Path, variable: str, address: str) -> None:
    with pytest.raises(InvalidConfig, match=f"{variable} is .* no engine's address") as caught:
        load(tmp_path, **{variable: address})
    assert caught.value.hint


@pytest.mark.parametrize("address", NO_ADDRESSES[:4])
def test_no_engines_address_in_a_context_and_in_a_call(tmp_path: Path, address: str) -> None:
    write_context(tmp_path, address)
    with pytest.raises(InvalidConfig, match="docker context far is "):
        load(tmp_path, DOCKER_CONTEXT="far")
    with pytest.raises(EngineNotFound, match="is no address"):
        reach(address)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://u:Canary9x@127.0.0.1:1",
        "http://Canary9x@127.0.0.1:1",
        "ssh://u:Canary9x@h",
        "tpc://u:Canary9x@h:1",
        "u:Canary9x@h:1",
    ],
)
def test_an_engine_takes_no_login_and_none_is_shown(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, IMAGEKIT_ENGINE="ssh://builder@far").engine_address == "ssh://builder@far"
    file = tmp_path / ".config" / "imagekit" / "config.toml"
    for variable in ("IMAGEKIT_ENGINE", "DOCKER_HOST"):
        with pytest.raises(InvalidConfig) as caught:
            load(tmp_path, **{variable: address})
        assert "Canary" not in str(caught.value.to_json())
    with pytest.raises(InvalidConfig) as caught:
        ConfigFile.read(file).with_value("engine", address)
    assert "Canary" not in str(caught.value.to_json())
    if address.startswith(("tcp://", "http://")):
        with pytest.raises(EngineNotFound) as unreached:
            reach(address)
        assert "Canary" not in str(unreached.value.to_json())


def test_an_address_without_a_scheme_is_tcp_as_docker_has_it(tmp_path: Path) -> None:
    assert load(tmp_path, DOCKER_HOST="far:2375").engine_address == "tcp://far:2375"
    assert load(tmp_path, DOCKER_HOST="tcp://[::1]:2375").engine_address == "tcp://[::1]:2375"


def test_tls_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    write_context(tmp_path, "tcp://far:2376", tls=True)
    with pytest.raises(InvalidConfig, match="DOCKER_TLS_VERIFY asks for TLS") as caught:
        load(tmp_path, DOCKER_HOST="tcp://far:2376", DOCKER_TLS_VERIFY="1")
    assert "ssh://" in str(caught.value.hint)
    with pytest.raises(InvalidConfig, match="context 'far' asks for TLS"):
        load(tmp_path, DOCKER_CONTEXT="far")
    for host in ("unix:///x.sock", "ssh://far"):
        assert load(tmp_path, DOCKER_HOST=host, DOCKER_TLS_VERIFY="1").engine_address == host
    assert load(tmp_path, DOCKER_HOST="tcp://far:1", DOCKER_TLS_VERIFY="").engine_address == "tcp://far:1"


def test_a_cache_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in ("/proc/nope", str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        with pytest.raises(InvalidConfig, match="cannot be written") as caught:
            load(tmp_path, IMAGEKIT_CACHE_DIR=path).usable_cache_dir()
        assert path in caught.value.message
        assert "IMAGEKIT_CACHE_DIR" in str(caught.value.hint)
    with pytest.raises(InvalidConfig, match=r"/proc/x/\.cache/imagekit"):
        load(tmp_path, HOME="/proc/x").usable_cache_dir()
    made = load(tmp_path, IMAGEKIT_CACHE_DIR="a/b").usable_cache_dir()
    assert (made, list(made.iterdir()), made.stat().st_mode & 0o777) == (tmp_path / "a" / "b", [], 0o700)


def test_a_home_that_is_none(tmp_path: Path) -> None:
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for relative in ("", "home", "./home", "~"):
        settings = load(tmp_path, HOME=relative)
        assert settings.cache_dir == own / ".cache" / "imagekit"
        assert settings.config_file == own / ".config" / "imagekit" / "config.toml"
        assert load(tmp_path, HOME=relative, IMAGEKIT_CACHE_DIR="~/c").cache_dir == own / "c"
    assert load(tmp_path, IMAGEKIT_CACHE_DIR="~/c").cache_dir == tmp_path / "c"
    for variable in ("IMAGEKIT_CACHE_DIR", "IMAGEKIT_CONFIG_FILE"):
        with pytest.raises(InvalidConfig, match=f"{variable} .* home directory is not known"):
            load(tmp_path, **{variable: "~nobody-of-that-name/c"})
