"""Pictures of a run's results, as SVG: ``python -m benchmarks.drawing [RESULTS.json] [DIRECTORY]``.

One bar for each way to start, by its median with the quartiles marked, on an axis from zero. What is drawn is
what the document holds, and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.summary import Summary

_PREFIX = "start-"
_OURS, _THEIRS, _REFERENCE = "#2563eb", "#9ca3af", "#111827"
_REFERENCES = ("baked", "default image")


def draw(results: Mapping[str, Any], directory: Path) -> list[Path]:
    """A file ``start-SET.svg`` below ``directory`` for each case of starts in ``results`` that has samples."""
    drawn = []
    for case in results["cases"]:
        if case["name"].startswith(_PREFIX) and case["samples"]:
            drawn.append(_starts(case, directory / f"{case['name']}.svg"))
    return drawn


def starts(case: Mapping[str, Any]) -> list[tuple[str, Summary]]:
    """What each way to start took until the first line, in seconds, the quickest first."""
    found = {
        side: Summary.of([sample["first line"] for sample in samples])
        for side, samples in case["samples"].items()
        if samples
    }
    return sorted(found.items(), key=lambda entry: entry[1].median)


def _starts(case: Mapping[str, Any], path: Path) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sides = starts(case)
    # Text stays text, and the same results make the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "imagekit", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, 0.52 * len(sides) + 1.3), layout="constrained")
        axes = figure.subplots()
        places = range(len(sides))
        medians = [summary.median for _, summary in sides]
        axes.barh(places, medians, height=0.62, color=[_colour(name) for name, _ in sides])
        axes.errorbar(
            medians,
            places,
            xerr=_spread([summary for _, summary in sides]),
            fmt="none",
            ecolor="#374151",
            elinewidth=1,
            capsize=3,
        )
        for place, (_, summary) in zip(places, sides, strict=True):
            axes.text(max(summary.median, summary.high), place, f"  {summary.median:.2f} s", va="center", fontsize=9)
        axes.set_yticks(places, [name for name, _ in sides])
        axes.invert_yaxis()
        axes.set_xlim(0, max(summary.high for _, summary in sides) * 1.14)
        axes.set_xlabel("seconds until the first line (median; bars: quartiles)")
        axes.set_title(case["title"], fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Title": case["title"]})
    return path


def _spread(found: Sequence[Summary]) -> list[list[float]]:
    return [[max(0.0, s.median - s.low) for s in found], [max(0.0, s.high - s.median) for s in found]]


def _colour(side: str) -> str:
    return _REFERENCE if side in _REFERENCES else _THEIRS if side.endswith("at start") else _OURS


def main() -> None:
    here = Path(__file__).with_name("results")
    words = [Path(word) for word in sys.argv[1:]]
    source, target = [*words, *(here / "latest.json", here)[len(words) :]][:2]
    for path in draw(json.loads(source.read_text()), target):
        print(path)


if __name__ == "__main__":
    main()
