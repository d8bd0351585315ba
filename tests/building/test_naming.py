"""The tag that says what goes in, where requirements and locks name directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.building.inputs import read_inputs
from imagekit.building.naming import asked_reference, content_tag
from imagekit.spec.read import read_spec
from tests.own_repositories import package_files

PYLOCK = 'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "libs"\ndirectory = { path = "libs" }\n'


def project(root: Path, files: dict[str, str]) -> str:
    for name, text in {**package_files("libs", "1", below="libs/"), ".dockerignore": "libs", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return tag(root)


def tag(root: Path) -> str:
    spec = read_spec(root)
    return content_tag(spec, read_inputs(spec))


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "./libs\n"},
        {"requirements.txt": "libs\n", "pylock.toml": PYLOCK},
    ],
)
def test_a_directory_that_is_installed_is_among_what_goes_in(tmp_path: Path, files: dict[str, str]) -> None:
    """It is not among the source here, by ``.dockerignore``, and decides the image nevertheless."""
    before = project(tmp_path / "one", files)
    assert project(tmp_path / "two", files) == before  # wherever it lies
    (tmp_path / "one/libs/libs.py").write_text("VALUE = 2\n")
    assert tag(tmp_path / "one") != before


@pytest.mark.parametrize(
    ("name", "tag", "project", "namespace", "expected"),
    [
        (None, None, "My.Project", None, "my-project"),
        (None, "v1", "Orders", "team", "team/orders:v1"),
        # [tool.imagekit] may name where the image belongs.
        (None, None, "registry.example.com/team/orders", "other", "registry.example.com/team/orders"),
        (None, "v1", "team/my_orders", "registry.example.com", "team/my_orders:v1"),
        ("own/name", None, "team/orders", None, "own/name"),
    ],
)
def test_what_an_image_is_called(
    name: str | None, tag: str | None, project: str, namespace: str | None, expected: str
) -> None:
    found = asked_reference(name, tag, project, namespace)
    assert (found.name if found.tag is None else f"{found.name}:{found.tag}") == expected
