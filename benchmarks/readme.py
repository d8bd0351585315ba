"""Key figures of the kept results, and a plot of them, in README.md: ``python -m benchmarks.readme``.

``make report`` calls it. What stands between the markers is made here, from ``results/reference*.json``, and a test
holds it to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.case import OURS
from benchmarks.peers.builder import Builder
from benchmarks.peers.cases import PEERS
from benchmarks.sets import PackageSet
from imagekit.report.bench_page import key_rows
from imagekit.report.drawing import svg
from imagekit.report.figures import beside_peers
from imagekit.report.page import palette
from imagekit.report.results import SETS_OF_BUILDS, Case, Results, Row, latest_cases, other_set, read_results
from imagekit.report.words import amount, headed, relation, when_and_where

ROOT = Path(__file__).parents[1]
PICTURE = Path("docs", "benchmarks.svg")
_PLACE = re.compile(r"(?<=<!-- benchmarks: made by make report -->\n).*?(?=<!-- end -->)", re.DOTALL)
_WIDTH = 700
# Of the cases of all peers: what stands in README.md, by the rows' names and under which heading.
_ALL = {
    "cold": "cold",
    "edit": "code edit",
    "no-op": "no change",
    "tail": "one package moves",
    "tail-bytes": "pushed after it",
    "size": "image",
    "packages": "packages in it",
}
_NONE = "–"
_MAIN = SETS_OF_BUILDS[0]


def kept_results() -> list[Results]:
    """The results that are kept with the code."""
    paths = sorted((ROOT / "benchmarks" / "results").glob("reference*.json"))
    return [read_results(path.read_text("utf-8"), path.name) for path in paths]


def picture(runs: Sequence[Results]) -> str:
    """The key rows beside their peers, as an SVG file of its own."""
    rows = key_rows(latest_cases(runs))
    described = "; ".join(f"{row.title}: {relation(row)}" for row in rows)
    return svg(beside_peers(rows, _WIDTH), described, style=palette()) + "\n"


def block(runs: Sequence[Results]) -> str:
    """The Markdown: the picture, and the same figures as a table."""
    rows = key_rows(latest_cases(runs))
    lines = [
        f"![Key figures beside those of the peers, as the table below has them]({PICTURE})",
        "",
        "A bar that ends before the mark takes less than the peer does.",
        "",
        "| | imagekit | its peer | | rounds |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        assert row.ours is not None
        assert row.ours_at is not None
        assert row.theirs is not None
        other = f" (set `{name}`)" if (name := other_set(row)) else ""
        cells = (
            f"{headed(row.title)}{other}",
            amount(row.ours_at, row.unit),
            f"{amount(row.theirs.median, row.unit)} ({row.peer})",
            relation(row),
            f"{row.ours.count}/{row.theirs.count}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    wheels = len(PackageSet(_MAIN).pins)
    told = (
        f"Builds are of the set `{_MAIN}` ({wheels} wheels) where no other is named. Medians, of the drawn ones that "
        f"of the ratios of single rounds; measured {when_and_where(runs)}."
    )
    return "\n".join([*lines, "", *beside_all(latest_cases(runs)), told, ""])


def beside_all(cases: Sequence[Case]) -> list[str]:
    """A table of all peers for each set that was measured by them, the one with most peers first."""
    names = [row.name for case in cases for row in case.rows]
    sets = dict.fromkeys(name.partition("/")[0] for name in names if "/peers-" in name)
    peers = {
        packages: [peer for peer in PEERS if any(f"{packages}/peers-{each}-{peer.slug}" in names for each in _ALL)]
        for packages in sets
    }
    found = {row.name: row for case in cases for row in case.rows if row.theirs is not None}
    return [
        line
        for packages in sorted(sets, key=lambda each: -len(peers[each]))
        for line in _of_set(packages, peers[packages], found)
    ]


def _of_set(packages: str, peers: Sequence[type[Builder]], found: Mapping[str, Row]) -> list[str]:
    def line(name: str, cells: Iterable[str]) -> str:
        return f"| {name} | {' | '.join(cells)} |"

    by_peer = {peer.name: [found.get(f"{packages}/peers-{each}-{peer.slug}") for each in _ALL] for peer in peers}
    ours = [next(filter(None, column), None) for column in zip(*by_peer.values(), strict=True)]
    lines = [line("", _ALL.values()), "|---" * (len(_ALL) + 1) + "|"]
    lines.append(line(OURS, (amount(row.ours_at or 0.0, row.unit) if row else _NONE for row in ours)))
    for name, rows in by_peer.items():
        lines.append(line(name, (amount(row.theirs.median, row.unit) if row and row.theirs else _NONE for row in rows)))
    wheels = len(PackageSet(packages).pins)
    return [f"Beside all peers, on one engine and one base (the set `{packages}`, {wheels} wheels):", "", *lines, ""]


def with_block(readme: str, made: str) -> str:
    """``readme`` with ``made`` in its place."""
    if _PLACE.search(readme) is None:
        raise ValueError("README.md has no place for the benchmarks' figures")
    return _PLACE.sub(lambda _: made, readme)


def main() -> None:
    runs = kept_results()
    readme = ROOT / "README.md"
    readme.write_text(with_block(readme.read_text("utf-8"), block(runs)), "utf-8")
    (ROOT / PICTURE).write_text(picture(runs), "utf-8")
    print(f"README.md and {PICTURE}: {len(key_rows(latest_cases(runs)))} rows of {', '.join(r.source for r in runs)}")


if __name__ == "__main__":
    main()
