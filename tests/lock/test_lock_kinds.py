"""Whatever stands in a lock of another program: it is honoured, or refused with its file; nothing else comes out."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from imagekit.errors import ImagekitError, StaleLock
from imagekit.lock.foreign import foreign_set
from imagekit.lock.locked_indexes import with_locked_indexes
from imagekit.lock.locked_set import edge_of, walk
from imagekit.lock.pdm_lock import read_pdm_lock
from imagekit.lock.poetry_lock import read_poetry_lock
from imagekit.lock.pylock import parse, select
from imagekit.oci.digest import digest_of
from imagekit.spec.image import ImageSpec, Indexes
from tests.lock.conftest import make_target

TARGET = make_target()
HASH = "sha256:" + "a" * 64
COMMIT = "c" * 40
URL = "https://example.com/delta-1.0-py3-none-any.whl"
FILES = [{"file": "alpha-1.0-py3-none-any.whl", "hash": HASH}]
POETRY: dict[str, Any] = {
    "package": [
        {
            "name": "alpha",
            "version": "1.0",
            "optional": False,
            "python-versions": ">=3.7",
            "markers": {"main": "python_version > '3'", "dev": "*"},
            "files": FILES,
            "dependencies": {"beta": {"version": "*", "optional": True, "extras": ["x"], "markers": "os_name > ''"}},
            "extras": {"more": ["beta (>=1)"]},
            "source": {"type": "legacy", "url": "https://example.com/simple", "reference": "own"},
        },
        {"name": "beta", "version": "1.0", "markers": "os_name != 'nt'", "dependencies": {"alpha": [">=1", "*"]}},
        {
            "name": "gamma",
            "version": "1.0",
            "source": {
                "type": "git",
                "url": "https://example.com/gamma",
                "reference": "main",
                "resolved_reference": COMMIT,
                "subdirectory": "inside",
            },
        },
        {"name": "delta", "version": "1.0", "files": FILES, "source": {"type": "url", "url": URL}},
    ],
    "metadata": {"lock-version": "2.1", "content-hash": "x", "files": {"beta": FILES}, "hashes": {"beta": ["a" * 64]}},
}
PDM: dict[str, Any] = {
    "metadata": {"groups": ["default"], "lock_version": "4.5.0", "content_hash": "sha256:x"},
    "package": [
        {
            "name": "alpha",
            "version": "1.0",
            "requires_python": ">=3.7",
            "groups": ["default"],
            "marker": "os_name != 'nt'",
            "dependencies": ["beta[x]>=1; os_name != 'nt'"],
            "files": FILES,
        },
        {"name": "beta", "version": "1.0", "extras": ["x"], "dependencies": ["beta==1.0"], "files": FILES},
        {"name": "gamma", "version": "1.0", "git": "https://example.com/g", "ref": "main", "revision": COMMIT},
        {"name": "delta", "version": "1.0", "url": URL, "files": [{"url": URL, "hash": HASH}]},
        {"name": "epsilon", "version": "1.0", "path": "./epsilon", "subdirectory": ""},
    ],
}
PIPFILE: dict[str, Any] = {
    "_meta": {
        "hash": {"sha256": "x"},
        "pipfile-spec": 6,
        "requires": {"python_version": "3.11"},
        "sources": [{"name": "own", "url": "https://example.com/simple", "verify_ssl": True}],
    },
    "default": {
        "alpha": {"hashes": [HASH], "index": "own", "version": "==1.0", "markers": "os_name != 'nt'", "extras": ["x"]},
        "gamma": {"git": "https://example.com/g", "ref": COMMIT, "subdirectory": "inside", "os_name": "!= 'nt'"},
        "delta": {"file": URL, "hashes": [HASH]},
        "epsilon": {"path": "./epsilon", "editable": True},
    },
    "develop": {},
}
PYLOCK: dict[str, Any] = {
    "lock-version": "1.0",
    "created-by": "someone",
    "requires-python": ">=3.7",
    "environments": ["os_name != 'nt'"],
    "extras": ["x"],
    "dependency-groups": ["dev"],
    "default-groups": ["dev"],
    "packages": [
        {
            "name": "alpha",
            "version": "1.0",
            "marker": "os_name != 'nt'",
            "requires-python": ">=3.7",
            "index": "https://example.com/simple",
            "wheels": [
                {
                    "name": "alpha-1.0-py3-none-any.whl",
                    "url": "https://example.com/alpha-1.0-py3-none-any.whl",
                    "size": 1,
                    "hashes": {"sha256": "a" * 64},
                }
            ],
        },
        {"name": "gamma", "vcs": {"type": "git", "url": "https://example.com/g", "commit-id": COMMIT}},
        {"name": "delta", "archive": {"url": URL, "hashes": {"sha256": "a" * 64}}},
        {
            "name": "eta",
            "version": "1.0",
            "sdist": {"url": "https://example.com/eta-1.0.tar.gz", "hashes": {"sha256": "a" * 64}},
        },
    ],
    "tool": {"imagekit": {"inputs": "sha256:x", "python": "3.11.2", "platform": "linux/amd64", "direct": ["alpha"]}},
}
LOCKS = {"poetry.lock": POETRY, "pdm.lock": PDM, "Pipfile.lock": PIPFILE, "pylock.toml": PYLOCK}
NO_KIND: list[Any] = [
    True,
    -1,
    1.5,
    10**400,
    "",
    " ",
    "-x",
    "a b",
    "==",
    "\u2028",
    "x\ny",
    "../x",
    "\\",
    "https://[",
    "git+https://me:hunter2@example.com/x",
    "http://e/x-1-py3-none-any.whl#sha256=1",
    "file:///etc/passwd",
    "a" * 5000,
    "(" * 500,
    [],
    [""],
    [1],
    [[]],
    [{}],
    {},
    {"x": 1},
    {"": {"": []}},
]


def paths(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if here:
        yield here
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*here, key))


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    copied: Any = copy.deepcopy(document)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found: dict[str, Any] = copied
    return found


def read(name: str, document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "pyproject.toml").write_text("")
        (root / "epsilon").mkdir()
        (root / "epsilon" / "pyproject.toml").write_text('[project]\nname = "epsilon"\nversion = "1.0"\n')
        path = root / name
        path.write_text(json.dumps(document, indent=4) if name == "Pipfile.lock" else tomli_w.dumps(document))
        if name == "pylock.toml":
            select(parse(path.read_text(), path), TARGET, inputs=digest_of(b""), source_builds=("*",))
        elif name == "Pipfile.lock":
            found = foreign_set(ImageSpec(context=root), path, TARGET)
            with_locked_indexes(Indexes(), found)
        else:
            is_poetry = name == "poetry.lock"
            packages = read_poetry_lock(path, ["web"]) if is_poetry else read_pdm_lock(path, ["default"])
            roots = [(edge_of(Requirement(text)), "pyproject.toml") for text in ("alpha", "beta[x]", "gamma", "delta")]
            with_locked_indexes(Indexes(), walk(roots, packages, TARGET, file=name, remedy="lock it"))
            with suppress(StaleLock):
                foreign_set(ImageSpec(context=root), path, TARGET)


ONE_OF_EACH = [(name, path) for name, document in LOCKS.items() for path in paths(document)]


def refusal(name: str, document: dict[str, Any]) -> ImagekitError | None:
    """What is said of it; any other exception comes out."""
    try:
        read(name, document)
    except ImagekitError as problem:
        return problem
    return None


def check_refusals(name: str, values: Sequence[list[Any]]) -> None:
    found = 0
    for number, path in enumerate(paths(LOCKS[name])):
        for value in values[number % len(values)]:
            problem = refusal(name, changed(LOCKS[name], path, value))
            if problem is not None:
                found += 1
                assert name in problem.message, (path, value, problem.message)
                assert "\n" not in problem.message, (path, value)
                assert "hunter2" not in json.dumps(problem.to_json()), (path, value)
    assert found > 50


@pytest.mark.parametrize("name", LOCKS)
def test_as_it_is_every_lock_is_read(name: str) -> None:
    read(name, LOCKS[name])


@pytest.mark.parametrize("name", LOCKS)
def test_a_value_of_another_kind_is_refused_by_file(name: str) -> None:
    check_refusals(name, [NO_KIND[start::5] for start in range(5)])


@pytest.mark.soak
@pytest.mark.parametrize("name", LOCKS)
def test_each_value_everywhere(name: str) -> None:
    check_refusals(name, [NO_KIND])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(ONE_OF_EACH), value=json_values)
def test_any_value_anywhere(place: tuple[str, tuple[str | int, ...]], value: Any) -> None:
    name, path = place
    try:
        document = changed(LOCKS[name], path, value)
        if name != "Pipfile.lock":
            tomli_w.dumps(document).encode()
    except (TypeError, ValueError):
        return  # TOML has no null, and no half of a pair of surrogates
    problem = refusal(name, document)
    assert problem is None or name in problem.message
