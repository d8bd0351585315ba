"""A base that holds Prefect and all that it needs, from the index, as people's bases do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagekit.engine.client import Engine

from . import bases
from .conftest import Imagekit, Inside, WriteProject

FLOW = """from prefect import flow
import prefect_shell


@flow
def hello():
    return "hello"
"""
# ``pip check``, and that every file of every distribution is there, and that no module of the old one is.
LOOK = """
import importlib.metadata as m, json, os, sys
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
there = {}
for d in m.distributions():
    assert canonicalize_name(d.metadata["Name"]) not in there, d.metadata["Name"]
    there[canonicalize_name(d.metadata["Name"])] = d
problems = []
for d in there.values():
    problems += [f"{d.name}: {f}" for f in d.files if not os.path.lexists(d.locate_file(f))]
    for r in map(Requirement, d.requires or ()):
        if r.marker is None or r.marker.evaluate({"extra": ""}):
            other = there.get(canonicalize_name(r.name))
            if other is None or not r.specifier.contains(other.version, prereleases=True):
                problems.append(f"{d.name} needs {r}")
owned = {os.path.realpath(d.locate_file(f)) for d in there.values() for f in d.files}
import prefect
top = os.path.dirname(prefect.__file__)
# What ``packaging`` reads above is bytecode of this moment; Prefect's own was all there before.
stray = [os.path.join(d, f) for d, _, fs in os.walk(top) for f in fs if f.endswith(".py")]
stray = [f for f in stray if os.path.realpath(f) not in owned]
print(json.dumps({"problems": problems, "stray": stray, "prefect": there["prefect"].version}))
"""


@pytest.fixture(scope="module")
def prefect_base(engine: Engine, python_image: str, wheels: Path, session_directory: Path) -> Iterator[str]:
    dockerfile = f"FROM {python_image}\nUSER 0\n{bases.install_from_index('prefect<3.8', 'fastapi==0.139.*')}"
    tag = bases.build(engine.address, dockerfile, wheels, session_directory)
    yield tag
    engine.remove_image(tag, force=True)


def _project(project: WriteProject, base: str, *requirements: str) -> Path:
    settings = f'base-image = "{base}"\nentrypoints = ["flow.py:hello"]\n'
    return project(
        {"flow.py": FLOW, "requirements.txt": "".join(f"{r}\n" for r in requirements), "imagekit.toml": settings}
    )


def test_a_collection_joins_prefect_where_it_is(
    imagekit: Imagekit, inside: Inside, project: WriteProject, prefect_base: str
) -> None:
    root = _project(project, prefect_base, "prefect-shell", "prefect")
    plan = imagekit.json("plan", root)
    kept = {pin.partition("==")[0] for pin in plan["base"]["kept"]}
    assert {"prefect", "pydantic", "sqlalchemy", "httpx"} <= kept
    assert plan["base"]["replaced"] == []
    assert [p.partition("==")[0] for layer in plan["layers"] for p in layer["packages"]] == ["prefect-shell"]
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    found = json.loads(inside(built["reference"], "python3", "-c", LOOK))
    assert (found["problems"], found["stray"]) == ([], [])
    assert inside(built["reference"], "sh", "-c", "command -v prefect; prefect --version").split() == [
        "/usr/local/bin/prefect",
        found["prefect"],
    ]


@pytest.mark.soak
def test_another_prefect_takes_its_place(
    imagekit: Imagekit, inside: Inside, project: WriteProject, prefect_base: str
) -> None:
    had = json.loads(inside(prefect_base, "python3", "-c", LOOK))["prefect"]
    root = _project(project, prefect_base, f"prefect<{had}", "prefect-shell")
    plan = imagekit.json("plan", root)
    replaced = {entry["name"]: entry for entry in plan["base"]["replaced"]}
    assert replaced["prefect"]["why"] == f"requirements.txt:1 asks for prefect<{had}"
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    found = json.loads(inside(built["reference"], "python3", "-c", LOOK))
    assert (found["problems"], found["stray"]) == ([], [])
    assert found["prefect"] == replaced["prefect"]["new"] != had


@pytest.mark.soak
def test_extra_packages_join_prefect_too(
    imagekit: Imagekit, engine: Engine, project: WriteProject, prefect_base: str, wheels: Path
) -> None:
    flow = """
def hello():
    import alpha
    from importlib.metadata import version
    return [alpha.VERSION, version("prefect")]
"""
    settings = {"imagekit.toml": f'base-image = "{prefect_base}"\n'}
    root = project({"flow.py": flow, "requirements.txt": f"--no-index\n--find-links {wheels}\n", **settings})
    words = ("run", "flow.py:hello", "--project", root)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: imagekit.json(*words, "--env", "EXTRA_PIP_PACKAGES=alpha<2 prefect"), range(2)))
    again = imagekit.json(*words, "--env", "EXTRA_PIP_PACKAGES=alpha<2 prefect")
    try:
        assert {json.dumps([run["result"], run["image"]]) for run in (*runs, again)} == {
            json.dumps([["1.1", again["result"][1]], again["image"]])
        }
        assert again["extras"]["packages"] == ["alpha==1.1"]
        refused = imagekit.refused(*words, "--env", "EXTRA_PIP_PACKAGES=prefect<2")
        assert f"prefect=={again['result'][1]}" in refused["message"] + (refused["details"] or "")
    finally:
        engine.remove_image(again["extras"]["image"], force=True)
