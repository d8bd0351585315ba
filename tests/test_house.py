"""The habits of the house: who may import whom, who reads the environment, what a face costs."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagekit
from imagekit.cache.kinds import KINDS

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
PROGRAMS = set(re.findall(r"`(\w+/\w+\.py)`", TABLE.partition("\nSmall programs ")[2].partition("\n\n")[0]))
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


def test_programs_for_containers_stand_alone() -> None:
    # Beside them in the container; Prefect is asked for where it is.
    along = {"bootstrap", "bootstrap_ends", "bootstrap_json", "bootstrap_usage", "pieces", "prefect"}
    for name in PROGRAMS:
        for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, name
                modules = [node.module or ""]
            assert {module.partition(".")[0] for module in modules} <= {*sys.stdlib_module_names, *along}, name
    # Who is called a program is sent somewhere, and so is who is read as a file.
    called = {str(path.relative_to(PACKAGE)) for path in MODULES if path.name.endswith("_program.py")}
    read = re.compile(r"""(?:joinpath|with_name)\("(\w+\.py)"\)""")
    sent = {f"{path.parent.relative_to(PACKAGE)}/{name}" for path in MODULES for name in read.findall(path.read_text())}
    assert len(called) >= 6
    assert len(sent) >= 6
    assert called | sent <= PROGRAMS


def directories_of_the_cache(path: Path) -> Iterator[str]:
    """What ``path`` puts below a cache directory: ``cache / "layers"``, ``settings.cache_dir / NAME``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
            continue
        above = re.sub(r"\.path$|\(\)$", "", ast.unparse(node.left)).rpartition(".")[2]
        if above not in ("cache", "_cache", "cache_dir", "cache_directory", "usable_cache_dir"):
            continue
        if isinstance(node.right, ast.Name):
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            named = getattr(importlib.import_module(module), node.right.id, None)
            yield from [named] if isinstance(named, str) else []
        elif isinstance(node.right, ast.Constant):
            yield str(node.right.value)


def test_whatever_lies_in_the_cache_is_counted_and_pruned() -> None:
    found = {name for path in MODULES for name in directories_of_the_cache(path)}
    # An image layout with names of its own: the bases of a matrix that goes to no engine.
    kept = {"matrix-bases"}
    assert {"layers", "locks", "checkouts", "repodata", "extras", "keys", *kept} <= found
    assert found - kept <= {Path(kind.directory).parts[0] for kind in KINDS}


def test_a_full_disk_is_told_by_one_predicate() -> None:
    # One that asks for ENOSPC alone forgets quotas.
    asking = {
        str(path.relative_to(PACKAGE)) for path in MODULES if re.search(r"errno\.(ENOSPC|EDQUOT)\b", path.read_text())
    }
    assert asking - PROGRAMS == {"atomic.py"}


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
