"""What is wrong with a recipe's file is told with file, line and key, all at once, before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.recipes.declared import RecipeTable, read_recipe

from .keys import FINGERPRINT, KEY

HEAD = 'summary = "one"\n'
REPOSITORY = '[[apt.repository]]\nurl = "https://example.com/debian"\n'
PINNED = f'key = "https://example.com/key.asc"\nfingerprint = "{FINGERPRINT}"\n'

# (what follows the summary, each problem's place and words)
CASES: dict[str, tuple[str, list[str]]] = {
    "broken": ("[apt\n", ["r.toml:2: "]),
    "twice": ("[env]\nA = '1'\nA = '2'\n", ["r.toml:4: "]),
    "unknown key": ("packges = []\n[env]\nA = 'x'\n", ["r.toml:2: packges is not a known key"]),
    "unknown key below": ("[apt]\npackage = ['a1']\n[env]\nA = 'x'\n", ["r.toml:3: apt.package is not a known key"]),
    "no list": ('[apt]\npackages = "hello"\n', ["r.toml:3: apt.packages is not a list of strings"]),
    "no string": ("[env]\nA = 1\n", ["r.toml:3: env.A is not a string"]),
    "no strings": (
        "requires = [1, 'a1', 2]\n[env]\nA = 1\nB = 'x'\nC = ['y']\n",
        ["r.toml:2: requires[0]", "r.toml:2: requires[2]", "r.toml:4: env.A", "r.toml:6: env.C"],
    ),
    "one bracket": ("[file]\npath = '/etc/a'\ncontent = ''\n", ["r.toml:2: file is not a list of tables"]),
    "nothing": ("", ["r.toml: it does nothing"]),
    "metacharacters": (
        "[apt]\npackages = [\n  'a;id',\n  '$(id)',\n  '*',\n  '-y',\n  'a b',\n  'curl-',\n  'A',\n  './x.deb'\n]\n",
        [f"r.toml:{line}: apt.packages[{line - 4}]: " for line in range(4, 12)],
    ),
    "version": ("[apt]\nbuild = ['g++=4:12.2', 'g++=$x']\n", ["r.toml:3: apt.build[1]: 'g++=$x'"]),
    "package twice": ("[apt]\npackages = ['hello', 'hello']\n", ["r.toml:3: apt.packages[1]: 'hello' stands there"]),
    "without nothing": (
        "[apt]\npackages = ['hello']\n[[when]]\ndistribution = 'debian'\n[when.apt]\nwithout = ['helo']\n",
        ["r.toml:7: when[0].apt.without[0]: 'helo'"],
    ),
    "never": ("[[when]]\n[when.env]\nA = 'x'\n", ["r.toml:2: when[0] says not when"]),
    "no distribution": ("distributions = ['debian 12', 'debian>=x']\n[env]\nA = 'x'\n", ["r.toml:2: ", "r.toml:2: "]),
    "no processor": ("architectures = ['x86_64!']\n[env]\nA = 'x'\n", ["r.toml:2: architectures[0]"]),
    "itself": ("requires = ['r']\n", ["r.toml:2: requires[0]: 'r' is this recipe itself"]),
    "both": ("requires = ['a']\nconflicts = ['a']\n", ["r.toml:3: conflicts[0]: 'a' is required, too"]),
    "no recipe": ("requires = ['../a']\n", ["r.toml:2: requires[0]: '../a' is no name"]),
    "not normalized": ("serves = ['Py_ODBC']\n[env]\nA = 'x'\n", ["r.toml:2: serves[0]"]),
    "no key": (REPOSITORY, ["r.toml:2: apt.repository[0] has no key"]),
    "no fingerprint": (REPOSITORY + "key = 'https://example.com/k'\n", ["r.toml:2: apt.repository[0] has no finger"]),
    "short fingerprint": (
        REPOSITORY + "key = 'https://example.com/k'\nfingerprint = 'BE1229CF'\n",
        ["r.toml:5: apt.repository[0].fingerprint is no whole fingerprint"],
    ),
    "key of another": (
        f"{REPOSITORY}key = '''{KEY}'''\nfingerprint = '{'0' * 40}'\n",
        [f"r.toml:4: apt.repository[0].key is the key {FINGERPRINT}, and not {'0' * 40}"],
    ),
    "damaged key": (
        f"{REPOSITORY}key = '''{KEY[:200]}\n-----END PGP PUBLIC KEY BLOCK-----'''\nfingerprint = '{FINGERPRINT}'\n",
        ["r.toml:4: apt.repository[0].key is no OpenPGP key"],
    ),
    "key beside keyring": (REPOSITORY + PINNED + "keyring = '/usr/share/k.gpg'\n", ["r.toml:6: "]),
    "login": (
        f"[[apt.repository]]\nurl = 'https://me:canary@example.com/debian'\n{PINNED}",
        ["r.toml:3: apt.repository[0].url: "],
    ),
    "no URL": (f"[[apt.repository]]\nurl = 'file:///srv/debian'\n{PINNED}", ["r.toml:3: "]),
    "options in a URL": (f"[[apt.repository]]\nurl = 'https://x/ [trusted=yes]'\n{PINNED}", ["r.toml:3: "]),
    "unknown field": (
        f"[[apt.repository]]\nurl = 'https://example.com/{{code_name}}'\n{PINNED}",
        ["r.toml:3: apt.repository[0].url: unknown field {code_name}"],
    ),
    "suite": (f"{REPOSITORY}suite = 'a b'\ncomponents = ['m n']\n{PINNED}", ["r.toml:4: ", "r.toml:5: "]),
    "flat": (f"{REPOSITORY}suite = './'\ncomponents = ['main']\n{PINNED}", ["r.toml:5: "]),
    "question": ("[debconf]\nnothing = 'boolean true'\n'a/b' = 'maybe yes'\n", ["r.toml:3: ", "r.toml:4: "]),
    "password": ("[debconf]\n'a/b' = 'password canary'\n", ["r.toml:3: debconf.'a/b': unknown type 'password'"]),
    "variable": ("[env]\n'A-B' = 'x'\nPATH = '/x'\nC = '''a\nb'''\n", ["r.toml:3: ", "r.toml:4: ", "r.toml:5: "]),
    "path": ("path = ['bin', '/a/../b', '/a:/b']\n", ["r.toml:2: "] * 3),
    "file twice": (
        "[[file]]\npath = '/etc/a'\ncontent = ''\n[[file]]\npath = '/etc/a'\ncontent = ''\n",
        ["r.toml:6: file[1].path: '/etc/a' is written already"],
    ),
    "file nowhere": (
        "[[file]]\npath = 'etc/a'\ncontent = ''\n[[file]]\npath = '/proc/a'\ncontent = ''\nmode = '0999'\n",
        ["r.toml:3: file[0].path", "r.toml:6: file[1].path", "r.toml:8: file[1].mode"],
    ),
    "file of the engine": (
        "[[file]]\npath = '/etc/hosts'\ncontent = ''\n[[edit]]\npath = '/etc/resolv.conf'\nappend = 'x'\n",
        ["r.toml:3: file[0].path: '/etc/hosts' is the engine's own", "r.toml:6: edit[0].path: '/etc/resolv.conf' is"],
    ),
    "edit of nothing": ("[[edit]]\npath = '/etc/a'\n", ["r.toml:2: edit[0] has both"]),
    "edit of all": ("[[edit]]\npath = '/etc/a'\nreplace = 'x'\n", ["r.toml:2: edit[0] has no match"]),
    "expression": ("[[edit]]\npath = '/etc/a'\nmatch = '('\nreplace = 'x'\n", ["r.toml:4: edit[0].match is no reg"]),
    "empty expression": ("[[edit]]\npath = '/etc/a'\nmatch = 'x*'\nreplace = 'x'\n", ["r.toml:4: edit[0].match"]),
    "group": ("[[edit]]\npath = '/etc/a'\nmatch = '(a)'\nreplace = '\\2'\n", ["r.toml:5: edit[0].replace is no"]),
    "command": ("[[command]]\nargv = ['a']\nshell = 'a'\n[[command]]\n", ["r.toml:2: command[0]", "r.toml:5: "]),
    "no program": ("[env]\nA = 'x'\n[check]\nprogram = 'a ='\n", ["r.toml:5: check.program is no Python"]),
    "check": (
        "[env]\nA = 'x'\n[check]\nrequirements = ['x=2']\npackages = ['a;b']\nprogram = '1'\n",
        ["r.toml:5: check.requirements[0]", "r.toml:6: check.packages[0]"],
    ),
    "provides": ("[env]\nA = 'x'\n[provides]\nsonames = ['a b']\n", ["r.toml:5: provides.sonames[0]"]),
}


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_recipe(path)
    assert all(each.hint for each in raised.value.problems or (raised.value,))
    return [each.message for each in raised.value.problems or (raised.value,)]


@pytest.mark.parametrize("case", CASES)
def test_each(case: str, tmp_path: Path) -> None:
    text, expected = CASES[case]
    path = tmp_path / "r.toml"
    path.write_text(HEAD + text, "utf-8")
    found = problems(path)
    assert len(found) == len(expected), found
    for message, begin in zip(found, expected, strict=True):
        assert message.startswith(begin), found
        assert "canary" not in message


def test_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("x = 1\n[apt]\npackages = ['a;b']\n[env]\nA = 1\n[[file]]\npath = '/proc/a'\n", "utf-8")
    found = problems(path)
    assert found[0] == "r.toml:1: x is not a known key"
    assert "r.toml has no summary" in found
    assert any(message.startswith("r.toml:5: env.A") for message in found)
    assert any("has no content" in message for message in found)
    path.write_text("summary = 'a'\n[apt]\npackages = ['a;b']\n[env]\n'A B' = ''\n", "utf-8")
    assert len(problems(path)) == 2


@pytest.mark.parametrize("name", ["Big", "a_b", "a--b", "-a", "ä"])
def test_names_of_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text("summary = 'a'\n[env]\nA = 'x'\n", "utf-8")
    assert problems(path) == [f"{name}.toml: {name!r} is no name for a recipe"]


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"summary = '\xff'\n")
    assert problems(path) == ["r.toml:1: not UTF-8"]
    assert problems(tmp_path / "s.toml") == ["s.toml is not there"]


def test_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    text = f"{HEAD}[apt]\npackages = ['g++', 'libc6:amd64', 'a1=1:2~rc1-1+b2']\n{REPOSITORY}"
    path.write_text(
        f"{text}key = '''{KEY}'''\nfingerprint = '{FINGERPRINT[:20].lower()} {FINGERPRINT[20:]}'\n", "utf-8"
    )
    table = read_recipe(path).table
    assert isinstance(table, RecipeTable)
    assert table.apt is not None
    assert table.apt.packages[1] == "libc6:amd64"
