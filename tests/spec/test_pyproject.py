"""pyproject.toml: dependencies, groups, metadata, and when metadata alone is enough."""

from email.parser import Parser
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.pyproject import PyProject, read_pyproject
from imagekit.spec.read import read_spec

PLAIN = '[project]\nname = "My.Orders"\nversion = "1.0"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def read(root: Path, text: str) -> PyProject:
    path = root / "pyproject.toml"
    path.write_text(text)
    return read_pyproject(path)


def module(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_dependencies_extras_groups(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        PLAIN
        + """
dependencies = ["rich>=13"]
requires-python = ">=3.10"
[project.optional-dependencies]
Plot_x = ["matplotlib"]
all = ["my-orders[plot-x]", "numpy"]
[dependency-groups]
lint = ["ruff"]
dev = ["pytest", {include-group = "lint"}]
test = ["My.Orders[all]", "pytest"]
""",
    )
    assert [line.text for line in found.select()] == ["rich>=13"]
    assert [line.text for line in found.select(["all"], ["dev"])] == [
        "rich>=13",
        "matplotlib",
        "numpy",
        "pytest",
        "ruff",
    ]
    # A group may ask for the project's extras by way of itself, too: the project is there, and not of an index.
    assert [line.text for line in found.select([], ["test"])] == ["rich>=13", "matplotlib", "numpy", "pytest"]
    assert found.requires_python == ">=3.10"
    with pytest.raises(InvalidProject) as caught:
        found.select(["plot"])
    assert caught.value.hint == "did you mean 'plot-x'?"
    with pytest.raises(InvalidProject, match="dependency group 'tests'"):
        found.select([], ["tests"])


def test_without_a_project_table_nothing_is_installed(tmp_path: Path) -> None:
    found = read(tmp_path, '[tool.imagekit]\nname = "x"\n[dependency-groups]\ndev = ["pytest"]\n')
    assert found.project is None
    assert found.imagekit == {"name": "x"}
    assert [line.text for line in found.select([], ["dev"])] == ["pytest"]


def test_metadata_is_valid_and_complete(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Orders\n\nFröhlich.\n")
    found = read(
        tmp_path,
        HATCH
        + PLAIN
        + """
description = "All about orders"
readme = "README.md"
requires-python = ">=3.10"
license = "Apache-2.0"
keywords = ["a", "b"]
classifiers = ["Programming Language :: Python"]
authors = [{name = "Ann", email = "ann@example.com"}, {name = "Bob"}]
dependencies = ["rich>=13", "x @ https://example.com/x-1-py3-none-any.whl ; os_name == 'posix'"]
[project.urls]
Home = "https://example.com"
[project.optional-dependencies]
plot = ["matplotlib; os_name == 'nt' or os_name == 'posix'", "y @ https://example.com/y-1-py3-none-any.whl"]
[project.scripts]
orders = "orders.cli:main"
[project.gui-scripts]
orders-ui = "orders.ui:main"
[project.entry-points."imagekit.plugins"]
a = "orders.plugin"
""",
    )
    project = found.project
    assert project is not None
    parsed = Metadata.from_email(project.metadata)
    assert parsed.name == "My.Orders"
    assert str(parsed.version) == "1.0"
    assert parsed.summary == "All about orders"
    assert parsed.license_expression == "Apache-2.0"
    assert parsed.keywords == ["a", "b"]
    assert parsed.author == "Bob"
    assert parsed.author_email == "Ann <ann@example.com>"
    assert parsed.provides_extra == ["plot"]
    assert parsed.description == "# Orders\n\nFröhlich.\n"
    assert parsed.description_content_type == "text/markdown"
    needed = parsed.requires_dist or []
    assert [str(r) for r in needed][:1] == ["rich>=13"]
    wanted = [r for r in needed if r.marker and not r.marker.evaluate({"extra": "", "os_name": "posix"})]
    assert sorted(r.name for r in wanted) == ["matplotlib", "y"]
    assert all(r.marker and r.marker.evaluate({"extra": "plot", "os_name": "posix"}) for r in wanted)
    assert Parser().parsestr(project.metadata)["Project-URL"] == "Home, https://example.com"
    assert project.scripts == (("orders", "orders.cli:main"),)
    assert project.gui_scripts == (("orders-ui", "orders.ui:main"),)
    assert project.entry_points == (("imagekit.plugins", "a", "orders.plugin"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project]\nversion = '1'", "name is missing"),
        ("[project]\nname = 'x'", "version is missing"),
        ("[project]\nname = '-x'\nversion = '1'", "name is missing or no valid"),
        ("[project]\nname = 'x'\nversion = 'one'", "'one' is not a version"),
        ("[project]\nname = 'x'\nversion = 1", r"project\.version is not a string"),
        ("[project]\nname = 'x'\nname = 'y'", r"pyproject\.toml:3: "),
        ("[project\n", r"pyproject\.toml:1: "),
        ("x = [", r"pyproject\.toml:"),
        (PLAIN + "dependencies = 'rich'", r"project\.dependencies is not a list of strings"),
        (PLAIN + "dependencies = ['a=1', 'b=2']", "2 problems"),
        (PLAIN + "requires-python = 'three'", "requires-python"),
        (PLAIN + 'description = "a\\nb"', r"project\.description"),
        (PLAIN + "readme = 'none.md'", "'none.md' is not there"),
        (PLAIN + "readme = '../x.md'", "outside"),
        (PLAIN + "[project.scripts]\n'../x' = 'a:b'", "no name for a command"),
        (PLAIN + "[project.scripts]\nx = 'a'", "object reference"),
        (PLAIN + "[project.scripts]\nx = 'a:b; import os'", "object reference"),
        (PLAIN + "[project.entry-points.console_scripts]\nx = 'a:b'", "not allowed"),
        (PLAIN + "[project.optional-dependencies]\na = ['x']\nA = ['y']", "there twice"),
        ("project = 1", "project is not a table"),
        ("[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]", "a → b → a"),
        ("[dependency-groups]\na = [{include-group = 'c'}]", "which is not there"),
        ("[dependency-groups]\na = [{path = 'c'}]", "holds"),
        ("[dependency-groups]\na = 'x'", "is not a list"),
        ("[dependency-groups]\na-b = []\na_b = []", "there twice"),
        ("[tool]\nimagekit = 3", r"tool\.imagekit is not a table"),
    ],
)
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, text)
    assert caught.value.hint
    assert caught.value.message.isprintable()
    assert "pyproject.toml" in caught.value.message


def test_all_that_is_wrong_at_once_and_where(tmp_path: Path) -> None:
    text = """[build-system]
requires = "hatchling"
[project]
name = "x y"
version = "one"
requires-python = "three"
dynamic = [1]
dependencies = [
    "rich>=13",
    "a=1",
    "b @ https://user:canary@example.com/b-1.zip",
]
[project.optional-dependencies]
s3 = ["c==", 3]
more = [
    "fine",
    "d~=1"]
[project.scripts]
"../x" = "a:b"
y = "a b"
[project.entry-points."no good"]
[dependency-groups]
one = ["e=1", {include-group = "two"}]
two = [
    {include-group = "one"},
    {include-group = "gone"},
    "f=1",
    {path = "g"},
]
[tool.imagekit]
pyhton = "3.11"
env = {A = 1}
"""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    lines = [problem.message.split(":")[1] for problem in caught.value.problems]
    assert list(map(int, lines)) == [2, 4, 5, 6, 7, 10, 11, 14, 17, 19, 20, 21, 23, 25, 26, 27, 28, 31, 32]
    assert "canary" not in str(caught.value.to_json())
    assert all(problem.hint for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ('description = "a\\nb"', 3),
        ("readme = 'none.md'", 3),
        ("keywords = 1", 3),
        ("urls = 1", 3),
        ("authors = [1]", 3),
    ],
)
def test_metadata_that_are_none_are_named_by_their_line(tmp_path: Path, key: str, line: int) -> None:
    with pytest.raises(InvalidProject, match=rf"^pyproject\.toml:{line}: project\."):
        read(tmp_path, f"[project]\nname = 'x'\n{key}\nversion = '1'\n")


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(InvalidProject, match=r"pyproject\.toml:2: not UTF-8"):
        read_pyproject(tmp_path / "pyproject.toml")


def backend(name: str) -> str:
    return f'[build-system]\nrequires = []\nbuild-backend = "{name}"\n'


BACKENDS = [
    "setuptools.build_meta",
    "hatchling.build",
    "flit_core.buildapi",
    "poetry.core.masonry.api",
    "pdm.backend",
    "uv_build",
]


@pytest.mark.parametrize("name", BACKENDS)
def test_src_layout(tmp_path: Path, name: str) -> None:
    module(tmp_path, "src/my_orders/__init__.py")
    found = read(tmp_path, PLAIN + backend(name))
    assert found.project is not None
    assert found.project.import_root == "src"


@pytest.mark.parametrize("name", BACKENDS)
def test_flat_layout(tmp_path: Path, name: str) -> None:
    module(tmp_path, "my_orders/__init__.py")
    flat = '[tool.uv.build-backend]\nmodule-root = ""\n' if name == "uv_build" else ""
    found = read(tmp_path, PLAIN + backend(name) + flat)
    assert found.project is not None
    assert found.project.import_root == "."


def test_a_single_module_and_no_backend(tmp_path: Path) -> None:
    module(tmp_path, "my_orders.py")
    found = read(tmp_path, PLAIN)
    assert found.project is not None
    assert found.project.import_root == "."


@pytest.mark.parametrize(
    "text",
    [
        '[tool.hatch.build.targets.wheel]\npackages = ["src/my_orders"]',
        '[tool.hatch.envs.default]\ndependencies = ["x"]',
        '[tool.hatch.build.targets.sdist]\nexclude = ["x"]',
    ],
)
def test_settings_that_change_nothing(tmp_path: Path, text: str) -> None:
    module(tmp_path, "src/my_orders/__init__.py")
    found = read(tmp_path, PLAIN + HATCH + text)
    assert found.project is not None
    assert found.project.import_root == "src"


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (backend("maturin"), ["my_orders/__init__.py"]),
        (backend("setuptools.build_meta"), ["my_orders/__init__.py", "setup.py"]),
        (backend("setuptools.build_meta"), ["my_orders/__init__.py", "setup.cfg"]),
        (backend("setuptools.build_meta") + "[tool.setuptools]\npackage-dir = {x = 'y'}", ["my_orders/__init__.py"]),
        (backend("setuptools.build_meta") + "[[tool.setuptools.ext-modules]]\nname='x'", ["my_orders/__init__.py"]),
        (HATCH, ["other/__init__.py"]),
        (HATCH, ["my_orders/module.py"]),
        (HATCH, ["my_orders/__init__.py", "src/my_orders/__init__.py"]),
        (HATCH + "[tool.hatch.build.targets.wheel]\npackages = ['other']", ["my_orders/__init__.py"]),
        (HATCH + "[tool.hatch.build.targets.wheel.force-include]\na = 'b'", ["my_orders/__init__.py"]),
        (HATCH + "[tool.hatch.build.hooks.custom]", ["my_orders/__init__.py"]),
        (HATCH + "[tool.hatch.metadata.hooks.custom]", ["my_orders/__init__.py"]),
        (backend("pdm.backend") + "[tool.pdm.build]\nincludes = ['x']", ["my_orders/__init__.py"]),
        (backend("poetry.core.masonry.api") + "[tool.poetry]\nbuild = 'x.py'", ["my_orders/__init__.py"]),
        (backend("uv_build"), ["my_orders/__init__.py"]),
        (HATCH + "[project.scripts]\nx = 'other.cli:main'", ["my_orders/__init__.py"]),
    ],
)
def test_must_be_built(tmp_path: Path, text: str, files: list[str]) -> None:
    module(tmp_path, *files)
    found = read(tmp_path, PLAIN + text)
    assert found.project is not None
    assert found.project.import_root is None
    assert found.project.metadata


def test_dynamic_fields_must_be_built(tmp_path: Path) -> None:
    module(tmp_path, "my_orders/__init__.py")
    found = read(tmp_path, '[project]\nname = "my-orders"\ndynamic = ["version"]\n' + HATCH)
    assert found.project is not None
    assert (found.project.version, found.project.import_root, found.project.metadata) == (None, None, "")


def test_an_importable_src_package_with_scripts(tmp_path: Path) -> None:
    module(tmp_path, "src/my_orders/__init__.py")
    found = read(tmp_path, PLAIN + HATCH + "[project.scripts]\nx = 'my_orders.cli:main'")
    assert found.project is not None
    assert found.project.import_root == "src"
