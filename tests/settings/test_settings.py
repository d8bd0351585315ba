"""Settings: which source wins, and that each value says where it came from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from imagekit.errors import InvalidConfig
from imagekit.settings import Settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def load(environ: dict[str, str], tmp_path: Path) -> Settings:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return Settings.load(environ, work)


def write_config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "home" / ".config" / "imagekit" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_context(directory: Path, name: str, host: str) -> None:
    meta = directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_without_any_source_there_are_defaults(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load(environ, tmp_path)
    assert settings.engine_address == "unix:///var/run/docker.sock"
    assert settings.engine_deadline == 120
    assert settings.cache_dir == tmp_path / "home" / ".cache" / "imagekit"
    assert settings.config_file == tmp_path / "home" / ".config" / "imagekit" / "config.toml"
    assert settings.default_namespace is None
    assert settings.ca_bundle is None
    assert settings.source_date_epoch is None
    assert {settings.origin(name) for name in settings.view()} == {"default"}


def test_the_engine_that_wins(environ: dict[str, str], tmp_path: Path) -> None:
    docker = tmp_path / "home" / ".docker"
    write_context(docker, "far", "ssh://far")
    write_context(docker, "near", "unix:///near.sock")
    (docker / "config.json").write_text('{"currentContext": "far"}')

    def engine() -> tuple[str, str]:
        settings = load(environ, tmp_path)
        return settings.engine_address, settings.origin("engine")

    assert engine() == ("ssh://far", "docker context far")
    environ["DOCKER_CONTEXT"] = "near"
    assert engine() == ("unix:///near.sock", "docker context near")
    environ["DOCKER_CONTEXT"] = "default"
    assert engine() == ("unix:///var/run/docker.sock", "default")
    environ["DOCKER_HOST"] = "tcp://host:2375"
    assert engine() == ("tcp://host:2375", "DOCKER_HOST")
    path = write_config(tmp_path, 'engine = "unix:///kept.sock"\n')
    assert engine() == ("unix:///kept.sock", f"{path}:1")
    environ["IMAGEKIT_ENGINE"] = "unix:///mine.sock"
    assert engine() == ("unix:///mine.sock", "IMAGEKIT_ENGINE")


def test_a_context_that_is_not_there(environ: dict[str, str], tmp_path: Path) -> None:
    environ["DOCKER_CONTEXT"] = "gone"
    with pytest.raises(InvalidConfig, match="'gone' is not there") as raised:
        load(environ, tmp_path)
    assert "docker context ls" in str(raised.value.hint)


def test_docker_config_names_another_directory(environ: dict[str, str], tmp_path: Path) -> None:
    write_context(tmp_path / "other", "x", "tcp://x:1")
    (tmp_path / "other" / "config.json").write_text('{"currentContext": "x"}')
    environ["DOCKER_CONFIG"] = str(tmp_path / "other")
    assert load(environ, tmp_path).engine_address == "tcp://x:1"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
def test_a_docker_configuration_that_cannot_be_read_is_none(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    (tmp_path / "home" / ".docker").mkdir()
    (tmp_path / "home" / ".docker" / "config.json").write_text(text)
    assert load(environ, tmp_path).engine_address == "unix:///var/run/docker.sock"


def test_the_namespace_that_wins(environ: dict[str, str], tmp_path: Path) -> None:
    def namespace() -> tuple[str | None, str]:
        settings = load(environ, tmp_path)
        return settings.default_namespace, settings.origin("default-namespace")

    prefect = tmp_path / "home" / ".prefect" / "profiles.toml"
    prefect.parent.mkdir()
    prefect.write_text(
        'active = "one"\n'
        '[profiles.one]\nPREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE = "example.com/one"\n'
        '[profiles.two]\nPREFECT_DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE = "example.com/two"\n'
    )
    assert namespace() == ("example.com/one", f"Prefect's profile one in {prefect}")
    environ["PREFECT_PROFILE"] = "two"
    assert namespace() == ("example.com/two", f"Prefect's profile two in {prefect}")
    (tmp_path / "work" / "pyproject.toml").write_text(
        '[tool.prefect.deployments]\ndefault_docker_build_namespace = "pyproject"\n'
    )
    assert namespace()[0] == "pyproject"
    (tmp_path / "work" / "prefect.toml").write_text('[deployments]\ndefault_docker_build_namespace = "toml"\n')
    assert namespace()[0] == "toml"
    (tmp_path / "work" / ".env").write_text('# x\nPREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE="dotenv" # why\n')
    assert namespace()[0] == "dotenv"
    environ["PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"] = "example.com/env/"
    assert namespace() == ("example.com/env", "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE")
    path = write_config(tmp_path, '# ours\ndefault-namespace = "kept"\n')
    assert namespace() == ("kept", f"{path}:2")
    environ["IMAGEKIT_DEFAULT_NAMESPACE"] = "localhost:5000"
    assert namespace() == ("localhost:5000", "IMAGEKIT_DEFAULT_NAMESPACE")
    environ["IMAGEKIT_DEFAULT_NAMESPACE"] = ""
    assert namespace()[0] == "kept"


def test_prefect_profiles_elsewhere(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('active = "x"\n[profiles.x]\nPREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE = "there"\n')
    assert load({**environ, "PREFECT_PROFILES_PATH": str(path)}, tmp_path).default_namespace == "there"
    (tmp_path / "profiles.toml").write_text(path.read_text())
    assert load({**environ, "PREFECT_HOME": str(tmp_path)}, tmp_path).default_namespace == "there"


def test_prefect_profiles_that_are_broken_are_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("active = \n")
    assert load({**environ, "PREFECT_PROFILES_PATH": str(path)}, tmp_path).default_namespace is None


@pytest.mark.parametrize("text", ["team/Upper", "user:secret@host", "https://host/team", "team:v1", "a b", "-x"])
@pytest.mark.parametrize("variable", ["IMAGEKIT_DEFAULT_NAMESPACE", "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"])
def test_a_namespace_that_is_none(environ: dict[str, str], tmp_path: Path, variable: str, text: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        load({**environ, variable: text}, tmp_path)
    assert variable in raised.value.message
    assert "secret" not in f"{raised.value.message}{raised.value.hint}{raised.value.details}"


def test_the_ca_bundle_is_the_first_that_exists(environ: dict[str, str], tmp_path: Path) -> None:
    for name in ("requests", "pip", "curl"):
        (tmp_path / name).touch()
    environ |= {
        "SSL_CERT_FILE": str(tmp_path / "gone"),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "requests"),
        "PIP_CERT": str(tmp_path / "pip"),
        "CURL_CA_BUNDLE": str(tmp_path / "curl"),
    }
    found = []
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"):
        settings = load(environ, tmp_path)
        found.append((str(settings.ca_bundle), settings.origin("ca-bundle")))
        (tmp_path / {"REQUESTS_CA_BUNDLE": "requests", "PIP_CERT": "pip"}.get(variable, "gone")).unlink(missing_ok=True)
    assert found == [
        (str(tmp_path / "requests"), "REQUESTS_CA_BUNDLE"),
        (str(tmp_path / "requests"), "REQUESTS_CA_BUNDLE"),
        (str(tmp_path / "pip"), "PIP_CERT"),
    ]


def test_directories_of_the_xdg_specification(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"XDG_CACHE_HOME": str(tmp_path / "c"), "XDG_CONFIG_HOME": "relative"}
    settings = load(environ, tmp_path)
    assert settings.cache_dir == tmp_path / "c" / "imagekit"
    assert settings.config_file.is_relative_to(tmp_path / "home" / ".config")


def test_the_cache_directory_is_absolute(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load({**environ, "IMAGEKIT_CACHE_DIR": "here"}, tmp_path)
    assert settings.cache_dir == tmp_path / "work" / "here"


def test_source_date_epoch(environ: dict[str, str], tmp_path: Path) -> None:
    assert load({**environ, "SOURCE_DATE_EPOCH": "0"}, tmp_path).source_date_epoch == 0
    for text in ("-1", "1.5", "now", " 1", "１"):
        with pytest.raises(InvalidConfig, match="SOURCE_DATE_EPOCH"):
            load({**environ, "SOURCE_DATE_EPOCH": text}, tmp_path)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_deadline_that_is_none(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidConfig, match="IMAGEKIT_ENGINE_TIMEOUT"):
        load({**environ, "IMAGEKIT_ENGINE_TIMEOUT": text}, tmp_path)


def test_the_environment_is_not_shown_by_repr(environ: dict[str, str], tmp_path: Path) -> None:
    settings = load({**environ, "TOKEN": "canary"}, tmp_path)
    assert settings.variables["TOKEN"] == "canary"
    assert "canary" not in repr(settings)


def test_insecure_registries(environ: dict[str, str], tmp_path: Path) -> None:
    write_config(tmp_path, 'insecure-registries = ["registry.example.com:5000", "10.0.0.0/8"]\n')
    settings = load(environ, tmp_path)
    assert settings.registry_access().insecure == ("registry.example.com:5000", "10.0.0.0/8")
    assert settings.origin("insecure-registries").endswith("config.toml:1")
    assert load({**environ, "IMAGEKIT_INSECURE_REGISTRIES": "a.example.com"}, tmp_path).insecure_registries == (
        "a.example.com",
    )
    for text in ("https://a.example.com", "10.0.0.0/40", "a b", "user:pw@a.example.com"):
        with pytest.raises(InvalidConfig, match="no registry"):
            load({**environ, "IMAGEKIT_INSECURE_REGISTRIES": text}, tmp_path)
