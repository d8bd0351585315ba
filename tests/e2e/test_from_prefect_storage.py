"""What ``prefect.storage.Docker`` was told, told to ``DockerImage``: each row of docs/from-prefect-storage.md."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage, run
from imagekit.engine.client import Engine
from imagekit.errors import CheckFailed, InputError
from imagekit.keywords.table import KEYWORDS

from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel

PAGE = (Path(__file__).parents[2] / "docs" / "from-prefect-storage.md").read_text()
# Those that are the same, or taken where they stand.
SAME = {"base_image", "dockerfile", "dockerignore", "extra_dockerfile_commands", "files", "path"}


def test_every_keyword_has_a_row() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    old = {keyword.name for keyword in KEYWORDS if keyword.of == "storage.Docker"} | SAME
    for name in old:
        assert any(f"`{name}=" in row for row in rows), name


@pytest.mark.parametrize("name", [keyword.name for keyword in KEYWORDS if keyword.of == "storage.Docker"])
def test_an_old_name_is_refused_with_the_new_one(name: str) -> None:
    with pytest.raises(InputError, match=f"does not take {name!r}") as caught:
        DockerImage("orders", **{name: "x"})  # type: ignore[arg-type]
    assert caught.value.hint


FLOW = """
MARK = "{mark}"


def etl():
    import alpha, mod
    return [alpha.VERSION, mod.WHAT]
"""
PYPROJECT = """
[project]
name = "ours"
version = "1"
[build-system]
requires = []
build-backend = "setuptools.build_meta"
"""


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project(
        {
            "flow.py": FLOW.format(mark=secrets.token_hex(8)),
            "imagekit.toml": "",
            "indexes.txt": no_index,
            "mod.py": "WHAT = 'copied'\n",
            "shared/one.py": "ONE = 1\n",
            "shared/inner/two.py": "TWO = 2\n",
            "notes.log": "not for the image\n",
            ".ignored": "*.log\nmod.py\n",
            "Dockerfile": "FROM scratch\nCOPY mod.py /\n",
        }
    )


Build = Callable[..., DockerImage]


@pytest.fixture
def build(library: Imagekit, root: Path, python_image: str, monkeypatch: pytest.MonkeyPatch) -> Build:
    """As a person does it, in the project's directory."""
    monkeypatch.chdir(root)

    def of(name: str = "", tag: str | None = "v1", **keywords: Any) -> DockerImage:
        if "dockerfile" not in keywords:
            keywords = {"requirements": "indexes.txt", "base_image": python_image, **keywords}
        image = DockerImage(name or library.name(), tag, stream_progress_to=None, **keywords)
        image.build()
        return image

    return of


def test_registry_name_tag_and_push(build: Build, shared_registry: OwnRegistry) -> None:
    name = f"{shared_registry.name}/team/orders-{secrets.token_hex(4)}"
    image = build(name, "v1")
    assert image.reference == f"{name}:v1"
    assert shared_registry.blob_path(image.push()).exists()
    assert len(build(name, None).tag) == 16


def test_dependencies_files_and_variables(build: Build, inside: Inside) -> None:
    image = build(
        packages=["alpha==1.1"],
        files={"mod.py": "/modules/mod.py", "shared": "/modules/shared"},
        env={"PYTHONPATH": "/modules", "AS_IT_IS": "$PYTHONPATH:x"},
        dockerignore=".ignored",
        workdir="/opt/prefect",
        extra_dockerfile_commands=["ENV PATH=/tools:$PATH", "RUN id -u > /who"],
        nocache=True,
        entrypoints=["flow.py:etl"],
    )
    assert run("flow.py:etl", image=image).result == ["1.1", "copied"]
    shown = inside(image.reference, "sh", "-c", "pwd; ls; echo $AS_IT_IS; echo $PATH | cut -d: -f1; cat /who")
    assert shown.split() == [
        *("/opt/prefect", "Dockerfile", "flow.py", "imagekit.toml", "indexes.txt", "shared"),
        *("$PYTHONPATH:x", "/tools", "0"),
    ]
    # From any working directory.
    program = "import mod, shared.one, shared.inner.two as two; print(mod.WHAT, shared.one.ONE, two.TWO)"
    assert inside(image.reference, "python", "-c", program, options=["--workdir", "/"]).split() == ["copied", "1", "2"]


def test_a_base_that_is_in_the_engine_alone(
    build: Build, inside: Inside, build_image: Callable[..., str], python_image: str
) -> None:
    base = build_image(f"FROM {python_image}\nRUN echo of-the-base > /mark\n", {})
    assert inside(build(base_image=base).reference, "cat", "/mark").strip() == "of-the-base"


def test_a_dockerfile(build: Build, engine: Engine) -> None:
    image = build(dockerfile="Dockerfile")
    assert engine.image(image.reference) is not None


def test_dependencies_with_extras(build: Build, inside: Inside, root: Path) -> None:
    mark = secrets.token_hex(8)
    write_wheel(root / "offered", "tool", "1.0", {"tool.py": f"MARK = {mark!r}\n"})
    requires = ("tool; extra == 'github'",)
    write_wheel(root / "offered", "framework", "1.0", {"framework.py": f"MARK = {mark!r}\n"}, requires=requires)
    (root / "indexes.txt").write_text(f"--no-index\n--find-links {root / 'offered'}\n")
    image = build(packages=["framework[github]"])
    assert inside(image.reference, "python", "-c", "import framework, tool; print(tool.MARK)").strip() == mark


def test_without_the_health_check(build: Build, root: Path) -> None:
    (root / "flow.py").write_text("import no_such_module\n\n\ndef etl():\n    return 1\n")
    with pytest.raises(CheckFailed, match="no_such_module"):
        build(entrypoints=["flow.py:etl"])
    assert build(entrypoints=["flow.py:etl"], health_check=False).image_id


def test_a_package_of_the_project_s_own(build: Build, root: Path, inside: Inside) -> None:
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "src" / "ours").mkdir(parents=True)
    (root / "src" / "ours" / "__init__.py").write_text("HERE = 'importable'\n")
    image = build()
    program = "import ours; print(ours.HERE)"
    assert inside(image.reference, "python", "-c", program, options=["--workdir", "/"]).strip() == "importable"
