"""Values for an image, ignore rules, configuration and parameters, as a person gives them: what cannot be meant is
refused before any process or connection (``refuse`` looks for those), and what can gets as far as the engine, whose
address is dead.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.errors import EngineNotFound, ImagekitError

from .conftest import reaching_out
from .test_refused import REFUSED_REFERENCES, REFUSED_REQUIREMENTS, TAKEN_REFERENCES, TAKEN_REQUIREMENTS

# What shells, Dockerfiles and JSON read as something else; each comes out byte for byte (test_values_byte_for_byte).
ODD = ['"', "'", "\\", "a\\", "$X", "${X:-y}", "$(id)", "<<EOF", "#", " a ", "-x", "--from=x", '["a"]', "é", "\t"]


def made(**keywords: Any) -> ImagekitError:
    """What building a ``DockerImage`` raises, before any process or connection where the input is refused."""
    name = keywords.pop("name", "orders")
    tag = keywords.pop("tag", "v1")
    with reaching_out() as reached, pytest.raises(ImagekitError) as caught:
        DockerImage(name, tag, stream_progress_to=None, **keywords).build()
    assert caught.value.exit_code != 2 or not reached
    assert "canary" not in str(caught.value.to_json())
    assert caught.value.hint
    return caught.value


@pytest.fixture(autouse=True)
def files(refuse: Any) -> None:
    """The project, and the environment of ``refuse``, in which ``DockerImage`` is made, too."""
    Path("a b.yml").write_text("x")
    Path("-x.yml").write_text("x")
    Path("Dockerfile").write_text("FROM scratch AS first\n")


@pytest.mark.parametrize("text", REFUSED_REFERENCES)
def test_a_reference_of_the_library(text: str) -> None:
    if text:
        assert made(name=text, tag=None).exit_code == 2
    if text not in ("", "scratch"):
        assert made(base_image=text).exit_code == 2
    assert made(tag=" ").exit_code == made(tag="-a").exit_code == made(tag=".a").exit_code == 2


@pytest.mark.parametrize("text", TAKEN_REFERENCES)
def test_a_good_reference_of_the_library(text: str) -> None:
    assert isinstance(made(name=text, tag=None), EngineNotFound)
    assert isinstance(made(base_image=text), EngineNotFound)


@pytest.mark.parametrize("text", [*REFUSED_REQUIREMENTS, *TAKEN_REQUIREMENTS])
def test_a_requirement_of_the_library(text: str) -> None:
    code = 2 if text in REFUSED_REQUIREMENTS else 3
    assert made(packages=[text]).exit_code == code


# Dockerfile text

REFUSED_WORDS = [
    *(("--env", "A=a\nb"), ("--env", "A=a\0"), ("--env", "A B=x"), ("--env", "=x"), ("--env", "A\n=x")),
    *(("--label", "a=x\ny"), ("--label", "a=\0"), ("--label", "a b=x"), ("--label", "=x")),
    *(("--file", "flow.py=x"), ("--file", "flow.py=/a\nb"), ("--file", "flow.py=/a\0"), ("--file", "flow.py=/../x")),
    *(("--file", "nope=/x"), ("--file", "../x=/x"), ("--file", "-nope=/x"), ("--file", "flow.py=/etc/passwd")),
    *(("--package", "a;id"), ("--package", "-x"), ("--package", "a b"), ("--package", "$(id)"), ("--package", "a\\")),
    *(("--dockerfile-command", "RUN a\nUSER root"), ("--dockerfile-command", "RUN\0")),
    *(("--dockerfile-command", "FROM x"), ("--dockerfile-command", "nonsense")),
    *(("--group", "a\nb"), ("--extra", "-x"), ("--python", "3.12\n"), ("--python", "-c"), ("--base-image", "-x")),
    *(("--platform", "linux/amd64\n"), ("--platform", "-x"), ("--allow-source-build", "a\nb")),
    *(("--allow-source-build", "-x"), ("--resolver", "uv\n")),
]
REFUSED_OF_A_DOCKERFILE = [
    *(("--build-arg", "A=x\0"), ("--build-arg", "A B=x"), ("--build-arg", "=x"), ("--target", "a b")),
    *(("--target", "a\nb"), ("--target", "-x"), ("--target", "$(id)"), ("--label", "a=\0")),
]


@pytest.mark.parametrize(("option", "text"), REFUSED_WORDS)
def test_a_value_for_an_image(refuse: Any, option: str, text: str) -> None:
    code, error, output = refuse("build", f"{option}={text}")
    assert code == 2, output
    assert error["hint"]
    assert error["message"].isprintable()


@pytest.mark.parametrize(("option", "text"), REFUSED_OF_A_DOCKERFILE)
def test_a_value_for_a_dockerfile(refuse: Any, option: str, text: str) -> None:
    code, error, output = refuse("build", "--dockerfile=Dockerfile", f"{option}={text}")
    assert code == 2, output
    assert error["message"].isprintable()


@pytest.mark.parametrize("path", ["nope", "-x", "a\nb", "../Dockerfile", "."])
def test_a_dockerfile_that_is_none(refuse: Any, path: str) -> None:
    assert refuse("build", f"--dockerfile={path}")[0] == 2


@pytest.mark.parametrize("text", ODD)
def test_an_odd_value_is_taken(refuse: Any, text: str) -> None:
    arguments = [f"--env=A={text}", f"--label=a={text}", f"--dockerfile-command=ENV A={json.dumps(text)}"]
    code, _, output = refuse("build", *arguments)
    assert code == 3, output
    code, _, output = refuse("build", "--dockerfile=Dockerfile", f"--build-arg=A={text}", f"--label=a={text}")
    assert code == 3, output
    assert made(env={"A": text}, labels={"a": text}).exit_code == 3


@pytest.mark.parametrize("source", ["a b.yml", "-x.yml"])
def test_paths_with_spaces_and_dashes_are_taken(refuse: Any, source: str) -> None:
    code, _, output = refuse("build", f"--file={source}=/srv/{source}")
    assert code == 3, output
    assert made(files={source: f"/srv/{source}"}).exit_code == 3
    os.rename("Dockerfile", source)
    assert refuse("build", f"--dockerfile={source}")[0] == 3


# .dockerignore

REFUSED_RULES = ["!", "! ", "[", "a[", "a[]b", "[z-a]", "x\\"]
TAKEN_RULES = [
    *("*\n!flow.py", "!flow.py\n*.py", "**", "**/x", "abc/**", "/abc", "a b", "\ufeffabc", "abc\r\n!abc/x\r\n"),
    *("Dockerfile\n.dockerignore", "#", "", "\n", "link"),
]


@pytest.mark.parametrize("rules", REFUSED_RULES)
def test_ignore_rules(refuse: Any, rules: str) -> None:
    Path(".dockerignore").write_text(f"fine\n{rules}\n")
    for words in (("build",), ("plan",), ("build", "--dockerfile=Dockerfile")):
        code, error, output = refuse(*words)
        assert code == 2, output
        assert error["message"].startswith(".dockerignore:2: ")
    assert made().message.startswith(".dockerignore:2: ")


@pytest.mark.parametrize("rules", TAKEN_RULES)
def test_good_ignore_rules(refuse: Any, rules: str) -> None:
    Path("link").symlink_to("/etc/hostname")  # it is sent as a link
    Path(".dockerignore").write_bytes(rules.encode())
    assert refuse("build")[0] == 3
    assert refuse("build", "--dockerfile=Dockerfile")[0] == 3


def test_what_cannot_be_sent_is_named(refuse: Any) -> None:
    os.mkfifo("pipe")
    Path("directory").mkdir()
    for words in (("build",), ("build", "--dockerfile=Dockerfile")):
        code, error, output = refuse(*words)
        assert code == 2, output
        assert "pipe is a fifo" in error["message"]
    Path(".dockerignore").write_text("pipe\n")
    assert refuse("build")[0] == 3


# Configuration

REFUSED_CONFIGURATION = [
    ("python = \n", 1, "mend the TOML"),
    ("[env\n", 1, ""),
    ('python = "3.12"\npython = "3.12"\n', 2, ""),
    ('env = {A = "1", A = "2"}\n', 1, ""),
    ('\nbase-imgae = "x"\n', 2, "base-image"),
    ('health-check = "true"\n', 1, "true, without quotes"),
    ("health-check = 1\n", 1, "true or false"),
    ('packages = "rich"\n', 1, '["rich"]'),
    ("packages = {rich = 1}\n", 1, "list"),
    ("packages = [1]\n", 1, '"1"'),
    ('env = ["A=1"]\n', 1, "{NAME"),
    ("env = {A = nan}\n", 1, '"nan"'),
    ("env = {A = inf}\n", 1, '"inf"'),
    ("python = 3.10\n", 1, '"3.10"'),
    ("name = 2026-01-31\n", 1, ""),
    ('[env]\nA = "a\\nb"\n', 2, "file"),
    ('[env]\nA = "a\\u0000"\n', 2, "file"),
    ('resolver = "vu"\n', 1, "uv"),
    ('index = [{url = "https://example.com/simple"}]\n', 1, "name"),
    ('[[index]]\nname = "a"\nurl = "https://example.com/simple"\nexplcit = true\n', 4, "explicit"),
    ('index-url = "https://u:canary@example.com/simple"\n', 1, "netrc"),
]


@pytest.mark.parametrize(("text", "line", "hint"), REFUSED_CONFIGURATION)
@pytest.mark.parametrize("file", ["imagekit.toml", "pyproject.toml"])
def test_a_projects_configuration(refuse: Any, file: str, text: str, line: int, hint: str) -> None:
    header = ""
    if file == "pyproject.toml":
        header = "[tool.imagekit]\n"
        text = text.replace("[env", "[tool.imagekit.env").replace("[[index]]", "[[tool.imagekit.index]]")
    Path(file).write_text(header + text)
    for words in (("build",), ("plan",), ("lock",), ("config", "view")):
        code, error, output = refuse(*words)
        assert (code, "canary" in output) == (2, False), output
        assert error["message"].startswith(f"{file}:{line + bool(header)}: ")
        assert hint in error["hint"]
    assert made().exit_code == 2


REFUSED_SETTINGS = [
    ("engine = \n", 1, ""),
    ("engine-timeout = nan\n", 1, "120"),
    ('\nengine-timeout = "3"\n', 2, "without quotes"),
    ('atest = "x"\n', 1, "attest"),
    ('attest = "true"\n', 1, "without quotes"),
    ('engine = "unix:///a"\nengine = "unix:///b"\n', 2, "twice"),
    ('insecure-registries = "x"\n', 1, '["x"]'),
    ("python = 3.10\n", 1, '"3.10"'),
    ('profile = "nope"\n', 1, "default"),
    ('[profiles.a]\ncache-siez = "1GB"\n', 2, "cache-size"),
    ("[profiles]\na = 1\n", 2, "[profiles.NAME]"),
]


@pytest.mark.parametrize(("text", "line", "hint"), REFUSED_SETTINGS)
def test_the_users_configuration(refuse: Any, tmp_path: Path, text: str, line: int, hint: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    for words in (("build",), ("config", "view")):
        code, error, output = refuse(*words)
        assert code == 2, output
        assert f"config.toml:{line}: " in error["message"]
        assert hint in error["hint"]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("IMAGEKIT_HEALTH_CHECK", "perhaps"), ("IMAGEKIT_PYTHON", "three"), ("IMAGEKIT_ENV", "A")),
        *(("IMAGEKIT_PACKAGES", '["a", 1]'), ("IMAGEKIT_PACKAGES", "x=2"), ("IMAGEKIT_EXTRAS", "nope")),
        *(("IMAGEKIT_ENGINE_TIMEOUT", "nan"), ("IMAGEKIT_CACHE_SIZE", "lots"), ("IMAGEKIT_PROFILE", "nope")),
    ],
)
def test_a_variable(refuse: Any, monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    code, error, output = refuse("build")
    assert code == 2, output
    assert variable in error["message"]
    assert error["hint"]


# Parameters

REFUSED_PARAMETERS = [["m=1"], ["n"], ["=1"], ["n=1", "n=2"], ["n=1", "m=2"], ["n-n=1"], [""], ["n=\ud800"]]


@pytest.mark.parametrize("pairs", REFUSED_PARAMETERS)
def test_a_parameter(refuse: Any, pairs: list[str]) -> None:
    code, error, output = refuse("run", "flow.py:etl", *(f"-p{pair}" for pair in pairs))
    assert (code, error["error"]) == (2, "InvalidParameters"), output
    assert error["hint"]


def test_a_missing_argument(refuse: Any) -> None:
    Path("flow.py").write_text("def etl(n):\n    return n\n")
    assert refuse("run", "flow.py:etl")[1]["error"] == "InvalidParameters"
    assert refuse("run", "flow.py:etl", "-pn=1")[1]["error"] == "EngineNotFound"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1}, b"x", object(), "\ud800", {1: 2}], ids=lambda value: type(value).__name__
)
def test_a_value_that_json_cannot_hold(value: object) -> None:
    from imagekit import run

    with reaching_out() as reached, pytest.raises(ImagekitError) as caught:
        run("flow.py:etl", parameters={"n": value}, image="orders:v1")
    assert (caught.value.exit_code, reached) == (2, [])
