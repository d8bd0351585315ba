"""An engine of the benchmarks' own: what it must do for the matrix's peers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import uv_dockerfile
from benchmarks.__main__ import by_groups
from benchmarks.case import Case, Rounds
from benchmarks.cells import JOBS
from benchmarks.matrix_case import MATRIX
from benchmarks.surroundings import Surroundings, base_of
from imagekit.matrix.reading import read_matrix


@pytest.mark.soak
def test_the_peers_build_on_every_base_and_several_at_once() -> None:
    """Of no package at all: uv makes its environment by the base's own Python."""
    pythons = read_matrix(MATRIX).python
    at = Surroundings()  # a socket's path may not be as long as a test's own directory

    def build(python: str) -> None:
        place = at.directory / python
        place.mkdir()
        for name, text in uv_dockerfile.files_of_versions(base_of(python), (), at.ca_bundle).items():
            (place / name).write_text(text)
        at.run(uv_dockerfile.build(place, f"peer:{python}", at.ca_bundle), at.engine("classic").env)

    try:
        for python in pythons:
            at.bring_base("classic", python)
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(build, pythons))
        made = at.docker("classic", "images", "peer", "--format", "{{.Tag}}").split()
        assert sorted(made) == sorted(pythons)
    finally:
        at.close()


def test_a_group_of_cases_begins_with_nothing_of_what_others_made() -> None:
    at = Surroundings()
    made: list[bool] = []
    try:

        def look(name: str) -> Case:
            def prepare() -> None:
                made.append((at.work / "made").exists() or bool(at.engines))
                (at.work / "made").touch()
                at.engine("second")

            return Case(name=name, title="", rows=[], sides=[], rounds=Rounds(quick=1, full=1), prepare=prepare)

        for case in by_groups(at, [look("one-a"), look("one-b"), look("two")]):
            case.prepare()
    finally:
        at.close()
    assert made == [False, True, False]
