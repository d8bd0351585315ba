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
from imagekit.report.image_page import image_page
from imagekit.report.page import html
from imagekit.report.picture import pictured
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
        title = figure.find("h3")
        assert title.get("id") in figure.get("aria-labelledby").split()
        assert words(figure.find(".//summary")) == f"{words(title)}: figures as a table"
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


def test_every_row_of_a_table_has_a_head_and_no_two_columns_have_one_name(tree: Any) -> None:
    tables = tree.findall(".//table")
    assert len(tables) > 10
    for table in tables:
        heads = [words(each) for each in table.findall("thead/tr/th")]
        assert len(set(heads)) == len(heads)
        for row in table.findall("tbody/tr"):
            first, *others = row
            assert (first.tag, first.get("scope")) == ("th", "row")
            assert {each.tag for each in others} == {"td"}


def runs_of_several_days() -> list[Results]:
    """Three runs on two machines, the last of which measured nothing new."""
    first = documents.results(
        documents.case("data-cold", documents.row("data/cold", title="cold")),
        documents.case("data-tail", documents.row("data/tail-push")),
        started="2026-11-20T08:30:00+00:00",
    )
    second = documents.results(
        documents.case("api-cold", documents.row("api/size", title="size of the image")),
        documents.case("data-tail", documents.row("data/tail-push")),
        started="2026-11-21T09:00:00+00:00",
    )
    third = documents.results(
        documents.case("data-cold", documents.failed("data/cold", "no")), started="2026-11-22T10:00:00+00:00"
    )
    return [read(each) for each in ({**first, "machine": {"cpu": "another", "cores": 4}}, second, third)]


def test_what_is_of_several_runs_says_so_and_each_row_its_own() -> None:
    page = bench_page(runs_of_several_days())
    assert page.lead == [
        "Measured 2026-11-20 and 2026-11-21 on 4 cores (another) or 2 cores (a processor) with Docker 26. "
        "The table of all rows tells the run of each.",
        "A later run has no figures of data-cold; shown is what was measured before.",
    ]
    ((_, table),) = next(each.tables for each in page.sections if each.title == "All rows")
    assert [(row[0], row[-1]) for row in table.rows] == [
        ("data/cold", "2026-11-20 08:30 UTC"),
        ("data/tail-push", "2026-11-21 09:00 UTC"),
        ("api/size", "2026-11-21 09:00 UTC"),
    ]
    # The same words as of the run's own table.
    shown = words(parsed(html(page)))
    assert "The run of 2026-11-20 08:30 UTC: latest.json" in shown


def test_one_run_is_told_once() -> None:
    page = bench_page([read(everything())])
    assert page.lead == ["Measured 2026-11-21 on 2 cores (a processor) with Docker 26."]
    ((_, table),) = next(each.tables for each in page.sections if each.title == "All rows")
    assert table.head[-1] == "rounds"


def test_a_card_says_which_set_where_it_is_not_the_main_one() -> None:
    glance = next(each for each in bench_page(runs_of_several_days()).sections if each.title == "At a glance")
    assert [card.title for card in glance.cards] == ["Title of data/tail-push", "Cold", "Size of the image (set api)"]


def test_what_grows_has_curves_and_no_bars() -> None:
    page = bench_page([read(everything())])
    titles = [each.title for each in page.sections]
    assert "Growth" in titles
    assert "Scenarios: data" in titles
    assert "Scenarios: growth" not in titles
    grown = next(each for each in page.sections if each.title == "Growth")
    assert [each.title for each in grown.figures] == ["Time, by packages", "Memory at most, by packages"]


def test_the_same_results_are_the_same_page(page: str) -> None:
    assert html(bench_page([read(everything())])) == page


def test_results_without_a_row_say_so() -> None:
    assert "nothing was measured" in html(bench_page([read(documents.results())]))


def test_key_rows_are_those_that_were_measured() -> None:
    assert [row.name for row in key_rows(read(everything()).cases)] == [
        "data/tail-push",
        "data/cold",
        "data/size",
        "start/medium-warm",
    ]


def test_a_key_row_is_of_the_main_set_whichever_was_measured_last() -> None:
    heavy, main = (documents.case(name, documents.row(f"{name}/cold")) for name in ("ml", "data"))
    assert [row.name for row in key_rows(read(documents.results(heavy, main)).cases)] == ["data/cold"]
    assert [row.name for row in key_rows(read(documents.results(heavy)).cases)] == ["ml/cold"]


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
