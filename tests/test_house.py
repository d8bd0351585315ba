"""The habits of the house: who may import whom, who reads the environment, what a face costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagekit

PACKAGE = Path(imagekit.__file__).parent
REPOSITORY = PACKAGE.parent
TABLE = (REPOSITORY / "docs" / "architecture.md").read_text()
# From the top down, as the architecture's table has it; what stands in one row may use each other.
ROOMS = [
    [name.strip("/").removesuffix(".py") for name in line.split("|")[1].split("`")[1::2]]
    for line in TABLE.splitlines()
    if line.startswith("| `")
]
# Sent into containers, where they read what is there.
PROGRAMS = {
    *("extras/start_program.py", "runs/stand_in.py"),
    *("runs/bootstrap.py", "check/probe_program.py"),
    *("stages/probe_program.py", "stages/installed_program.py", "stages/compile_server.py", "stages/inside_base.py"),
}
HEIGHT = {room: -row for row, rooms in enumerate(ROOMS) for room in rooms}
FACES = {"__init__", "__main__"}
MODULES = sorted(PACKAGE.rglob("*.py"))
# What reads the environment has one of these words.
ENVIRONMENT = re.compile(r"\b(environb?|getenv)\b")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Modules of imagekit that ``path`` imports anywhere, in functions and for type checkers, too."""
    package = [*path.relative_to(REPOSITORY).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "imagekit")
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            if module == "imagekit":
                yield from (f"imagekit.{alias.name}" for alias in node.names)
            elif module.startswith("imagekit."):
                yield module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room in FACES:
        return
    for module in imported(path):
        below = module.split(".")[1]
        if below in {*FACES, "__version__"} or below == room:
            continue
        assert HEIGHT[below] <= HEIGHT[room], f"{room} imports {module}"


def test_every_module_is_in_a_room() -> None:
    assert {room_of(path) for path in MODULES} == {*HEIGHT, *FACES}


def test_the_table_has_the_faces_on_top_and_the_errors_below() -> None:
    assert ROOMS[0] == ["cli"]
    assert HEIGHT["cli"] > HEIGHT["worker"] > HEIGHT["deploying"] > HEIGHT["running"] > HEIGHT["pipeline"]
    assert ROOMS[-1] == ["errors"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_settings_and_the_command_line_read_the_environment(path: Path) -> None:
    if room_of(path) in ("settings", "cli") or str(path.relative_to(PACKAGE)) in PROGRAMS:
        return
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if ENVIRONMENT.search(text) else ():
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("environ", "environb", "getenv"), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert not {alias.name for alias in node.names} & {"environ", "environb", "getenv"}


@pytest.mark.parametrize(
    "statement",
    ["import imagekit", "from imagekit import DockerImage, run", "from imagekit import flow, deploy, DeploymentSpec"],
)
def test_the_library_is_imported_without_heavy_ones(statement: str) -> None:
    heavy = ("docker", "requests", "rich", "typer", "pydantic", "packaging", "python_on_whales", "urllib3", "uv")
    heavy = (*heavy, "sqlite3", "cronsim", "jsonschema", "zoneinfo")
    program = f"{statement}\nimport sys\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names() -> None:
    assert sorted(imagekit.__all__) == [
        *("Cron", "DeploymentSpec", "DockerFlowRunner", "DockerImage", "Flow", "ImagekitError", "Interval"),
        *("RunResult", "RunSettings", "Secret", "advise", "deploy", "flow", "run"),
    ]
    program = "import imagekit\nfrom imagekit import *\n"
    program += "print(sorted(n for n in dir() if not n.startswith('_') and n != 'imagekit'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted(imagekit.__all__))
    public = {name for name in dir(imagekit) if not name.startswith("_")}
    # Submodules that were imported by now are attributes, too, and so are the imports of the module itself.
    assert public - set(imagekit.__all__) <= {*HEIGHT, "annotations", "TYPE_CHECKING"}
    with pytest.raises(AttributeError, match="has no attribute 'DokerImage'"):
        _ = imagekit.DokerImage


def test_no_module_is_long() -> None:
    # A module of more lines has more than one purpose.
    long = {str(p.relative_to(PACKAGE)): n for p in MODULES if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    # Put together here, so that this file does not hold them itself.
    words = ["/work/" + place for place in ("main", "shared", ".")]
    words += ["/tmp/" + "pv", "py" + "pi.org", "python" + "hosted.org"]
    words += ["registry." + "npmjs", ".lib" + "rary/", "proto/" + "python"]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if path.is_file():
            text = path.read_bytes().decode(errors="replace")
            assert [word for word in words if word in text] == [], name


def test_no_public_name_is_a_room_of_the_package() -> None:
    # Importing a module sets its name on the package, and would put the room in the name's place.
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert modules.isdisjoint(imagekit.__all__)
