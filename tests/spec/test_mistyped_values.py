"""A value of another type, in any key of any table of the project's tools, is one of our errors with file and line."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagekit.errors import ImagekitError, InputError
from imagekit.lock.uv_lock import export_uv_lock
from imagekit.spec.read import read_spec
from tests.lock.conftest import make_target

URL = "https://example.com/simple"
# Every key that is read, with a value that is right.
PYPROJECT: dict[str, Any] = {
    "project": {
        "name": "orders",
        "version": "1",
        "requires-python": ">=3.10",
        "dependencies": ["six", "idna", "attrs", "part"],
        "optional-dependencies": {"web": ["rich"]},
    },
    "dependency-groups": {"dev": ["rich"], "all": [{"include-group": "dev"}]},
    "tool": {
        "uv": {
            "sources": {
                "six": {"git": "https://example.com/six", "tag": "v1", "subdirectory": "x", "marker": "os_name == 'a'"},
                "idna": [{"index": "corp", "extra": "web", "group": "dev"}, {"index": "corp"}],
                "attrs": {"url": "https://example.com/attrs-1.0-py3-none-any.whl"},
                "rich": {"git": "https://example.com/rich", "rev": "abc", "branch": "main"},
                "part": {"workspace": True},
                "other": {"path": "libs/part"},
            },
            "index": [{"name": "corp", "url": URL, "explicit": True, "default": False, "format": "simple"}],
            "workspace": {"members": ["libs/*"], "exclude": ["libs/x"]},
            "constraint-dependencies": ["six<2"],
            "override-dependencies": ["six<2"],
            "dev-dependencies": ["rich"],
            "index-url": URL,
            "extra-index-url": [URL],
            "find-links": ["wheels"],
            "no-index": False,
            "no-binary": False,
            "no-binary-package": ["six"],
            "no-build": False,
            "no-build-package": ["six"],
            "prerelease": "allow",
            "resolution": "highest",
            "index-strategy": "first-index",
            "exclude-newer": "2026-01-31",
            "package": True,
            "pip": {"index-url": URL, "no-binary": ["six"], "only-binary": ["six"], "extra-index-url": [URL]},
        },
        "poetry": {
            "package-mode": True,
            "dependencies": {
                "python": ">=3.10",
                "six": {"version": "*", "source": "corp", "markers": "os_name == 'nt'", "extras": ["a"]},
                "idna": [{"version": ">=1", "python": ">=3.10"}],
                "attrs": {"url": "https://example.com/attrs-1.0-py3-none-any.whl", "subdirectory": ""},
                "rich": {"git": "https://example.com/rich", "branch": "main", "optional": True},
                "part": {"path": "libs/part", "develop": True},
            },
            "group": {"test": {"dependencies": {"six": "*"}, "include-groups": ["dev"], "optional": True}},
            "dev-dependencies": {"idna": "*"},
            "source": [{"name": "corp", "url": URL, "priority": "explicit"}],
        },
        "pdm": {
            "source": [
                {
                    "name": "corp", "url": URL, "verify_ssl": True, "type": "index", "include_packages": ["idna"],
                    "exclude_packages": [],
                }
            ]
        },
    },
}  # fmt: skip
# [tool.poetry] without [project]: its dependencies and extras are the project's.
POETRY_ALONE: dict[str, Any] = {
    "tool": {
        "poetry": {
            **PYPROJECT["tool"]["poetry"], "name": "orders", "version": "1", "extras": {"web": ["rich"]},
            "group": {"test": {"dependencies": {"six": "*"}, "include-groups": ["dev"]}, "dev": {"dependencies": {}}},
        }
    }
}  # fmt: skip
UV_TOML: dict[str, Any] = {key: PYPROJECT["tool"]["uv"][key] for key in ("index", "index-url", "find-links", "pip")}
UV_LOCK: dict[str, Any] = {
    "version": 1,
    "revision": 3,
    "requires-python": ">=3.10",
    "manifest": {"members": ["orders"], "constraints": [{"name": "six", "specifier": "<2"}]},
    "package": [
        {
            "name": "orders",
            "version": "1",
            "source": {"virtual": "."},
            "dependencies": [{"name": "six"}],
            "metadata": {
                "requires-dist": [{"name": "six", "specifier": ">=1", "extras": ["a"], "marker": "os_name == 'posix'"}],
                "requires-dev": {"dev": [{"name": "six"}]},
            },
        }
    ],
}
OTHERS = [
    *(0, 1, -1.5, True, False, "", "x", "a b", "\0", "[", "https://[x/", "../..", "@"),
    *([], [1], [[]], [{}], ["", 3], [{"name": 1, "url": "x"}]),
    *({}, {"x": 1}, {"x": {}}, {"name": []}, {"x": [{"y": [1, {"z": True}]}]}),
]

Keys = tuple[str | int, ...]


def keys_of(value: Any, path: Keys = ()) -> Iterator[Keys]:
    """The path of every value in ``value``, of tables and lists too."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key)
        yield from keys_of(item, (*path, key))


def changed(document: Any, path: Keys, value: Any) -> Any:
    """``document`` with ``value`` at ``path``."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


def write(root: Path, pyproject: Any, **others: Any) -> Path:
    (root / "libs/part").mkdir(parents=True)
    (root / "libs/part/pyproject.toml").write_text('[project]\nname = "part"\nversion = "1"\n')
    (root / "pyproject.toml").write_text(tomli_w.dumps(pyproject))
    for name, content in others.items():
        (root / name.replace("_", ".")).write_text(tomli_w.dumps(content))
    return root


def read(root: Path) -> None:
    """What is refused is one of ours, on one line."""
    told = ""
    try:
        read_spec(root, extras=["web"], groups=["dev"])
    except ImagekitError as error:
        told = error.message
    assert "\n" not in told


CASES = [
    *(("pyproject", path) for path in keys_of(PYPROJECT)),
    *(("poetry", path) for path in keys_of(POETRY_ALONE)),
    *(("uv.toml", path) for path in keys_of(UV_TOML)),
]


def try_one(kind: str, path: Keys, value: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        if kind == "pyproject":
            read(write(root, changed(PYPROJECT, path, value)))
        elif kind == "poetry":
            read(write(root, changed(POETRY_ALONE, path, value)))
        else:
            read(write(root, PYPROJECT, uv_toml=changed(UV_TOML, path, value)))


def test_the_documents_are_right() -> None:
    for pyproject in (PYPROJECT, POETRY_ALONE):
        with tempfile.TemporaryDirectory() as directory:
            read_spec(
                write(Path(directory), pyproject), extras=["web"], groups=["dev"] if "project" in pyproject else []
            )


@pytest.mark.soak
@pytest.mark.parametrize("value", OTHERS)
def test_every_value_at_every_key(value: Any) -> None:
    for kind, path in CASES:
        try_one(kind, path, value)


@pytest.mark.parametrize("number", range(8))
def test_another_value_at_every_key(number: int) -> None:
    for at, (kind, path) in enumerate(CASES):
        if at % 8 == number:
            try_one(kind, path, OTHERS[at % len(OTHERS)])


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("ab[]@:/\0 .^*>=;-", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "url", "git", "x"]), inner),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=st.sampled_from(CASES), value=VALUES)
def test_any_value_at_any_key(case: tuple[str, Keys], value: Any) -> None:
    try_one(*case, value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("tool", "uv", "sources", "six", "tag"), 3, r"tool\.uv\.sources\.six\.tag is not a string"),
        (("tool", "uv", "sources", "six"), 3, r"tool\.uv\.sources\.six is not a table"),
        (("tool", "uv", "sources"), [1], r"tool\.uv\.sources is not a table"),
        (("tool", "uv", "workspace", "members"), "x", r"tool\.uv\.workspace\.members is not a list of strings"),
        (("tool", "uv", "no-binary-package"), "six", r"tool\.uv\.no-binary-package is not a list of strings"),
        (("tool", "uv", "index", 0, "url"), 3, r"tool\.uv\.index\[0\]\.url is not a string"),
        (("tool", "uv", "pip"), 3, r"tool\.uv\.pip is not a table"),
        (("tool", "poetry", "source"), 3, r"tool\.poetry\.source is not an array of tables"),
        (("tool", "poetry", "source", 0), 3, r"tool\.poetry\.source\[0\] is not a table"),
        (("tool", "poetry", "group", "test", "include-groups"), 3, r"tool\.poetry\.group\.test\.include-groups is"),
        (("tool", "poetry", "dependencies", "six"), 3, "six is 3"),
        (("tool", "pdm", "source"), {"x": 1}, r"tool\.pdm\.source is not an array of tables"),
    ],
)
def test_it_says_which_key_on_which_line(tmp_path: Path, path: Keys, value: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_spec(write(tmp_path, changed(PYPROJECT, path, value)), extras=["web"])
    told = f"{caught.value.message}\n{caught.value.details or ''}"
    assert re.search(rf"pyproject\.toml:\d+: {words}", told)


@pytest.mark.parametrize("path", list(keys_of(UV_LOCK)), ids=lambda path: "-".join(map(str, path)))
def test_a_uv_lock(tmp_path: Path, path: Keys) -> None:
    pyproject = {
        "project": {**PYPROJECT["project"], "dependencies": ["six[a]>=1"]},
        "dependency-groups": {"dev": ["six"]},
    }
    root = write(tmp_path, pyproject)
    for value in (1, True, [1], {"x": 1}, [{"name": 1}], "\0"):
        (root / "uv.lock").write_text(tomli_w.dumps(changed(UV_LOCK, path, value)))
        with pytest.raises(ImagekitError) as caught:
            export_uv_lock(root / "uv.lock", root, make_target(), groups=("dev",))
        assert "uv.lock" in caught.value.message


@pytest.mark.parametrize("value", OTHERS)
def test_a_pipfile_lock_s_python(tmp_path: Path, value: Any) -> None:
    for content in (
        value,
        {"_meta": value},
        {"_meta": {"requires": value}},
        {"_meta": {"requires": {"python_version": value}}},
    ):
        (tmp_path / "Pipfile.lock").write_text(json.dumps(content))
        read(tmp_path)
