"""What README.md says of benchmarks is what the kept results hold."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.readme import PICTURE, ROOT, beside_all, block, kept_results, picture, with_block
from imagekit.report.results import read_results
from tests.report.documents import case, failed, results, row

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


def test_all_peers_stand_in_a_table_with_what_was_measured_of_them() -> None:
    def peer(what: str, slug: str, name: str, **more: Any) -> dict[str, Any]:
        return row(f"api/peers-{what}-{slug}", peer=name, must=None, aim=None, verdict="noted", **more)

    missing = {**failed("api/peers-cold-bentoml", "no base"), "verdict": "unavailable", "peer": "BentoML"}
    first = case("api-peers-cold", peer("cold", "pip", "pip Dockerfile", ours=2.0, theirs=9.0), missing)
    push = peer("tail-push", "pip", "pip Dockerfile", ours=7.0, theirs=8.0)
    moved = peer("tail", "pip", "pip Dockerfile", ours=3.0, theirs=6.0)
    text = json.dumps(results(first, case("api-peers-tail", push, moved)))
    told = beside_all(read_results(text, "x.json").cases)
    assert told[0] == "Beside all peers, on one engine and one base (the set `api`, 52 wheels):"
    lines = [line for line in told if line.startswith("|")]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in (lines[0], lines[2], *lines[-1:])] == [
        ["", "cold", "code edit", "no change", "one package moves", "pushed after it", "image", "packages in it"],
        ["imagekit", "2.00 s", "–", "–", "3.00 s", "–", "–", "–"],
        ["BentoML", *"–––––––"],
    ]
    assert "| pip Dockerfile | 9.00 s | – | – | 6.00 s | – | – | – |" in lines
    assert beside_all(read_results(json.dumps(results(case("a", row("api/cold")))), "x.json").cases) == []


def test_a_readme_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_block("# imagekit\n", "")
