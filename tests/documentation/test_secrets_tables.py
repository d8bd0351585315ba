"""The tables of docs/secrets.md hold; its examples are typed by test_pages.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit import Secret
from imagekit.secrets.refusal import exposed_in_dockerfile
from imagekit.secrets.shapes import kinds
from imagekit.secrets.specs import read_secrets
from imagekit.secrets.telling import credential

PAGE = (Path(__file__).parents[2] / "docs" / "secrets.md").read_text()


def rows(head: str) -> Iterator[list[str]]:
    """The cells of the table whose head begins so."""
    lines = PAGE.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {head}"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("TOKEN", "value-of-token")
    monkeypatch.chdir(tmp_path)


def test_the_tables_of_values() -> None:
    refused = list(rows("refused |"))
    assert len(refused) >= 5
    for cell, kind in refused:
        name, _, value = cell.strip("`").partition("=")
        assert credential(name, value) == kind, cell
    harmless = list(rows("not refused |"))
    assert len(harmless) >= 10
    for cell, _ in harmless:
        name, _, value = cell.strip("`").partition("=")
        assert credential(name, value) is None, cell


def test_every_kind_is_named() -> None:
    words = " ".join(PAGE.split("<!-- kinds -->")[1].split("Or when")[0].split()).replace(" (PEM)", "")
    for kind in kinds():
        assert f"{kind}," in words or f"{kind};" in words, kind


def test_the_forms_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("of-the-file")
    (tmp_path / "token").write_text("of-the-file")
    Secret("of-the-store").save("index-password")
    forms = [cell.strip("`") for cell, _ in rows("in `secrets=`")]
    values = [read_secrets([form], {"TOKEN": "of-env"}, Secret.load)[0].value for form in forms if "=" in form]
    assert values == [b"of-env", b"of-the-file", b"of-the-store", b"of-the-file"]


def test_the_line_that_does_it_right_is_right() -> None:
    [line] = re.findall(r"`(RUN --mount=type=secret,id=token TOKEN=[^`]*)`", PAGE)
    assert exposed_in_dockerfile(f"FROM x\n{line}\n", "Dockerfile") == []
    [problem] = exposed_in_dockerfile("FROM x\nARG TOKEN=q8Jd2Lq9sPz0XwVbN4\n", "Dockerfile")
    assert line in str(problem.hint)
