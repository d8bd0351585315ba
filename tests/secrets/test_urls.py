"""A credential in a URL is refused wherever a URL is read, and told with its line; harmless queries pass."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from imagekit.check.leaks import leaks_in
from imagekit.errors import InputError, ResolveError
from imagekit.lock.locked_urls import refuse_urls_of, refuse_urls_of_file
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.secrets.urls import in_url
from imagekit.spec.read import read_spec
from imagekit.spec.url import refuse_credentials

CANARY = "q8Jd2Lq9sPz0XwVbN4k7Zr3"
WHEEL = "https://example.com/six-1.16.0-py2.py3-none-any.whl"
HARMLESS = [
    WHEEL,
    f"{WHEEL}?download=1&version=1.16.0",
    f"{WHEEL}?sha256={'0a1b2c3d' * 8}",
    f"{WHEEL}?token=TOKEN",
    f"{WHEEL}?access_token=${{TOKEN}}",
    f"{WHEEL}#sha256={'0a1b2c3d' * 8}",
    f"https://example.com/packages/{'0a1b2c3d' * 8}/six-1.16.0.tar.gz?raw=true&ref=main",
]
SIGNED = [
    f"{WHEEL}?sig={CANARY}",
    f"{WHEEL}?a=b&access_token={CANARY}",
    f"{WHEEL}?X-Amz-Algorithm=x&X-Amz-Signature={'0a1b2c3d' * 8}",
    f"{WHEEL}?X-Goog-Signature={'0a1b2c3d' * 8}",
    f"{WHEEL}?access%5Ftoken={CANARY}",
    f"{WHEEL}?private_token={CANARY}#egg=six",
    f"{WHEEL}#access_token={CANARY}",
    f"https://example.com/t/{CANARY}/simple",
]
LOGIN = f"https://me:{CANARY}@example.com/six-1.16.0-py2.py3-none-any.whl"


@pytest.mark.parametrize("url", HARMLESS)
def test_harmless(url: str) -> None:
    assert in_url(url) is None
    refuse_credentials(url, "requirements.txt:1")


@pytest.mark.parametrize("url", [*SIGNED, LOGIN])
def test_refused_and_not_shown(url: str) -> None:
    assert in_url(url) in ("a URL with a token", "a URL with a login")
    with pytest.raises(InputError, match=r"^requirements\.txt:1: 'https://") as raised:
        refuse_credentials(url, "requirements.txt:1")
    assert CANARY not in str(raised.value)
    assert "0a1b2c3d" not in str(raised.value)


def test_wherever_a_project_names_one(tmp_path: Path) -> None:
    for url in (SIGNED[0], LOGIN):
        lines = [f"six @ {url}", f"--index-url {url}", f"--extra-index-url {url}", f"--find-links {url}"]
        lines.append(f"git+{url.replace('.whl', '')}@main#egg=six")
        (tmp_path / "requirements.txt").write_text("\n".join(lines))
        with pytest.raises(InputError) as raised:
            read_spec(tmp_path)
        places = [problem.message.partition(": ")[0] for problem in raised.value.problems]
        assert places == [f"requirements.txt:{n}" for n in range(1, len(lines) + 1)]
        (tmp_path / "requirements.txt").unlink()
        for table in (
            f'[[tool.imagekit.index]]\nname = "own"\nurl = "{url}"',
            f'[tool.imagekit]\nindex-url = "{url}"',
            f'[tool.imagekit]\nfind-links = ["{url}"]',
            f'[[tool.uv.index]]\nname = "own"\nurl = "{url}"',
            f'[project]\nname = "x"\nversion = "1"\ndependencies = ["six @ {url}"]',
        ):
            (tmp_path / "pyproject.toml").write_text(table)
            with pytest.raises(InputError, match=r"pyproject.toml(:\d)?: ") as raised:
                read_spec(tmp_path)
            assert CANARY not in str(raised.value)
        (tmp_path / "pyproject.toml").unlink()


def test_locks_neither_read_nor_written(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text("\n".join(f'url = "{url}"' for url in HARMLESS))
    refuse_urls_of_file(lock, "uv lock")
    lock.write_text("\n".join(f'url = "{url}"' for url in (*HARMLESS, *SIGNED, LOGIN)))
    with pytest.raises(InputError) as raised:
        refuse_urls_of_file(lock, "uv lock")
    first = len(HARMLESS) + 1
    assert [problem.message.partition(": ")[0] for problem in raised.value.problems] == [
        f"uv.lock:{n}" for n in range(first, first + len(SIGNED) + 1)
    ]
    assert CANARY not in str(raised.value)
    file = Artifact(filename="six-1.16.0-py2.py3-none-any.whl", url=SIGNED[0], sha256="0" * 64)
    package = LockedPackage(name="six", version="1.16.0", artifact=file)
    made = Lock(packages=(package,), inputs=Digest("sha256:" + "0" * 64), python="3.11.1", platform="linux/amd64")
    with pytest.raises(ResolveError, match=r"^the index has six at a URL with a token") as written:
        refuse_urls_of(made)
    assert CANARY not in str(written.value)


def test_in_the_files_of_a_source() -> None:
    programs = [
        'f"postgres://{quoted_username}:{self.quoted_password}@{host}:{port}"',
        "https://app:${DB_PASSWORD}@db/x and https://%(user)s:%(db_password_of_it)s@db",
        'f"https://example.com/x?sig={quote(self.signature_2)}&access_token={self._make_token()}"',
        "postgres://postgres:postgres@localhost/db",
    ]
    text = "\n".join(["x = 1", *HARMLESS, *programs, f"#{SIGNED[0]} gitleaks:allow"])
    assert list(leaks_in("a", io.BytesIO(text.encode()), None)) == []
    for url in (*SIGNED[:7], LOGIN):
        [leak] = leaks_in("a", io.BytesIO(f"x = 1\nurl = '{url}'\n".encode()), None)
        assert (leak.line, leak.kind) == (2, in_url(url))
