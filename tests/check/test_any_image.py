"""Any image looked at: the table of what is well and what is not, and what the probe looks at more closely."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import imagekit.check.probe_program
from imagekit.check.any_image import Expected, framework, lines
from imagekit.engine.client import Engine
from imagekit.errors import BaseUnusable, EngineError, InvalidRequirement
from imagekit.explaining.checked import check_any
from imagekit.runs.request import program_sources
from imagekit.spec.entrypoint import Entrypoint

MARKERS = {"python_version": "3.11", "sys_platform": "linux", "extra": ""}


def distribution(name: str, version: str, *requires: str, location: str = "/site") -> dict[str, Any]:
    return {"name": name, "version": version, "requires": list(requires), "scripts": [], "location": location}


def answer(*distributions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "python": "3.11.2",
        "markers": MARKERS,
        "distributions": list(distributions),
        "scripts": [],
        "entrypoints": [],
        "started": [],
        **fields,
    }


def table(found: Mapping[str, Any], **expected: Any) -> list[tuple[str, str, str]]:
    return [(line.check, line.status, line.told) for line in lines(found, Expected(**expected))]


def test_all_is_well() -> None:
    found = answer(
        distribution("prefect", "3.4.1", "rich>=13"),
        distribution("rich", "14.0"),
        entrypoints=[{"path": "flow.py", "function": "etl", "error": None, "seconds": 0.42, "absent": []}],
        started=[{"package": "prefect", "script": "prefect", "error": None}],
    )
    assert table(found, python="3.11") == [
        ("python", "ok", "3.11.2"),
        ("framework", "ok", "prefect 3.4.1"),
        ("flow.py:etl", "ok", "imports in 0.4 s, with all that it needs for that"),
        ("packages", "ok", "2 installed"),
        ("requirements", "ok", "each is met"),
        ("scripts", "ok", "1 start"),
    ]


@pytest.mark.parametrize(
    ("expected", "row"),
    [
        ({"python": "3.12"}, ("python", "failed", "the image's Python is 3.11.2, and not 3.12")),
        ({"frameworks": (framework("prefect==2.*"),)}, ("framework", "failed", "prefect is 3.4.1, and prefect==2.*")),
        ({"frameworks": (framework("dask"),)}, ("framework", "failed", "dask is not installed, and dask")),
        ({"frameworks": (framework("Prefect>=3"),)}, ("framework", "ok", "prefect 3.4.1 fits >=3")),
        ({"locked": {"prefect": "3.4.2"}}, ("packages", "failed", "prefect is installed as 3.4.1 (/site) and locked")),
        ({"locked": {"gone": "1"}}, ("packages", "failed", "gone 1 is locked and not installed")),
    ],
)
def test_what_is_asked_for_must_hold(expected: dict[str, Any], row: tuple[str, str, str]) -> None:
    found = table(answer(distribution("prefect", "3.4.1")), **expected)
    assert any(line[:2] == row[:2] and line[2].startswith(row[2]) for line in found), found


def test_packages_must_go_together() -> None:
    found = table(
        answer(
            distribution("alpha", "1", "beta>=2", "absent", "more; extra == 'm'"),
            distribution("beta", "1"),
            distribution("beta", "0.9", location="/elsewhere"),
        )
    )
    assert ("requirements", "failed", "alpha requires beta>=2; 1 is there") in found
    assert ("requirements", "failed", "alpha requires absent, which is not installed") in found
    (twice,) = (line for line in found if line[0] == "packages")
    assert twice[1] == "warning"


def test_scripts_for_those_who_have_an_extra_are_no_fault() -> None:
    missing = {"kind": "import", "type": "ModuleNotFoundError", "message": "No module named 'click'", "module": "click"}
    found = answer(
        distribution("dot-env", "1", 'click>=5; extra == "cli"'),
        distribution("broken", "1"),
        started=[
            {"package": "dot-env", "script": "dotenv", "error": missing},
            {"package": "broken", "script": "brk", "error": missing},
            {"package": "broken", "script": "other", "error": None},
        ],
    )
    scripts = [line for line in lines(found, Expected()) if line.check == "scripts"]
    assert [(line.status, line.hint) for line in scripts] == [
        ("ok", None),
        ("warning", "require dot-env[cli] for it"),
        ("failed", None),
    ]


@pytest.mark.parametrize("text", ["prefect[x]", "a b", "prefect @ https://example.com/x.whl", "x=2", "x; a", ""])
def test_a_framework_is_a_name_and_a_version(text: str) -> None:
    with pytest.raises(InvalidRequirement):
        framework(text)


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    """The probe's programs, and packages with console scripts of many kinds."""
    shutil.copy(str(imagekit.check.probe_program.__file__), tmp_path)
    for name, content in program_sources().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    site = tmp_path / "site"
    scripts = {
        "good": "import sys\ndef main(): raise SystemExit('was called')\n",
        "leaves": "import sys; sys.exit(3)\n",
        "crashes": "import os; os._exit(5)\n",
        "hangs": "import time; time.sleep(600)\n",
        "lacks": "import no_such_module\n",
        "nameless": "",
        "last": "def main(): pass\n",
    }
    (site / "many-1.dist-info").mkdir(parents=True)
    (site / "many-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: many\nVersion: 1\n")
    points = "".join(f"{name} = {name}:main\n" for name in scripts) + "extra = nowhere:main [more]\n"
    (site / "many-1.dist-info" / "entry_points.txt").write_text(f"[console_scripts]\n{points}")
    for name, text in scripts.items():
        (site / f"{name}.py").write_text(text)
    return tmp_path


def test_scripts_are_loaded_and_not_called(probe: Path) -> None:
    code = (
        "import json, sys, probe_program as p; p.SCRIPT_SECONDS = 5.0\n"
        f"print(json.dumps(p.start_scripts({str(probe / 'report')!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        # Not the tests' own packages: the environment's scripts would all be loaded.
        env={"PYTHONPATH": f"{probe}:{probe / 'site'}"},
        cwd=probe,
    )
    found = {
        each["script"]: each["error"] and each["error"]["message"]
        for each in json.loads(done.stdout)
        if each["package"] == "many"
    }
    assert found == {
        "good": None,
        "leaves": "its module ended the program while it was imported: sys.exit(3)",
        "crashes": "the process that imported it ended with exit code 5",
        "hangs": "its import had not ended after 5 s",
        "lacks": "No module named 'no_such_module'",
        "nameless": "module 'nameless' has no attribute 'main'",
        "last": None,
    }


def test_imports_that_come_later_are_looked_for() -> None:
    import ast

    source = """
import json, absent_one.sub
from absent_two import x
from . import sibling
if TYPE_CHECKING:
    import absent_typing
try:
    import absent_maybe
except ImportError:
    import another_way
def f():
    from absent_later.deep import y
    import json.decoder
class C:
    async def g(self):
        with open('x') as file:
            import absent_deep
"""
    found = imagekit.check.probe_program.imported_names(ast.parse(source))
    assert found == {
        *("json", "absent_one", "absent_two", "absent_later", "absent_deep"),
    }


def test_an_image_of_another_making(
    engine: Engine, build_image: Callable[[str, Mapping[str, str]], str], python_image: str
) -> None:
    flow = "import os\n\n\ndef etl():\n    import yaml\n\n\ndef other():\n    pass\n"
    image = build_image(f"FROM {python_image}\nCOPY app /app\nWORKDIR /app\n", {"app/flow.py": flow})
    flows = [Entrypoint.parse(text) for text in ("flow.py:etl", "flow.py:missing")]
    checked = check_any(engine, image, expected=Expected(frameworks=(framework("dask"),)), entrypoints=flows)
    told = {(line.check, line.status): line for line in checked.lines}
    assert not checked.ok
    assert ("python", "ok") in told
    assert told["flow.py:etl", "warning"].told == "it imports yaml later, which is not there"
    assert "PyYAML" in (told["flow.py:etl", "warning"].hint or "")
    assert "has no function missing" in told["flow.py:missing", "failed"].told
    assert ("framework", "failed") in told
    assert json.loads(json.dumps(checked.to_json()))["ok"] is False


def test_an_image_that_cannot_be_looked_at(
    engine: Engine, build_image: Callable[[str, Mapping[str, str]], str], python_image: str
) -> None:
    with pytest.raises(EngineError, match="is not in the engine"):
        check_any(engine, "no-such-image:1", expected=Expected())
    empty = build_image("FROM scratch\nCOPY a /a\n", {"a": "no Python"})
    with pytest.raises(BaseUnusable, match=f"^{empty} has no Python"):
        check_any(engine, empty, expected=Expected())
