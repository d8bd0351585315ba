"""What is refused before anything is started: the engine's address is a dead socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HEX = "0123456789abcdef" * 4
REFUSED_REFERENCES = [
    *("Uppercase", "docker/Docker", "x:" + "a" * 129, "a/" * 127 + "ab", "x@sha256:abcdef1234567890"),
    *(f"x@sha256:{HEX.upper()}", "x@md5:" + "0" * 32, "https://example.com/x", "x:", "x@", "", "x:-a", "x:.a"),
    *(" x", "x ", "x\n", "\nx", "é", "a..b", "a___b", "a//b", "../x", "x$(id)", "user:canary@host/x", HEX),
    *("-x", "localhost:65536/x", "scratch"),
]
TAKEN_REFERENCES = [
    *("localhost:5000/x", "x:UPPER", "x:" + "a" * 128, "[::1]:5000/x", "a__b", "a--b", "xn--n3h.com/x"),
]
TAKEN_BY_RUN = [f"x:1@sha256:{HEX}"]
REFUSED_REQUIREMENTS = [
    *("x=2", "x~=1", "x>=2.*", "x==", "x<2>1", "x\ny", "x\0", "x\u200b", "x @ -u", "x @ ext::sh"),
    *("x @ git+https://h/r@--upload-pack=touch", "x @ https://user:canary@example.com/x-1-py3-none-any.whl"),
    "x @ git+https://canary@example.com/r",
]
TAKEN_REQUIREMENTS = [
    *("x[a,b]>=1,<2", "x; python_version > '3'", "x @ https://example.com/x-1-py3-none-any.whl"),
    *("x @ git+https://example.com/r@v1", "x>=1,<1"),
]
REFUSED_ENTRYPOINTS = [
    *("../flow.py:etl", "/flow.py:etl", "link.py:etl", "flow.py", ":etl", "flow.py:etl:x", "flow.py:nope"),
    *("flow.py:number", "broken.py:etl", "none.py:etl", "flow.txt:etl", "-flow.py:etl", "flow.py:a b"),
]


@pytest.mark.parametrize("text", REFUSED_REFERENCES)
def test_a_reference(refuse: Any, text: str) -> None:
    for option in (f"--tag={text}", f"--name={text}"):
        if text == "" and option == "--name=":
            continue  # no name at all is the project's own
        code, error, output = refuse("build", option)
        assert (code, error["error"]) == (2, "InvalidReference"), (option, output)
        assert "canary" not in output
        assert error["hint"]
    if text != "scratch":
        code, error, output = refuse("run", "flow.py:etl", f"--image={text}")
        assert (code, error["error"]) == (2, "InvalidReference")
        assert "canary" not in output


def test_a_tag_alone(refuse: Any) -> None:
    assert refuse("build", "--tag=:-a")[0] == 2
    assert refuse("build", "--tag=:")[0] == 2
    assert refuse("run", "flow.py:etl", "--image=:t")[0] == 2


@pytest.mark.parametrize("text", TAKEN_REFERENCES)
def test_a_good_reference_gets_as_far_as_the_engine(refuse: Any, text: str) -> None:
    assert refuse("build", f"--tag={text}")[1]["error"] == "EngineNotFound"


@pytest.mark.parametrize("text", [*TAKEN_REFERENCES, *TAKEN_BY_RUN])
def test_a_good_image_gets_as_far_as_the_engine(refuse: Any, text: str) -> None:
    assert refuse("run", "flow.py:etl", f"--image={text}")[1]["error"] == "EngineNotFound"


@pytest.mark.parametrize("text", REFUSED_REQUIREMENTS)
def test_a_requirement(refuse: Any, text: str, tmp_path: Path) -> None:
    for command in ("build", "plan", "lock"):
        code, error, output = refuse(command, f"--package={text}")
        assert (code, error["error"]) == (2, "InvalidRequirement"), output
        assert "canary" not in output
    if "\n" not in text:
        (tmp_path / "requirements.txt").write_text(f"# ours\n{text}\n")
        code, error, output = refuse("build")
        assert (code, error["error"]) == (2, "InvalidRequirement"), output
        assert "requirements.txt:2" in error["message"]
        assert "canary" not in output


@pytest.mark.parametrize("text", TAKEN_REQUIREMENTS)
def test_a_good_requirement_gets_as_far_as_the_engine(refuse: Any, text: str) -> None:
    assert refuse("build", f"--package={text}")[1]["error"] == "EngineNotFound"


@pytest.mark.parametrize("text", REFUSED_ENTRYPOINTS)
def test_an_entrypoint(refuse: Any, text: str, tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("/etc/hostname")
    (tmp_path / "broken.py").write_text("def (:\n")
    with (tmp_path / "flow.py").open("a") as flow:
        flow.write("number = 3\n")
    code, error, _ = refuse("run", "--", text) if text.startswith("-") else refuse("run", text)
    assert (code, error["error"]) == (2, "InvalidEntrypoint")
