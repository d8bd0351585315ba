"""Pages hold all that was measured, escape what names hold, and fetch nothing."""

from __future__ import annotations

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import html5lib
import pytest

from imagekit.errors import InputError
from imagekit.report.bench_page import bench_page, key_rows
from imagekit.report.figures import against_targets, scenarios, starts, strategies
from imagekit.report.image_figures import layer_change
from imagekit.report.image_page import image_page
from imagekit.report.page import html
from imagekit.report.picture import fates, pictured
from imagekit.report.results import Results, read_results
from tests.report import documents
from tests.report.documents import HOSTILE, everything, image

# What a browser would fetch by: attributes, style sheets, scripts.
FETCHES = re.compile(r"""(?i)<script|<link|<iframe|<img|@import|url\(|\s(?:src|xlink:href|srcset)\s*=|\bhref="(?!#)""")


def read(document: dict[str, Any]) -> Results:
    return read_results(json.dumps(document), "latest.json")


def parsed(text: str) -> Any:
    """The document's tree; html5lib raises where it is not valid HTML."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def words(tree: Any) -> str:
    return " ".join(" ".join(tree.itertext()).split())


@pytest.fixture(scope="module")
def page() -> str:
    return html(bench_page([read(everything())]))


@pytest.fixture(scope="module")
def tree(page: str) -> Any:
    return parsed(page)


def test_the_page_fetches_nothing(page: str) -> None:
    assert FETCHES.search(page) is None
    assert "default-src 'none'" in page


def test_all_rows_are_on_it(tree: Any) -> None:
    shown = words(tree)
    for case in everything()["cases"]:
        for row in case["rows"]:
            assert row["name"] in shown
            assert row["title"] in shown
    assert "failed: it did not start" in shown


def test_a_hostile_name_is_text(page: str, tree: Any) -> None:
    assert tree.findall(".//script") == []
    assert "alert('x')" in words(tree)
    assert "\x1b" not in page


def test_every_chart_is_described_and_has_a_table(tree: Any) -> None:
    figures = tree.findall(".//figure")
    assert len(figures) > 6
    for figure in figures:
        charts = [each for each in figure if each.tag.endswith("svg")]
        assert charts
        assert all(chart.get("role") == "img" and chart.get("aria-label") for chart in charts)
        assert figure.find(".//table") is not None
    order = [int(each.tag[1]) for each in tree.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert order[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(order))
    names = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(set(names)) == len(names)


def test_the_same_measured_of_two_sets_is_told_apart() -> None:
    rows = [documents.row(f"{name}/cold", title="cold") for name in ("data", "api")]
    images = {"before": image(), "after": image(moved="1.1")}
    cases = [documents.case(f"x-{n}", row, images=images, title="moved") for n, row in enumerate(rows)]
    tree = parsed(html(bench_page([read(documents.results(*cases))])))
    labels = [each.get("aria-label") for each in tree.iter() if each.get("role") == "region"]
    assert len(labels) == len(set(labels))
    assert {"Scenarios: data: Cold", "Scenarios: api: Cold"} < set(labels)
    headings = ["".join(each.itertext()) for each in tree.iter("h2")]
    assert "Layers: api, moved" in headings
    assert len(headings) == len(set(headings))


def test_the_same_results_are_the_same_page(page: str) -> None:
    assert html(bench_page([read(everything())])) == page


def test_results_without_a_row_say_so() -> None:
    assert "nothing was measured" in html(bench_page([read(documents.results())]))


def test_targets_are_shares_of_what_must_be_kept() -> None:
    figure = against_targets(read(everything()).cases)
    assert figure is not None
    values = {row["label"]: row["value"] for row in figure.wide["data"]["values"]}
    assert values["data: title of data/cold"] == pytest.approx(0.75 / 0.8)
    assert values["data: title of data/tail-push"] == pytest.approx(0.5)
    assert "data: title of data/files" not in values
    # What failed has met no target.
    assert values["data: title of data/broken"] == 0
    assert figure.words.startswith(f"{len(values) - 1} of {len(values)} targets are met.")


def test_nothing_may_be_left_and_something_is_far_beyond_that() -> None:
    none = {"theirs": None, "must": 0, "aim": None, "unit": "n"}
    kept, left = documents.row("run/threads", ours=0, **none), documents.row("run/files", ours=3, **none)
    cases = read(documents.results(documents.case("run-many", kept, {**left, "verdict": "missed"}))).cases
    figure = against_targets(cases)
    assert figure is not None
    first, second = (row["value"] for row in figure.wide["data"]["values"])
    assert first == 0
    assert second > 1
    assert [each.title for each in scenarios(cases[0])] == ["Title of run/threads", "Title of run/files"]


def test_what_has_no_peer_has_a_chart_of_its_own() -> None:
    none = {"theirs": None, "must": 0, "aim": None, "unit": "n", "ours": 0}
    names = ("run/containers", "run/threads")
    case = documents.case("run-many", *(documents.row(name, **none) for name in names))
    found = list(scenarios(read(documents.results(case)).cases[0]))
    assert [len(each.table.rows) for each in found] == [1, 1]


def test_peers_of_one_measure_stand_in_one_chart() -> None:
    first = next(scenarios(read(everything()).cases[0]))
    assert [row["label"] for row in first.wide["data"]["values"]] == ["imagekit", "uv Dockerfile", f"pip {HOSTILE}"]
    assert first.words.startswith("1.3 × as fast as uv Dockerfile; 3 × as fast as pip")


def test_many_peers_have_room_and_one_that_was_not_measured_is_named() -> None:
    (figure,) = scenarios(read(everything()).cases[-1])
    assert figure.title == "Cold: the set api"
    labels = ["imagekit", "uv Dockerfile", "Prefect DockerImage (docker-py)", "BentoML"]
    assert [row["label"] for row in figure.wide["data"]["values"]] == labels
    assert figure.narrow is not None
    assert figure.narrow["width"] < figure.wide["width"]
    assert figure.words == (
        "1.3 × as fast as uv Dockerfile, which takes the least of its peers; "
        "X is not to be had there: no registry has its base"
    )


def test_the_break_even_is_said() -> None:
    case = read(everything()).cases[2]
    assert strategies(case) == {
        "uv at start": (0.0, 6.0),
        "pip at start": (0.0, 20.0),
        "extras": (8.0, 2.0),
        "baked": (20.0, 1.0),
    }
    _, pays = starts(case)
    assert "baked instead of extras pays from 12 starts on" in pays.words.lower()
    assert "extras instead of uv at start pays from 2 starts on" in pays.words


def test_key_rows_are_those_that_were_measured() -> None:
    assert [row.name for row in key_rows(read(everything()).cases)] == [
        "data/tail-push",
        "data/cold",
        "data/size",
        "start/medium-warm",
    ]


def test_one_moved_pin_is_one_other_layer() -> None:
    before, after = pictured(image()), pictured(image(moved="1.1"))
    assert fates(before, after) == ("kept", "kept", "new", "again", "again")
    assert fates(before, before) == ("kept",) * 5
    assert layer_change(before, after).words.startswith("1 of 5 layers are other ones: 300 kB of 170 MB.")
    assert [row[0] for row in layer_change(before, after).table.rows] == ["removed", "added"]


def test_the_page_of_an_image() -> None:
    text = html(image_page(pictured(image(name=HOSTILE))))
    tree = parsed(text)
    assert FETCHES.search(text) is None
    shown = words(tree)
    for told in ("numpy 2.0", "70.0 MB", "rich 13.7, click 8.1", "imagekit/python:3.11", "https://example.com/orders"):
        assert told in shown
    assert [layer.kind for layer in pictured(image()).layers] == ["base", "package", "package", "packages", "own"]


def test_an_image_that_is_not_ours_and_one_without_a_layer() -> None:
    document = image()
    foreign = [{**layer, "packages": []} for layer in document["layers"]]
    text = html(image_page(pictured({**document, "labels": None, "layers": foreign})))
    assert "None of its layers was assembled by imagekit" in words(parsed(text))
    parsed(html(image_page(pictured({**document, "labels": {}, "layers": [], "size": 0}))))


def test_a_name_of_any_characters_makes_a_valid_page() -> None:
    # One that XML has no place for would end the process in the library that draws.
    odd = [chr(n) for n in (*range(0x120), 0xD800, 0xDFFF, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF, 0x202E, 0x1F4E6)]
    document = image(name="".join(odd))
    document["layers"][1] |= {"title": "".join(odd), "packages": ["".join(odd) + "==1"]}
    tree = parsed(html(image_page(pictured(document))))
    assert {str(each.tag) for each in tree.iter()} & {"script", "iframe", "object"} == set()


@pytest.mark.parametrize("library", ["jinja2", "vl_convert"])
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError) as caught:
        html(image_page(pictured(image())))
    assert caught.value.hint == "install them: pip install 'jinja2>=3.1' 'vl-convert-python>=1.7'"
    asked = '\nreport = ["jinja2>=3.1", "vl-convert-python>=1.7"]\n'
    assert asked in (Path(__file__).parents[2] / "pyproject.toml").read_text()
