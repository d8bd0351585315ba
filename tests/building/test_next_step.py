"""What a build says to do next is what the image is for."""

from __future__ import annotations

from pathlib import Path

from imagekit.explaining.next_step import next_step
from imagekit.spec.read import read_spec

SERVICE = """
[project]
name = "shop"
version = "1"
scripts = { shop = "shop:main", restock = "shop:restock" }
"""


def test_a_flow_that_the_image_is_for_goes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SERVICE)
    (tmp_path / "shop.py").write_text("def main(): ...\n\n\ndef restock(): ...\n")
    (tmp_path / "my flows").mkdir()
    (tmp_path / "my flows/etl.py").write_text("def run(): ...\n")
    spec = read_spec(tmp_path, entrypoints=["my flows/etl.py:run", "shop.py:main"])
    assert next_step(spec, "shop:v1") == "imagekit run 'my flows/etl.py:run' --image shop:v1"


def test_then_a_script_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SERVICE)
    (tmp_path / "shop.py").write_text("def main(): ...\n\n\ndef restock(): ...\n")
    assert next_step(read_spec(tmp_path), "shop:v1") == "docker run --rm shop:v1 shop"


def test_and_else_any_flow(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("idna\n")
    assert next_step(read_spec(tmp_path), "x:1") == "imagekit run FILE.py:FUNCTION --image x:1"
