"""Credentials in an image's configuration: its variables and labels, what it runs, and what its history tells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from imagekit.check.leaks import OF_THIS_BUILD, Leak, leaks_in, leaks_of_config, leaks_of_file
from imagekit.secrets.needles import Needles, needles
from tests.secrets.examples import TOKENS

NONE = Needles()


def history(*lines: str) -> dict[str, Any]:
    return {"config": {}, "history": [{"created_by": line} for line in lines]}


@pytest.mark.parametrize(
    ("document", "path", "kind"),
    [
        (history("RUN |1 DB_PASSWORD=hunter22 /bin/sh -c make # buildkit"), "history.created_by", "a password"),
        (history("ENV DB_PASSWORD=hunter22"), "history.created_by", "a password"),
        (history("/bin/sh -c #(nop)  ENV API_KEY=q8Jd2Lq9sPz0XwVbN4"), "history.created_by", "a token"),
        (history("ARG API_KEY=q8Jd2Lq9sPz0XwVbN4"), "history.created_by", "a token"),
        (history('CMD ["curl" "-u" "me:hunter22" "https://example.com"]'), "history.created_by", "a password"),
        (history("RUN /bin/sh -c docker login -u me -p hunter22 # buildkit"), "history.created_by", "a password"),
        ({"config": {"Cmd": ["app", "--db-password", "hunter22"]}}, "Cmd", "a password"),
        ({"config": {"Entrypoint": ["/bin/sh", "-c", "DB_PASSWORD=hunter22 app"]}}, "Entrypoint", "a password"),
        ({"config": {"Healthcheck": {"Test": ["CMD", "curl", "-u", "me:hunter22"]}}}, "Healthcheck.Test", "a password"),
        ({"config": {"OnBuild": ["ENV DB_PASSWORD=hunter22"]}}, "OnBuild", "a password"),
        ({"config": {"Env": ["DB_PASSWORD=hunter22"]}}, "Env DB_PASSWORD", "a password"),
        ({"config": {"Labels": {"app.api-key": "q8Jd2Lq9sPz0XwVbN4"}}}, "Labels.app.api-key", "a token"),
        ({"config": {"Env": ["X=Server=db;Uid=sa;Pwd=hunter22"]}}, "Env X", "a password"),
    ],
)
def test_found_by_name_as_well_as_by_form(document: dict[str, Any], path: str, kind: str) -> None:
    [leak] = leaks_of_config(document, None, NONE)
    assert (leak.path, leak.kind) == (f"the configuration, {path}", kind)
    assert leaks_of_config(document, document, NONE) == []  # the base's own


def test_ordinary_configurations_pass() -> None:
    document = {
        "config": {
            "Env": ["PATH=/usr/bin:/bin", "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "LANG=C.UTF-8"],
            "Cmd": ["python3", "-m", "app", "--token-file", "/run/secrets/token"],
            "Labels": {"imagekit.inputs": '{"keys": {"source": "sha256:' + "0a1b" * 16 + '"}, "options": ["a=b"]}'},
        },
        "history": [
            {"created_by": "RUN |1 VERSION=1.2 /bin/sh -c pip install --no-cache-dir . # buildkit"},
            {"created_by": 'CMD ["python3" "-m" "app"]'},
            {"created_by": f"/bin/sh -c #(nop) ADD file:{'0a1b2c3d4e5f6071' * 4} in /"},
            {"created_by": "ENV PYTHON_SHA256=d8dede5005564b408ba50317108b765ed9c3c510342a598f9fd42681cbe0648b"},
        ],
    }  # fmt: skip
    assert leaks_of_config(document, None, NONE) == []


def test_a_secret_of_this_build_is_found_under_any_name() -> None:
    [leak] = leaks_of_config({"config": {"Cmd": ["echo", "it is Zq8-canary"]}}, None, needles([b"Zq8-canary"]))
    assert leak == Leak(path="the configuration, Cmd", kind="a secret of this build")


def test_a_token_across_two_pieces_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekit.check.leaks._PIECE", 1 << 15)
    data = b"x\n" * ((1 << 14) - 4) + TOKENS[0][1].encode() + b"\n" + b"y\n" * (1 << 14)
    assert list(leaks_in("a", io.BytesIO(data), NONE)) == [Leak(path="a", kind=TOKENS[0][0], line=(1 << 14) - 3)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_text_of_other_encodings_is_read(tmp_path: Path, encoding: str) -> None:
    kind, token = TOKENS[0]
    mark = "\ufeff" if encoding.endswith("be") else ""
    (tmp_path / "x").write_bytes(f"{mark}A=1\nTOKEN={token}\nB=own-value\n".encode(encoding))
    found = leaks_of_file("x", tmp_path / "x", needles([b"own-value"]))
    assert {(leak.kind, leak.line) for leak in found} == {(kind, 2), (OF_THIS_BUILD, None)}
