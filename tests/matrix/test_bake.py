"""The bake file's text; that it builds is seen in ``tests/e2e/test_matrix.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InvalidProject
from imagekit.matrix.bake import Target, bake_file, target_names
from imagekit.matrix.bake_directory import prepare, write_bake_file


def targets(*labels: str) -> list[Target]:
    return [Target(label=label, directory=label, tags=("1",)) for label in labels]


def test_each_target_has_a_name_of_its_own() -> None:
    names = target_names(targets("1.0-core", "1_0-core", "1+0-core", "uv", "cell"))
    assert names == ["1_0-core", "1_0-core_", "1_0-core__", "uv_", "cell_"]


def test_texts_come_out_as_they_are() -> None:
    text = bake_file('a"b\\c${d}%{e}', targets("x"))
    assert 'default = "a\\"b\\\\c$${d}%%{e}"' in text


def test_uv_of_an_image_needs_no_target() -> None:
    text = bake_file("a/b", targets("x"), uv_image="registry.example.com/uv:1")
    assert 'target "uv"' not in text
    assert "contexts" not in text
    assert 'tags = ["${MATRIX_NAME}:1"]' in text


def test_a_directory_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    for text in (b"# \xff\n", b"# mine\n"):
        (tmp_path / "docker-bake.hcl").write_bytes(text)
        with pytest.raises(InvalidProject, match="not imagekit's"):
            prepare(tmp_path, "uv:1")
    (tmp_path / "file").touch()
    with pytest.raises(InvalidProject, match="cannot be written"):
        prepare(tmp_path / "file", "uv:1")
    assert (tmp_path / "docker-bake.hcl").read_text() == "# mine\n"


def test_contexts_of_a_former_choice_go(tmp_path: Path) -> None:
    def bake(*labels: str, uv_image: str | None = None) -> set[str]:
        prepare(tmp_path, uv_image)
        for label in labels:
            (tmp_path / label).mkdir(exist_ok=True)
        write_bake_file(tmp_path, "a/b", targets(*labels), uv_image)
        return {each.name for each in tmp_path.iterdir() if each.is_dir()}

    assert bake("1.0-core", "1.0-full") == {"1.0-core", "1.0-full", "uv"}
    # What nobody's file names is somebody else's.
    (tmp_path / "mine").mkdir()
    (tmp_path / "docker-bake.hcl").open("a").write('  context = ".."\n  context = "../x"\n')
    assert bake("1.0-full", "2.0+local", uv_image="uv:1") == {"1.0-full", "2.0+local", "mine"}
