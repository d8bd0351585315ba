"""Requirements files and git sources: what is taken gets as far as the engine, whose address is dead; the rest is
refused with file and line before any process or connection (``refuse`` looks for those).
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pytest

HEX = "0123456789abcdef" * 4

TAKEN: dict[str, bytes] = {
    "UTF-8 with a mark": codecs.BOM_UTF8 + "six  # é\n".encode(),
    "UTF-16, little": codecs.BOM_UTF16_LE + "six  # é\n".encode("utf-16-le"),
    "UTF-16, big": codecs.BOM_UTF16_BE + "six  # é\n".encode("utf-16-be"),
    "UTF-32, little": codecs.BOM_UTF32_LE + "six  # é\n".encode("utf-32-le"),
    "UTF-32, big": codecs.BOM_UTF32_BE + "six  # é\n".encode("utf-32-be"),
    "CRLF": b"six\r\nrich>=13 \\\r\n  ,<15\r\n",
    "coding": "# -*- coding: latin-1 -*-\nsix  # é\n".encode("latin-1"),
    "continuations": b"six \\\n  >=1 \\\n  # a comment ends it\nrich\n",
    "a diamond": b"-r left.txt\n-r right.txt\n",
    "hashes": f"six==1.0 \\\n --hash=sha256:{HEX}\n".encode(),
    "a variable": b"six==${IK_VERSION}\n",
    "a directory, by -e": b"-e ./libs[extra]\n",
    "a commit": f"x @ git+https://example.com/r@{HEX[:40]}#subdirectory=a/b\n".encode(),
    "a branch over ssh": b"x @ git+ssh://git@example.com/r@main\n",
    "a repository of the project": b"x @ git+file:./libs@main\n",
}

# Each stands on the second line of a file.
REFUSED: dict[str, bytes] = {
    "undecodable": b"six # \xff",
    "a cycle": b"-r cycle.txt",
    "itself": b"-r requirements.txt",
    "a missing -r": b"-r missing.txt",
    "a missing -c": b"-c missing.txt",
    "-r of a URL": b"-r http://example.com/r.txt",
    "-c of a URL": b"-c https://user:canary@example.com/r.txt",
    "-r outside": b"-r ../outside.txt",
    "-r outside, absolute": b"-r /etc/passwd",
    "-r by a link": b"-r link.txt",
    "a path outside": b"../outside",
    "a path outside, absolute": b"-e /etc",
    "a path by a link": b"./link",
    "an unknown option": b"--frobnicate",
    "an option of pip's that is not honoured": b"--trusted-host example.com",
    "a hash that is cut off": f"six==1 --hash=sha256:{HEX[:40]}".encode(),
    "a weak hash": b"six==1 --hash=md5:0123456789abcdef0123456789abcdef",
    "a hash of some": f"six==1 --hash=sha256:{HEX}\nrich==1".encode(),
    "an unset variable": b"six==${IK_NOT_SET}",
    "a NUL": b"six\x00",
    "zero width": "si\u200bx".encode(),
    "a vertical tab": b"six\x0brich",
    "a login in a URL": b"x @ https://user:canary@example.com/x-1.zip",
    "a login in a git URL": b"x @ git+https://canary@example.com/r@main",
    "a login for ssh": b"x @ git+ssh://git:canary@example.com/r@main",
    "a login in an index": b"-i https://user:canary@example.com/simple",
    "git, an option for a ref": b"x @ git+https://example.com/r@--upload-pack=touch",
    "git, -c for a ref": b"x @ git+https://example.com/r@-c",
    "git, an option for a host": b"x @ git+ssh://-oProxyCommand=touch/r",
    "git, an option for a repository": b"x @ git+https://example.com/--upload-pack=touch",
    "git, ext": b"x @ git+ext::sh -c touch",
    "ext": b"x @ ext::sh",
    "fd": b"x @ fd::17",
    "git, out by its subdirectory": b"x @ git+https://example.com/r#subdirectory=../..",
    "git, out by an encoded one": b"x @ git+https://example.com/r#subdirectory=%2e%2e/a",
    "git, a file outside": b"x @ git+file:///etc",
    "mercurial": b"-e hg+https://example.com/r#egg=x",
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project: ``root`` is the directory that the program is started in."""
    monkeypatch.setenv("IK_VERSION", "1.16")
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs/pyproject.toml").write_text('[project]\nname = "libs"\nversion = "1"\n')
    for name, text in {"left": "-r common.txt\n", "right": "-r common.txt\n", "common": "six\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "cycle.txt").write_text("\n-r requirements.txt\n")
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    (tmp_path / "link").symlink_to("/etc")
    return tmp_path


@pytest.mark.parametrize("name", TAKEN)
def test_taken(refuse: Any, files: Path, name: str) -> None:
    (files / "requirements.txt").write_bytes(TAKEN[name])
    code, error, output = refuse("build")
    assert (code, error["error"]) == (3, "EngineNotFound"), output


@pytest.mark.parametrize("command", ["build", "lock"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(refuse: Any, files: Path, name: str, command: str) -> None:
    (files / "requirements.txt").write_bytes(b"# ours\n" + REFUSED[name] + b"\n")
    code, error, output = refuse(command)
    assert (code, error["error"]) == (2, "InvalidRequirement"), output
    where = {"a cycle": "cycle.txt:2: ", "a hash of some": "requirements.txt:3: "}.get(name, "requirements.txt:2: ")
    assert error["message"].startswith(where)
    assert error["message"].isprintable()
    assert error["hint"]
    assert "canary" not in output


def test_all_that_is_wrong_with_a_file_at_once(refuse: Any, files: Path) -> None:
    lines = [
        line for name, line in REFUSED.items() if name not in ("undecodable", "a cycle", "itself", "a hash of some")
    ]
    (files / "requirements.txt").write_bytes(b"\n".join(lines) + b"\n")
    code, error, output = refuse("build")
    assert (code, error["error"]) == (2, "InvalidRequirement")
    told = [said.split(": ")[0] for said in error["details"].splitlines()]
    assert told == [f"requirements.txt:{number}" for number in range(1, len(lines) + 1)]
    assert "canary" not in output


def test_a_file_in_another_encoding_than_it_says(refuse: Any, files: Path) -> None:
    (files / "requirements.txt").write_bytes(b"# coding: no-such-encoding\nsix\n")
    code, error, _ = refuse("build")
    assert (code, error["error"]) == (2, "InvalidRequirement")
    assert error["message"].startswith("requirements.txt:1: unknown encoding")
