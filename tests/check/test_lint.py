"""Each rule of lint finds what it is for, and leaves alone what is right; nothing is asked of an engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imagekit.building.linting import lint_project, lint_target
from imagekit.check.lint import ERROR, NOTE, RULES, WARNING, Finding
from imagekit.check.lint_image import lint_image
from imagekit.check.lint_lock import lint_yanked, read_lock
from imagekit.export.layout import write_layout
from imagekit.lock.access import IndexAccess
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.oci.platform import Platform
from imagekit.registry.access import Access
from imagekit.spec.image import Indexes
from imagekit.spec.read import read_spec

from ..lock.faulty_index import FaultyIndex

DIGEST = "sha256:" + "a" * 64
TOKEN = "ghp_" + "".join("0aA1bB2cC3dD4eE5fF6gG7hH8iI9jJkKlLmM"[n] for n in range(36))
LOCK = f"""lock-version = "1.0"
created-by = "imagekit"

[[packages]]
name = "alpha"
version = "1.0"
[[packages.wheels]]
name = "alpha-1.0-py3-none-any.whl"
url = "https://example.com/alpha-1.0-py3-none-any.whl"
[packages.wheels.hashes]
sha256 = "{"b" * 64}"

[tool.imagekit]
inputs = "{DIGEST}"
python = "3.11.2"
platform = "linux/amd64"
direct = ["alpha"]

[tool.imagekit.base]
image = "python:3.11-slim"
config = "{DIGEST}"
"""
PROJECT = '[project]\nname = "orders"\nversion = "1"\nrequires-python = ">=3.10"\n[tool.imagekit]\n'
GOOD: dict[str, str] = {
    "pyproject.toml": PROJECT,
    "requirements.txt": "alpha==1.0\n",
    "pylock.toml": LOCK,
    ".dockerignore": "*.log\n",
    "Dockerfile": f"FROM python:3.11-slim@{DIGEST}\nUSER 1000\n",
}
LARGE = "x" * 20_000_001


@dataclass(frozen=True)
class Case:
    """What is wrong in a project that is good but for that, and where it is told."""

    rule: str
    files: Mapping[str, str]
    place: str = ""
    without: Sequence[str] = ()
    severity: str = ""
    right: Mapping[str, str] = field(default_factory=dict)  # files with which it is none


def table(text: str) -> dict[str, str]:
    return {"pyproject.toml": PROJECT + text}


CASES = [
    Case("refused", table('base-imag = "x"\n'), "pyproject.toml:6"),
    Case("refused", {"requirements.txt": "alpha=2\n"}, "requirements.txt:1"),
    Case("refused", {"pylock.toml": LOCK.replace("[[packages.wheels]]", "[[packages.wheel]]")}, "pylock.toml:10"),
    Case("secret-value", table(f'env = {{ A = "{TOKEN}" }}\n'), "pyproject.toml:6", right=table('env = { A = "b" }\n')),
    Case("secret-value", table(f'[tool.imagekit.labels]\nx = "{TOKEN}"\n'), "pyproject.toml:7"),
    Case("secret-value", {"Dockerfile": f"FROM x@{DIGEST}\nENV API_TOKEN={TOKEN}\nUSER 1\n"}, "Dockerfile:2"),
    Case("lock-unhashed", {"pylock.toml": LOCK.replace("sha256 =", "sha512 =")}, "pylock.toml:5"),
    Case(
        "requires-python",
        {"pyproject.toml": PROJECT.replace(">=3.10", ">=3.12")},
        "pylock.toml:15",
        right={"pyproject.toml": PROJECT.replace(">=3.10", ">=3.11.2")},
    ),
    Case("requires-python", table('base-image = "python:3.9-slim"\n'), "pyproject.toml:6"),
    Case("refused", table('python = "3.9"\n'), "pyproject.toml:6", right=table('python = "3.10"\n')),
    Case("base-unpinned", {}, without=["pylock.toml"], right=table(f'base-image = "python:3.11@{DIGEST}"\n')),
    Case("base-unpinned", {**table('base-image = "python:3.11"\n')}, "pyproject.toml:6", without=["pylock.toml"]),
    Case("base-unpinned", {"Dockerfile": "FROM python:3.11-slim AS x\nFROM x\nUSER 1\n"}, "Dockerfile:1"),
    Case("latest-tag", table('base-image = "x/y"\n'), "pyproject.toml:6", right=table('base-image = "x/y:1"\n')),
    Case("latest-tag", {"Dockerfile": "# x\nFROM python:latest\nUSER 1\n"}, "Dockerfile:2"),
    Case("no-lock", {}, without=["pylock.toml"]),
    Case(
        "source-builds-any",
        table('source-builds = ["*"]\n'),
        "pyproject.toml:6",
        right=table('source-builds = ["a"]\n'),
    ),
    Case(
        "extra-index",
        {"requirements.txt": "alpha\n--extra-index-url https://example.com/simple\n"},
        "requirements.txt:2",
        severity=WARNING,
        right={"requirements.txt": "--index-url https://example.com/simple\nalpha\n"},
    ),
    Case(
        "extra-index",
        {**table('resolver = "pip-tools"\n'), "requirements.txt": "--extra-index-url https://example.com/simple\nalpha\n"},
        "requirements.txt:1",
        severity=ERROR,
    ),
    Case(
        "index-http",
        {"requirements.txt": "--index-url http://example.com/simple\nalpha\n"},
        "requirements.txt:1",
        right={"requirements.txt": "--index-url http://127.0.0.1:3141/simple\nalpha\n"},
    ),
    Case("secret-file", {"conf/id_rsa": "x"}, "conf/id_rsa", right={".dockerignore": "conf\n", "conf/id_rsa": "x"}),
    Case("no-dockerignore", {"conf/id_rsa": "x"}, without=[".dockerignore"]),
    Case("large-source", {"data/a": LARGE, "data/b": "x"}, "data", right={".dockerignore": "data\n", "data/a": LARGE}),
    Case("root-user", {"Dockerfile": f"FROM x@{DIGEST}\nUSER 1000\nUSER root\n"}, "Dockerfile:3"),
    Case("root-user", {"Dockerfile": f"FROM a@{DIGEST}\nUSER 1000\nFROM b@{DIGEST}\n"}, "Dockerfile:3"),
    Case("root-user", {"Dockerfile": f"FROM a@{DIGEST} AS B\nUSER 0:0\nFROM b\nRUN x\n"}, "Dockerfile:2",
         right={"Dockerfile": f"FROM a@{DIGEST} AS B\nUSER 0\nUSER 5\nFROM c@{DIGEST}\nUSER 0\nFROM b\nRUN x\n"}),
    Case("root-user", {"Dockerfile": f"FROM a@{DIGEST} AS b\nRUN x\nFROM b\n"}, "Dockerfile:3"),
    Case("no-health-check", table("health-check = false\n"), "pyproject.toml:6", severity=NOTE),
    Case("hadolint", {"Dockerfile": f"FROM x@{DIGEST}\nRUN cd /srv\nUSER 1\n"}, "Dockerfile:2"),
]  # fmt: skip


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(files: Mapping[str, str], without: Sequence[str] = (), name: str = "project") -> Path:
        root = tmp_path / name
        for path, text in {**GOOD, **files}.items():
            if path not in without:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
        return root

    return written


def found_in(root: Path) -> list[Finding]:
    return lint_project(root, lambda: read_spec(root, variables={}), None, None)


def test_a_good_project_has_no_finding(write: Write) -> None:
    assert found_in(write({})) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.place}")
def test_a_rule_finds_what_it_is_for(case: Case, write: Write) -> None:
    found = [f for f in found_in(write(case.files, case.without)) if f.rule == case.rule]
    assert found, case.rule
    assert case.place in [f.place for f in found]
    assert {f.severity for f in found} == {case.severity or RULES[case.rule].severity}
    assert all(f.message and f.hint and "\n" not in f.message for f in found)
    assert TOKEN not in "".join(f.message + f.hint for f in found)
    right = found_in(write({**case.right}, name="right"))
    assert [f for f in right if f.rule == case.rule] == []


@pytest.fixture
def index() -> Any:
    running = FaultyIndex()
    yield running
    running.close()


@pytest.mark.parametrize("is_yanked", [True, False])
def test_yanked_versions_are_asked_of_the_index(write: Write, index: FaultyIndex, is_yanked: bool) -> None:
    index.add("alpha", "1.0", yanked=is_yanked)
    root = write({})
    spec = read_spec(root, variables={})
    lock = read_lock(root / "pylock.toml")
    assert lock is not None
    access = IndexAccess(indexes=Indexes(default=f"{index.url}/simple" if "/simple" not in index.url else index.url))
    found = list(lint_yanked(lock, spec, access))
    expected = [("alpha==1.0 was yanked: broken", "pylock.toml:5")] if is_yanked else []
    assert [(f.message, f.place) for f in found] == expected


def test_an_index_that_cannot_be_asked_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    lock = read_lock(write({}) / "pylock.toml")
    assert lock is not None
    access = IndexAccess(indexes=Indexes(default="http://127.0.0.1:9/simple"))
    (found,) = lint_yanked(lock, read_spec(lock.origin.parent, variables={}), access)
    assert found.message.startswith("the index could not be asked")


def test_an_image(tmp_path: Path) -> None:
    good = {"User": "1000:1000", "Env": ["PATH=/bin"], "Labels": {"a": "b"}}
    assert list(lint_image("orders:v1", good)) == []
    assert list(lint_image(f"orders@{DIGEST}", good)) == []
    bad = {"User": "0:0", "Env": [f"API_TOKEN={TOKEN}"], "Labels": {"x": TOKEN}}
    found = sorted((f.rule, f.file) for f in lint_image("orders", bad))
    assert found == [
        ("latest-tag", ""),
        ("root-user", "config.User"),
        ("secret-value", "config.Env"),
        ("secret-value", "config.Labels"),
    ]
    document = {"os": "linux", "architecture": "amd64", "config": good, "rootfs": {"type": "layers", "diff_ids": []}}
    write_layout([ImageContent(config=ImageConfig(document), layers=())], tmp_path / "layout", "orders:v1")

    def engine() -> Any:
        raise AssertionError("no engine is asked for a layout")

    assert lint_target(f"oci:{tmp_path / 'layout'}", Platform(), engine, Access()) == []


def test_every_rule_is_tested() -> None:
    assert {case.rule for case in CASES} | {"yanked"} == set(RULES)


def test_the_table_in_the_documentation_is_of_these_rules() -> None:
    text = (Path(__file__).parents[2] / "docs" / "supply-chain.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(rule.name, rule.severity, rule.about) for rule in RULES.values()]


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("IMAGEKIT_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("imagekit")), "lint", str(root), *words],
        capture_output=True,
        text=True,
        env={**env, "IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock", "IMAGEKIT_CACHE_DIR": str(root / "cache")},
    )


def test_the_program(write: Write) -> None:
    root = write({**table(f'env = {{ API = "{TOKEN}" }}\nhealth-check = false\n'), "conf/id_rsa": "x"})
    done = run(root, "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["counts"] == {"error": 1, "warning": 1, "note": 1}
    assert {f["rule"] for f in said["findings"]} == {"secret-value", "secret-file", "no-health-check"}
    lines = run(root, "--quiet").stdout.splitlines()
    assert lines[0].startswith("pyproject.toml:6: error secret-value: ")
    assert len(lines) == 3
    without = run(root, "--ignore", "secret-value", "--ignore", "secret-file")
    assert (without.returncode, without.stdout.splitlines()[-1]) == (0, "1 note")
    unknown = run(root, "--ignore", "root-usr")
    assert unknown.returncode == 2
    assert "root-user" in unknown.stderr
    assert run(root, "--dockerfile", str(root / "No")).returncode == 2
