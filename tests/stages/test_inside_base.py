"""The program that runs others in a base: an answer comes as it is, and no log has a secret."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from imagekit.stages.inside_base import run, secret_parts, secret_values

PASSWORD = "p/w+Tr0ub4dor&3"
QUOTED = quote(PASSWORD, safe="")


def concealed(env: dict[str, str], text: str) -> str:
    data = text.encode()
    for secret in secret_values(env):
        data = data.replace(secret, b"***")
    return data.decode()


@pytest.mark.parametrize(
    "env",
    [
        {"UV_INDEX_CORP_PASSWORD": PASSWORD},
        {"HTTPS_PROXY": f"http://me:{QUOTED}@proxy.example.com:3128"},
        {"https_proxy": f"http://me:{QUOTED}@proxy.example.com:3128"},
        {"UV_DEFAULT_INDEX": f"https://me:{QUOTED}@index.example.com/simple"},
        {"PIP_EXTRA_INDEX_URL": f"https://a.example.com https://me:{QUOTED}@index.example.com/simple"},
    ],
)
def test_logins_of_the_environment_are_not_shown(env: dict[str, str]) -> None:
    in_base64 = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    for form in (PASSWORD, QUOTED, f"http://me:{QUOTED}@proxy", in_base64):
        said = concealed(env, f"asked by {form} for numpy")
        assert not any(each in said for each in (PASSWORD, QUOTED, in_base64))
        assert said.endswith("for numpy")


def test_logins_of_a_netrc_file_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine example.com login me password {PASSWORD}\n")
    assert concealed({"NETRC": str(tmp_path / "netrc")}, f"it is {PASSWORD}") == "it is ***"


@pytest.mark.parametrize(
    "document",
    [f"TOKEN={PASSWORD}", f'{{"user": "me", "password": "{PASSWORD}"}}', f"a: b\npassword: {PASSWORD}\n", PASSWORD],
)
def test_what_is_a_secret_in_a_document_is_not_shown_alone(document: str) -> None:
    assert PASSWORD in secret_parts(document)


@pytest.mark.parametrize("answers", [True, False])
def test_an_answer_comes_byte_for_byte_and_the_log_has_no_secret(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], answers: bool
) -> None:
    """A password may be a word of the answer."""
    env = {"PATH": os.environ["PATH"], "UV_INDEX_CORP_PASSWORD": "numpy-1.2.3"}
    program = "import sys; print('name = numpy-1.2.3'); print('with numpy-1.2.3', file=sys.stderr)"
    assert run([sys.executable, "-c", program], str(tmp_path), env, str(tmp_path), answers=answers) == 0
    expected = b"name = numpy-1.2.3\n" if answers else b"name = ***\n"
    assert (tmp_path / "stdout").read_bytes() == expected
    assert (tmp_path / "stderr").read_bytes() == b"with ***\n"
    log = capfdbinary.readouterr().out
    assert sorted(log.splitlines()) == [b"name = ***", b"with ***"]
