"""Profiles, variables and the project's own file: which of them holds, and where each value says it is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError, InvalidConfig
from imagekit.settings import ConfigFile, Settings
from imagekit.settings.view import settings_of_project

CONFIG = """\
# the team's
default-namespace = "team"
labels = {team = "data", tier = "1"}
base-image = "python:3.11-slim"

[profiles.prod]
default-namespace = "registry.example.com/prod"
labels = {tier = "2"}
python = "3.12"

[profiles."other.one"]
engine-timeout = 9
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "project").mkdir()
    return {"HOME": str(tmp_path), "IMAGEKIT_CONFIG_FILE": str(tmp_path / "config.toml")}


def load(environ: dict[str, str], tmp_path: Path) -> Settings:
    return Settings.load(environ, tmp_path)


def test_a_profile_goes_before_what_holds_for_all(environ: dict[str, str], tmp_path: Path) -> None:
    def found() -> tuple[str | None, str | None, str]:
        settings = load(environ, tmp_path)
        return settings.profile, settings.default_namespace, settings.origin("default-namespace")

    path = tmp_path / "config.toml"
    assert found() == (None, "team", f"{path}:2")
    environ["IMAGEKIT_PROFILE"] = "prod"
    assert found() == ("prod", "registry.example.com/prod", f"{path}:7")
    environ["IMAGEKIT_PROFILE"] = "other.one"
    assert found() == ("other.one", "team", f"{path}:2")
    assert load(environ, tmp_path).engine_deadline == 9
    environ["IMAGEKIT_PROFILE"] = "default"
    path.write_text('profile = "prod"\n' + CONFIG)
    assert found() == (None, "team", f"{path}:3")
    del environ["IMAGEKIT_PROFILE"]
    assert found() == ("prod", "registry.example.com/prod", f"{path}:8")
    environ["IMAGEKIT_DEFAULT_NAMESPACE"] = "mine"
    assert found() == ("prod", "mine", "IMAGEKIT_DEFAULT_NAMESPACE")


def test_an_unknown_profile_is_told_the_nearest(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="--profile or IMAGEKIT_PROFILE: no profile 'pord'") as caught:
        load({**environ, "IMAGEKIT_PROFILE": "pord"}, tmp_path)
    assert caught.value.hint == "did you mean 'prod'?"
    (tmp_path / "config.toml").unlink()
    with pytest.raises(InvalidConfig) as caught:
        load({**environ, "IMAGEKIT_PROFILE": "prod"}, tmp_path)
    assert caught.value.hint == "make it: imagekit config set --profile prod KEY=VALUE"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('profile = "x"\n', ":1: no profile 'x'"),
        ("profile = 3\n", ":1: no profile '3'"),
        ("profiles = 3\n", ":1: profiles is not a table"),
        ("[profiles]\nx = 3\n", ":2: profiles.x is not a table"),
        ("\n[profiles.default]\n", ":2: 'default' stands for the keys at the top"),
        ("[profiles.'a b']\n", ":1: 'a b' is no name"),
        ("[profiles.a]\n\nengin = 'x'\n", ":3: unknown key 'engin'"),
        ("[profiles.a]\nengine-timeout = '3'\n", ":2: profiles.a.engine-timeout is not a number"),
        ("[profiles.a]\nprofile = 'a'\n", ":2: profile is no setting"),
        ("[profiles.a]\nworkdir = '/x'\n", ":2: workdir is a key of projects"),
    ],
)
def test_a_bad_profile_has_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        ConfigFile.read(path)
    assert words in caught.value.message
    assert caught.value.hint


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('engin = "x"\ncache-size = 3\n[profiles.a]\npython = 3.10\nresolver = "pip"\n')
    with pytest.raises(InputError, match="4 problems") as caught:
        ConfigFile.read(path)
    for line, words in ((1, "engin"), (2, "cache-size"), (4, "profiles.a.python"), (5, "unknown resolver 'pip'")):
        assert f"{path}:{line}: " in str(caught.value.details)
        assert words in str(caught.value.details)


def test_a_profile_is_made_changed_and_emptied(tmp_path: Path) -> None:
    file = ConfigFile.read(tmp_path / "config.toml")
    file = file.with_value("engine-timeout", "5").with_value("labels", '{"a": "x y"}', "one")
    file = file.with_value("insecure-registries", "10.0.0.0/8,a.example.com", "one").with_profile("one")
    assert file.text == (
        'engine-timeout = 5\nprofile = "one"\n\n[profiles.one]\nlabels = {a = "x y"}\n'
        'insecure-registries = ["10.0.0.0/8", "a.example.com"]\n'
    )
    file.write()
    again = ConfigFile.read(file.path)
    assert (again.profile, again.profiles) == (file.profile, file.profiles)
    file = again.without("labels", "one").without("insecure-registries", "one").with_profile(None)
    assert file.text == "engine-timeout = 5\n\n[profiles.one]\n"
    assert file.without("labels", "nothing of the kind").text == file.text
    with pytest.raises(InvalidConfig, match="no name for a profile"):
        file.with_value("engine-timeout", "5", "a b")


def origins(environ: dict[str, str], tmp_path: Path) -> dict[str, tuple[object, str]]:
    settings = load(environ, tmp_path)
    return {each.name: (each.value, str(each.origin)) for each in settings_of_project(settings, tmp_path / "project")}


def test_which_source_of_a_projects_key_wins(environ: dict[str, str], tmp_path: Path) -> None:
    config, project = tmp_path / "config.toml", tmp_path / "project" / "imagekit.toml"
    found = origins(environ, tmp_path)
    assert found["resolver"] == ("uv", "default")
    assert found["python"] == (None, "default")
    assert found["base-image"] == ("python:3.11-slim", f"{config}:4")
    environ["IMAGEKIT_PROFILE"] = "prod"
    assert origins(environ, tmp_path)["python"] == ("3.12", f"{config}:9")
    project.write_text('\npython = "3.13"\nlabels = {tier = "3", own = "x"}\n')
    found = origins(environ, tmp_path)
    assert found["python"] == ("3.13", f"{project}:2")
    # Pairs of all sources hold together.
    assert found["labels"] == ({"team": "data", "tier": "3", "own": "x"}, f"{project}:3")
    environ |= {
        "IMAGEKIT_PYTHON": "3.14",
        "IMAGEKIT_LABELS": "tier=4",
        "IMAGEKIT_EXTRA_INDEX_URLS": "https://a https://b",
    }
    found = origins(environ, tmp_path)
    assert found["python"] == ("3.14", "IMAGEKIT_PYTHON")
    assert found["labels"] == ({"team": "data", "tier": "4", "own": "x"}, "IMAGEKIT_LABELS")
    assert found["extra-index-urls"] == (["https://a", "https://b"], "IMAGEKIT_EXTRA_INDEX_URLS")


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PYTHON", "3.10", "3.10"),
        ("HEALTH_CHECK", "off", False),
        ("SOURCE_BUILDS", "true", True),
        ("SOURCE_BUILDS", "a b", ["a", "b"]),
        ("PACKAGES", '["rich >=13,<14", "six"]', ["rich >=13,<14", "six"]),
        ("ENV", '{"A": "x y"}', {"A": "x y"}),
        ("ENV", "A=1 B=x=y", {"A": "1", "B": "x=y"}),
        ("RESOLVER", "", "uv"),
    ],
)
def test_variables_of_every_kind(
    environ: dict[str, str], tmp_path: Path, variable: str, text: str, value: object
) -> None:
    environ[f"IMAGEKIT_{variable}"] = text
    assert origins(environ, tmp_path)[variable.lower().replace("_", "-")][0] == value


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PYTHON", "3", "IMAGEKIT_PYTHON: '3' is no Python version"),
        ("PYTHON", "2.7", "IMAGEKIT_PYTHON: Python 2.7 is asked for, which is too old"),
        ("HEALTH_CHECK", "maybe", "IMAGEKIT_HEALTH_CHECK is 'maybe', and neither true nor false"),
        ("RESOLVER", "pip", "IMAGEKIT_RESOLVER: unknown resolver 'pip'"),
        ("PACKAGES", "[1]", "IMAGEKIT_PACKAGES is not a list of strings, as JSON has it"),
        ("PACKAGES", "[", "IMAGEKIT_PACKAGES is not a list of strings"),
        ("ENV", "A", "IMAGEKIT_ENV is neither NAME=VALUE nor a JSON object"),
        ("ENV", '{"A": 1}', "IMAGEKIT_ENV is not a table of strings"),
        ("INDEX_URL", "https://u:s3cr3t@example.com", "IMAGEKIT_INDEX_URL"),
        ("WORKDIR", "x", "IMAGEKIT_WORKDIR"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_named(
    environ: dict[str, str], tmp_path: Path, variable: str, text: str, words: str
) -> None:
    environ[f"IMAGEKIT_{variable}"] = text
    with pytest.raises(InputError) as caught:
        load(environ, tmp_path).project_layers()
    assert words in caught.value.message
    assert caught.value.hint
    assert "s3cr3t" not in str(caught.value.to_json())


def test_all_variables_that_cannot_be_meant_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 problems"):
        load({**environ, "IMAGEKIT_PYTHON": "x", "IMAGEKIT_RESOLVER": "x"}, tmp_path).project_layers()


def test_the_view_shows_no_login(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "project" / "imagekit.toml").write_text('find-links = ["https://u:s3cr3t@example.com/x"]\n')
    with pytest.raises(InputError, match=r"imagekit.toml:1: find-links: 'https://\*\*\*@example.com/x'") as caught:
        origins(environ, tmp_path)
    assert "s3cr3t" not in str(caught.value.to_json())


def test_tables_in_a_list_are_shown_by_their_keys(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "project" / "imagekit.toml"
    path.write_text('\n[[index]]\nname = "corp"\nurl = "https://packages.example.com/simple"\npackages = ["orders"]\n')
    index = {"name": "corp", "url": "https://packages.example.com/simple", "packages": ["orders"]}
    assert origins(environ, tmp_path)["index"] == ([index], f"{path}:2")
