"""What README.md says of benchmarks is what the kept results hold."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.readme import PICTURE, ROOT, block, kept_results, picture, with_block

MAKE = "run make report"


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [root.attrib["aria-label"], *(each.text or "" for each in root.iter() if each.tag.endswith("}text"))]


def test_the_figures_of_the_readme_are_those_of_the_kept_results() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert with_block(readme, block(kept_results())) == readme, MAKE
    assert str(PICTURE) in readme


def test_the_picture_of_the_readme_is_of_the_kept_results() -> None:
    # Its geometry may be another with other fonts; what it says may not.
    assert texts((ROOT / PICTURE).read_text("utf-8")) == texts(picture(kept_results())), MAKE


def test_a_readme_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_block("# imagekit\n", "")
