"""What is fuzzed: each parser with any bytes. It answers, or refuses in imagekit's own words, and nothing else.

``SEEDS`` are where mutations begin, ``WORDS`` what they put in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from imagekit.errors import (
    InputError,
    InvalidConfig,
    InvalidEntrypoint,
    InvalidProject,
    InvalidReference,
    InvalidRequirement,
)
from imagekit.oci.reference import Reference
from imagekit.settings import Settings
from imagekit.spec.entrypoint import Entrypoint
from imagekit.spec.files import check_env
from imagekit.spec.ignore import IgnoreRules
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.requirements_file import read_requirements
from imagekit.spec.table import project_table

_VARIABLES = (
    "DOCKER_HOST IMAGEKIT_CACHE_SIZE IMAGEKIT_CACHE_DIR IMAGEKIT_ENGINE IMAGEKIT_ENGINE_TIMEOUT "
    "IMAGEKIT_DEFAULT_NAMESPACE IMAGEKIT_OFFLINE IMAGEKIT_ATTEST SOURCE_DATE_EPOCH IMAGEKIT_PROFILE SSL_CERT_FILE "
    "HTTPS_PROXY NO_PROXY UV_INDEX "
    "UV_DEFAULT_INDEX PIP_INDEX_URL PIP_EXTRA_INDEX_URL"
).split()


def reference(data: bytes) -> None:
    text = _text(data)
    with suppress(InvalidReference):
        found = Reference.parse(text)
        assert str(found) == text
        assert Reference.parse(str(found)) == found


def requirement(data: bytes) -> None:
    text = _text(data)
    try:
        line = parse_requirement(text, "packages")
    except InvalidRequirement as problem:
        _well_said(problem)
        return
    assert parse_requirement(line.text, "packages") == line
    assert line.text.isprintable()
    assert not line.text.startswith("-")


def requirements_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "requirements.txt").write_bytes(data)
        (root / "other.txt").write_text("six\n")
        try:
            found = read_requirements(root / "requirements.txt", root, {"NAME": "six"})
        except InvalidRequirement as problem:
            _well_said(problem)
            _names(problem, "requirements.txt", "other.txt")
            return
        for line in (*found.requirements, *found.constraints):
            assert line.text.isprintable()
            assert line.origin.startswith(("requirements.txt:", "other.txt:"))


def dockerignore(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with suppress(InvalidProject):
        rules = IgnoreRules.parse(text)
        for path in ("a", "a/b", "a/b/c.py", ".git/x", "é", "[", "\\"):
            assert isinstance(rules.excludes(path), bool)


def toml_table(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "imagekit.toml").write_bytes(data)
        try:
            project_table(root, None)
        except InputError as problem:
            _well_said(problem)
            _names(problem, "imagekit.toml")


def entrypoint(data: bytes) -> None:
    text = _text(data)
    with suppress(InvalidEntrypoint):
        found = Entrypoint.parse(text)
        assert Entrypoint.parse(str(found)) == found
        assert not Path(found.path).is_absolute()
        assert ".." not in found.path.split("/")


def environment(data: bytes) -> None:
    """Pairs of lines of ``NUMBER VALUE``: the variables that are read, and what an image's environment may hold."""
    with tempfile.TemporaryDirectory() as directory:
        environ = {"HOME": directory}
        for line in data.decode("utf-8", "surrogateescape").split("\n")[:8]:
            number, _, value = line.partition(" ")
            which = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0
            environ[_VARIABLES[which % len(_VARIABLES)]] = value
        try:
            settings = Settings.load(environ, cwd=Path(directory))
            settings.index_access()
        except InvalidConfig as problem:
            _well_said(problem)
        with suppress(InvalidConfig):
            for name, value in check_env(environ):
                assert not set(name) & set("= \0\n")
                assert not set(value) & set("\0\n\r")
                value.encode()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "reference": reference,
    "requirement": requirement,
    "requirements-file": requirements_file,
    "dockerignore": dockerignore,
    "toml-table": toml_table,
    "entrypoint": entrypoint,
    "environment": environment,
}

SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "reference": (b"localhost:5000/a__b/c:v1", b"[::1]:5000/x@sha256:" + b"0123456789abcdef" * 4, b"user:pw@host/x"),
    "requirement": (
        b"x[a,b]>=1,<2; python_version > '3' and extra == \"e\"",
        b"x @ git+https://example.com/r@v1#subdirectory=s",
        b'x; python_version > "\t"',
        b"x; extra == '\\a'",
        b"x @ https://example.com/x-1-py3-none-any.whl#sha256=" + b"0123456789abcdef" * 4,
    ),
    "requirements-file": (
        b"-r other.txt\nx==1 \\\n  --hash=sha256:" + b"0123456789abcdef" * 4 + b"\n",
        b"# coding: latin-1\n-i https://example.com/simple\n--no-binary :all:\n${NAME}>=1 ; os_name == 'posix'\n",
        b"\xff\xfex\x00=\x00=\x001\x00\n\x00",
        b"-e ./other\r\n./x-1-py3-none-any.whl\r\nx @ git+file:./r@main\r\n",
    ),
    "dockerignore": (b"# c\n*.py\n!a/**/b?\n[a-c]\\*\n/x//\n", b"\xef\xbb\xbf**\r\n!.git\r\n"),
    "toml-table": (
        b'name = "x"\npackages = ["six"]\nrequirements = ["r.txt"]\nhealth-check = true\n[env]\nA = "1"\n',
        b'[files]\n"a" = "/b"\n[labels]\n',
        b"python = 3.10\nnaem = 1\n[labels]\n",
    ),
    "entrypoint": (b"dir/flow.py:etl", b"../x.py:f"),
    "environment": (
        b"0 unix:///run/docker.sock\n1 20GB\n8 0\n14 https://u:p@example.com/simple",
        b"4 1.5\n6 yes\n13 a=b c",
    ),
}

WORDS: tuple[bytes, ...] = (
    b"\x00", b"\n", b"\r\n", b"\\\n", b" ", b"\t", b"-", b"--", b"@", b"#", b":", b"/", b"../", b"//", b"..",
    b"%2e%2e/", b"[", b"]", b"(", b"'", b'"', b"${", b"}", b"$(id)", b"\xff", b"\xe2\x80\x8b", b"\xc3\xa9",
    b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"file:", b"file:///", b"git+file:", b"git+https://", b"ext::sh",
    b"https://", b"user:pw@", b"=", b"==", b"~=", b">=", b",", b";", b" ; ", b" @ ", b"-r ", b"-e ", b"-c ",
    b"--hash=", b"sha256:", b"sha256=", b"subdirectory=", b"coding: utf-7", b"\xfe\xff", b"*", b"**", b"?", b"!",
    b"NaN", b"1e999", b"999999999999999999999", b"{", b"[[x]]", b"true", b"a" * 300,
)  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _said(problem: InputError) -> list[str]:
    return problem.details.splitlines() if problem.details and " problems: " in problem.message else [problem.message]


def _names(problem: InputError, *files: str) -> None:
    assert all(said.startswith(files) for said in _said(problem)), _said(problem)


def _well_said(problem: InputError) -> None:
    assert problem.hint
    assert all(said.isprintable() for said in _said(problem)), _said(problem)
