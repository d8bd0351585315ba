"""The bases of a matrix; those that are made and pulled are in ``tests/e2e/test_matrix.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import EngineNotFound
from imagekit.matrix.base_image_matrix import BaseImageMatrix
from imagekit.settings import Settings


@pytest.mark.parametrize("source", ["", '[base]\nsource = "local"\nimage = "mine:{python}"\n'])
def test_no_engine_is_told_once_and_not_by_each_cell(tmp_path: Path, source: str) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text(
        'name = "a/b"\npython = ["3.11", "3.13"]\n[[category]]\nname = "core"\nrequirements = ["six"]\n'
        f'[[tag]]\nname = "{{python}}"\n{source}'
    )
    settings = Settings.load({"DOCKER_HOST": f"unix://{tmp_path}/dead.sock", "XDG_CACHE_HOME": str(tmp_path / "cache")})
    matrix = BaseImageMatrix.load(file)
    with pytest.raises(EngineNotFound):
        matrix.plan(settings=settings)
    with pytest.raises(EngineNotFound):
        matrix.build(settings=settings)
