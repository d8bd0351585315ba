"""What of results is drawn, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagekit.report.charts import Bar, bars, style
from imagekit.report.figures import against_targets, row_table, scenarios
from imagekit.report.growth_figures import growth
from imagekit.report.image_figures import layer_change
from imagekit.report.picture import fates, pictured
from imagekit.report.results import ALONE, OURS, Case, Results, read_results
from imagekit.report.shown import NARROW, WIDE
from imagekit.report.start_figures import break_even, starts, strategies
from tests.report import documents
from tests.report.documents import HOSTILE, everything, grown, image

AGAIN = ("the same, unpacked again",) * 2


def read(document: dict[str, Any]) -> Results:
    return read_results(json.dumps(document), "latest.json")


def only(case: dict[str, Any]) -> Case:
    (found,) = read(documents.results(case)).cases
    return found


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
    (figure,) = scenarios(read(everything()).cases[3])
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


def test_one_moved_pin_is_one_other_layer() -> None:
    before, after = pictured(image()), pictured(image(moved="1.1"))
    assert fates(before, after) == (
        ("kept", "kept", "gone", "again", "again"),
        ("kept", "kept", "new", "again", "again"),
    )
    assert fates(before, before) == (("kept",) * 5,) * 2


def test_layers_are_drawn_and_told_before_and_after() -> None:
    figure = layer_change(pictured(image()), pictured(image(moved="1.1")))
    assert figure.words.startswith(
        "1 of 5 layers are other ones: 300 kB of 170 MB. 2 more, 91.2 kB, lie above them: an engine unpacks those again"
    )
    assert [row[:4] for row in figure.table.rows] == [
        ("removed", "3", "300 kB", "idna 1.0"),
        ("added", "3", "300 kB", "idna 1.1"),
        ("unpacked again", "4", "90.0 kB", "rich 13.7, click 8.1"),
        ("unpacked again", "5", "1.20 kB", "/app"),
    ]
    for chart in (figure.wide, figure.narrow):
        assert chart is not None
        assert [(row["image"], row["place"], row["what"]) for row in chart["data"]["values"]] == [
            *(("before", n, what) for n, what in enumerate(("the same", "the same", "removed", *AGAIN), 1)),
            *(("after", n, what) for n, what in enumerate(("the same", "the same", "added", *AGAIN), 1)),
        ]
    assert [each.words for each in figure.key] == ["the same", AGAIN[0], "removed", "added"]


def test_an_image_that_stays_has_one_entry_in_the_key_and_no_row() -> None:
    figure = layer_change(pictured(image()), pictured(image()))
    assert figure.words.startswith("0 of 5 layers are other ones: 0 B of 170 MB. A bar")
    assert (figure.table.rows, [each.words for each in figure.key]) == ((), ["the same"])


def test_break_even() -> None:
    assert break_even(0, 6, 8, 2) == 2
    assert break_even(0, 6, 8.1, 2) == 3
    assert break_even(0, 6, 0, 2) == 1  # at once
    assert break_even(0, 2, 8, 6) is None
    assert break_even(0, 2, 8, 2) is None
    assert break_even(0, 2, 0, 2) == 1


def test_growth_says_how_much_of_it_is_the_engines() -> None:
    time, memory = growth(only(documents.growth()))
    assert (time.title, memory.title) == ("Time, by packages", "Memory at most, by packages")
    assert time.words == (
        "imagekit: 0.113 s for each one more; uv Dockerfile: 0.271 s for each one more; "
        "docker load alone: 0.098 s for each one more. "
        "docker load alone takes 87 % of what imagekit takes for each one more: that much is the engine's."
    )
    # Of memory one has no part of the other's.
    assert memory.words.endswith("docker load alone: 981 kB for each one more.")
    assert [row[:2] for row in time.table.rows] == [
        (side, at) for side in (OURS, "uv Dockerfile", ALONE) for at in ("5", "80", "300")
    ]


def test_the_limit_is_told_where_both_lines_are_fitted() -> None:
    def told(*curves: dict[str, Any]) -> str:
        (figure,) = growth(only(documents.case("growth-x", documents.row("growth/x-5"), growth=list(curves))))
        return figure.words

    assert "takes 113 % of what imagekit takes for each one more: the engine is the limit." in told(
        grown(slope=0.1), grown(ALONE, 0.113)
    )
    for curves in (
        [grown()],
        [grown(ALONE)],
        [grown(slope=None), grown(ALONE)],
        [grown(), grown(ALONE, None)],
        [grown(slope=-0.1), grown(ALONE)],
    ):
        assert " %" not in told(*curves)
    assert told(grown(slope=None)) == "By the number of packages."


def test_sides_of_growth_are_told_apart_without_colours() -> None:
    sides = [OURS, "uv Dockerfile", ALONE, "a fourth", "a fifth"]
    (figure,) = growth(only(documents.case("growth-x", growth=[grown(side) for side in sides])))
    assert [each.words for each in figure.key] == sides
    assert len({each.shape for each in figure.key}) == len(sides)
    assert len({(each.dash, each.colour) for each in figure.key[:4]}) == 4
    assert {each.colour for each in figure.key} == {"ours", "line1", "line2", "line3"}
    line, points = figure.wide["layer"]
    assert points["encoding"]["shape"]["scale"] == {"domain": sides, "range": [each.shape for each in figure.key]}
    assert line["encoding"]["strokeDash"]["scale"]["range"] == [list(each.dash or ()) for each in figure.key]
    # Lines are fitted, points are measured.
    assert [row["x"] for row in figure.wide["data"]["values"]] == [5, 300] * 5
    assert [row["x"] for row in points["data"]["values"]] == [5, 80, 300] * 5


def test_what_could_not_be_measured_of_growth_is_named_and_nobody_has_our_colour() -> None:
    case = documents.case(
        "growth-x",
        {**documents.failed("growth/x-5", "no disk left"), "peer": "uv Dockerfile"},
        growth=[grown("uv Dockerfile")],
    )
    (figure,) = growth(only(case))
    assert figure.words.endswith("imagekit failed: no disk left.")
    assert [each.colour for each in figure.key] == ["line1"]


def test_a_label_without_room_is_broken_and_stands_above_its_bar() -> None:
    label = "data: the build and the push after one small package moves, by uv Dockerfile"
    items = [Bar(label=each, text="0.012 of 0.03", value=1.0, colour="ours") for each in (label, "short")]
    assert "line 1" not in bars(items, WIDE)["data"]["values"][0]
    first, second = bars(items, NARROW)["data"]["values"]
    lines = [each for name, each in first.items() if name.startswith("line ")][::-1]
    assert len(lines) > 2
    assert " ".join(lines) == label
    assert (second["line 0"], second["line 1"]) == ("short", "")
    # One more line is as much more room.
    assert bars(items, NARROW)["height"]["step"] - bars(items[1:], NARROW)["height"]["step"] == 17 * (len(lines) - 1)


def test_rows_have_their_run_where_they_are_told() -> None:
    rows = only(documents.case("a", documents.row("s/a"), documents.row("s/b"))).rows
    plain, told = row_table(rows), row_table(rows, ["one", "two"])
    assert len(set(plain.head)) == len(plain.head)
    assert (told.head[:-1], told.head[-1]) == (plain.head, "the run of")
    assert [row[-1] for row in told.rows] == ["one", "two"]


@pytest.mark.parametrize("number", range(12))
def test_every_style_has_a_colour_of_the_page(number: int) -> None:
    from imagekit.report.page import palette

    assert palette().count(f"--{style(number).colour}:") == 2
