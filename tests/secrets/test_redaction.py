"""What people are told holds no credential that somebody mistyped, or that another program said."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from imagekit.secrets.redaction import without_credentials
from tests.e2e.conftest import PROGRAM, clean_environment
from tests.secrets.examples import PEM, TOKENS

GITHUB = TOKENS[0][1]


@pytest.mark.parametrize(("kind", "token"), TOKENS)
def test_tokens_of_every_form(kind: str, token: str) -> None:
    assert without_credentials(f"--env 'X:{token}' is none") != f"--env 'X:{token}' is none"
    assert token not in without_credentials(f"{token}\n{token}")


def test_what_is_taken_out_and_what_stays() -> None:
    text = f"tcp://me:hunter22@h:1 and {GITHUB}, Server=db;Password=hunter33;\n{PEM}\n-----END PRIVATE KEY-----\nlast"
    found = without_credentials(text)
    assert found.startswith("tcp://me:***@h:1 and ***, Server=db;Password=***;\n***")
    assert found.endswith("\nlast")
    for same in ("https://me@h/x", "the variable TOKEN is not set", "https://${U}:${P}@h", "\udc80 é"):
        assert without_credentials(same) == same


@pytest.mark.parametrize(
    "words",
    [
        ["build", "--env", f"TOKEN:{GITHUB}"],
        ["run", "f.py:f", "--image", "x", "--env", f"TOKEN {GITHUB}"],
        ["run", "f.py:f", "--image", "x", "--registry-credentials", json.dumps({"password": GITHUB})],
        ["push", "x:1"],
        ["build", "https://me:hunter22@example.com/x"],
        ["nothing", GITHUB],
    ],
)
def test_an_error_of_the_program_does_not_repeat_it(words: list[str], tmp_path: Path) -> None:
    env = {**clean_environment(), "IMAGEKIT_ENGINE": "tcp://me:hunter22@127.0.0.1:1", "IMAGEKIT_DEBUG": "1"}
    done = subprocess.run([PROGRAM, *words, "--json"], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert done.returncode in (2, 3)
    for text in (GITHUB, "hunter22"):
        assert text not in done.stdout + done.stderr
