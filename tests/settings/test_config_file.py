"""The configuration file: what it may hold, and that an edit leaves the rest alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.errors import InvalidConfig
from imagekit.settings import ConfigFile


def read(tmp_path: Path, text: str) -> ConfigFile:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return ConfigFile.read(path)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("default-namespace = \n", ":1: ", "mend"),
        ("\n\ndefault-nmespace = 'x'\n", ":3: unknown key 'default-nmespace'", "default-namespace"),
        ("[engine]\nx = 1\n", ":1: engine is not a string", "make it a string"),
        ("default-namespace = true\n", ":1: default-namespace is not a string", 'default-namespace = "true"'),
        ("engine-timeout = true\n", ":1: engine-timeout is not a number", "engine-timeout = 120"),
        ("engine-timeout = '3'\n", ":1: engine-timeout is not a number", "engine-timeout = 3, without quotes"),
        ("engine-timeout = 0\n", "engine-timeout is 0 and no number of seconds above 0", "120"),
        ("engine-timeout = nan\n", ":1: engine-timeout is not a number", "engine-timeout = 120"),
        ("cache-size = 20_000\n", ":1: cache-size is not a string", 'cache-size = "20_000"'),
        ("packages = ['x']\n", ":1: packages is a key of projects", "imagekit.toml"),
        ("python = 3.10\n", ":1: python is not a string", 'python = "3.10"'),
        ("default-namespace = 'a/B'\n", ":1: default-namespace: not a namespace", "registry.example.com/team"),
        ("engine = 'localhost'\n", "no engine's address", "unix://"),
        ("engine = 'unix:///a'\nengine = 'unix:///b'\n", ":2: ", "there twice"),
    ],
)
def test_what_is_refused_with_line_and_hint(tmp_path: Path, text: str, words: str, hint: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        read(tmp_path, text)
    assert words in raised.value.message
    assert hint in str(raised.value.hint)


def test_an_edit_keeps_comments_and_other_lines(tmp_path: Path) -> None:
    file = read(tmp_path, "# the team's\ndefault-namespace = 'old'  # for now\n\nengine-timeout = 5\n")
    file = file.with_value("default-namespace", "new/").with_value("engine", "unix:///x")
    assert (
        file.text == '# the team\'s\ndefault-namespace = "new"  # for now\n\nengine-timeout = 5\nengine = "unix:///x"\n'
    )
    assert (
        file.without("engine-timeout").text
        == '# the team\'s\ndefault-namespace = "new"  # for now\n\nengine = "unix:///x"\n'
    )


def test_a_value_over_several_lines_is_replaced_too(tmp_path: Path) -> None:
    file = read(tmp_path, 'default-namespace = """\\\n  old"""\n')
    file.with_value("default-namespace", "new").write()
    assert ConfigFile.read(file.path).values == {"default-namespace": "new"}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["cache-dir", "engine-timeout"]), st.integers(1, 10**6)), st.integers(1, 10**6))
def test_what_is_set_is_read_back(tmp_path_factory: pytest.TempPathFactory, first: dict[str, int], then: int) -> None:
    path = tmp_path_factory.mktemp("config") / "deep" / "config.toml"
    file = ConfigFile.read(path)
    for name, number in first.items():
        file = file.with_value(name, str(number) if name == "engine-timeout" else f"/{number} \"'\\#")
    file = file.with_value("engine-timeout", str(then))
    file.write()
    assert ConfigFile.read(path).values == file.values
    assert file.values["engine-timeout"] == then


def test_writing_is_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = read(tmp_path, "engine-timeout = 1\n").with_value("engine-timeout", "2")
    file.write()
    assert os.listdir(tmp_path) == ["config.toml"]
    assert ConfigFile.read(file.path).values == {"engine-timeout": 2}


def test_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "real.toml"
    real.parent.mkdir()
    real.write_text("")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    ConfigFile.read(link).with_value("engine-timeout", "3").write()
    assert link.is_symlink()
    assert real.read_text() == "engine-timeout = 3\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_and_the_mode_stay(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(f"# mine{ends}default-namespace = 'x'{ends}".encode())
    path.chmod(0o640)
    ConfigFile.read(path).with_value("engine-timeout", "3").with_value("cache-size", "1GB").write()
    lines = path.read_bytes().decode().split(ends)
    assert lines == ["# mine", "default-namespace = 'x'", "engine-timeout = 3", 'cache-size = "1GB"', ""]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = ConfigFile.read(tmp_path / "file" / "config.toml").with_value("engine-timeout", "3")
    with pytest.raises(InvalidConfig, match="cannot be written"):
        file.write()
