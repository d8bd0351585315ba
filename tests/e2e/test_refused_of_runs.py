"""What a run is asked for and what images are called in every command: what cannot be meant is refused before any
process or connection (``refuse`` looks for those); what can gets as far as the engine, whose address is dead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerFlowRunner
from imagekit.errors import ImagekitError

from .conftest import reaching_out

HEX = "0123456789abcdef" * 4
RUN = ("run", "flow.py:etl", "--image=orders:v1")

# What names an image, or a run, in each command; references themselves are tried with ``build`` and ``run``.
NAMING = [
    *(("push",), ("inspect",), ("check",), ("sbom",), ("provenance",), ("lint",), ("secret", "scan"), ("promote",)),
    *(
        ("diff",),
        ("diff", "orders:v1"),
        ("why", "--since"),
        ("promote", "orders:v1", "--tag"),
        ("plan", "--base-image"),
    ),
]
NO_IMAGES = [
    "docker/Docker:1",
    "user:canary@host/x",
    "https://user:canary@host/x",
    "x$(id):1",
    "x:-a",
    "x@",
    HEX + ":é",
]

REFUSED_SIZES = ["-1", "NaN", "512x", "", "5m"]
TAKEN_SIZES = ["1.5g", "512m", "1GiB"]
REFUSED_SETTINGS = [
    *("--env=A B=1", "--env==1", "--env=", "--env=A\n=1", "--env=A=\0", "--env=NOT_SET_HERE"),
    *("--volume=/:/x", "--volume=//:/x:ro", "--volume=/tmp/..:/x", "--volume=", "--volume=data", "--volume=a:/x:rx"),
    *("--volume=/var/run/docker.sock:/s", "--volume=/run/docker.sock:/s:ro", "--volume=/run:/s", "--volume=a:/"),
    *('--create-arg=mounts=[{"Type":"bind","Source":"/"}]', "--create-arg=hostnaem=x", "--create-arg=x"),
    *("--cpus=0", "--cpus=nan", "--pids=0", "--pids=x", "--timeout=0", "--timeout=nan", "--timeout=inf"),
    *("--stop-grace=-1", "--gpus=x", "--network=a b", "--network-mode=a b", "--network-mode=container:", "--user=-u"),
    *("--workdir=rel", "--name=-x", "--label=imagekit.run=1", "--cap-add=no way", "--serializer=pickel"),
    *("--pull=Sometimes", "--command=", "--command=it's", "--registry-credentials=nope.json", "--result-file=/"),
    *("--memory-swap=1g", "--shm-size=1x", "--result-file=flow.py/x"),
]
TAKEN_SETTINGS = [
    *("--env=A=1", "--env=PATH", "--volume=./data:/data:ro", "--volume=cache:/x", "--cpus=1.5", "--gpus=all"),
    *("--user=1000:1000", "--network-mode=none", "--pids=-1", "--timeout=0.5", "--result-file=out/x.json"),
]
ALLOWED = [
    ("--volume=/:/x", "--allow-host-root"),
    ("--volume=/var/run/docker.sock:/s", "--allow-engine-socket"),
]

REFUSED_EXTRAS = [
    *("a;id", "$(id)", "*", "--index-url=https://example.com", "-r /etc/passwd", "x=2", "x @ ext::sh", "x @ -u"),
    *("--index-url=https://user:canary@example.com/simple", "x @ https://user:canary@example.com/x-1-py3-none-any.whl"),
    *("x @ https://example.com/x-1-py3-none-any.whl?token=canary", "x @ git+https://canary@example.com/r@main"),
]
TAKEN_EXTRAS = ["x>=1,<2", "x; python_version > '3'", "", "x y[z]>=1"]


@pytest.mark.parametrize("words", NAMING, ids=" ".join)
@pytest.mark.parametrize("text", NO_IMAGES)
def test_what_names_no_image(refuse: Any, words: tuple[str, ...], text: str) -> None:
    code, error, output = refuse(*words, text, *(["orders:v1"] if words == ("diff",) else []))
    assert (code, error["error"]) == (2, "InvalidReference"), output
    assert "canary" not in output
    assert error["hint"]


@pytest.mark.parametrize("words", [("promote",), ("diff", "orders:v1"), ("flow-run", "inspect")], ids=" ".join)
def test_what_names_neither_a_run_nor_an_image(refuse: Any, words: tuple[str, ...]) -> None:
    code, error, output = refuse(*words, "Uppercase")
    assert (code, error["error"]) == (2, "UnknownRun"), output


@pytest.mark.parametrize("option", ["--memory", "--shm-size"])
@pytest.mark.parametrize("text", [*REFUSED_SIZES, *TAKEN_SIZES])
def test_a_size(refuse: Any, option: str, text: str) -> None:
    if option == "--shm-size" and text == "5m":
        text = "0"  # the floor is that of memory
    code, error, output = refuse(*RUN, f"{option}={text}")
    assert code == (3 if text in TAKEN_SIZES else 2), output
    assert error["hint"]


@pytest.mark.parametrize("word", [*REFUSED_SETTINGS, *TAKEN_SETTINGS])
def test_a_setting(refuse: Any, word: str) -> None:
    code, error, output = refuse(*RUN, word)
    assert code == (3 if word in TAKEN_SETTINGS else 2), output
    assert error["hint"]
    assert error["message"].isprintable()


@pytest.mark.parametrize("words", ALLOWED)
def test_what_is_allowed_by_name(refuse: Any, words: tuple[str, ...]) -> None:
    assert refuse(*RUN, words[0])[0] == 2
    assert refuse(*RUN, *words)[0] == 3


@pytest.mark.parametrize("text", [*REFUSED_EXTRAS, *TAKEN_EXTRAS])
def test_extra_packages(refuse: Any, text: str) -> None:
    is_taken = text in TAKEN_EXTRAS
    for words in (RUN, RUN[:2]):
        code, error, output = refuse(*words, f"--env=EXTRA_PIP_PACKAGES={text}")
        assert code == (3 if is_taken else 2), output
        assert is_taken or error["message"].startswith("EXTRA_PIP_PACKAGES")
        assert "canary" not in output
    with reaching_out() as reached, pytest.raises(ImagekitError) as caught:
        DockerFlowRunner(image="orders:v1", env={"EXTRA_PIP_PACKAGES": text}).run("flow.py:etl")
    assert caught.value.exit_code == (3 if is_taken else 2)
    assert is_taken or not reached
    assert "canary" not in str(caught.value.to_json())


def test_extra_packages_of_a_projects_own_environment(refuse: Any) -> None:
    Path("imagekit.toml").write_text('env = {EXTRA_PIP_PACKAGES = "a;id"}\n')
    code, error, output = refuse("run", "flow.py:etl")
    assert (code, "EXTRA_PIP_PACKAGES" in error["message"]) == (2, True), output
