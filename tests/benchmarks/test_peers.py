"""The peers: what each is given, what is told of one that cannot be had, and one built, checked and pushed."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import uv_dockerfile
from benchmarks.case import OURS, PEER, Case, Rounds, Row, Side
from benchmarks.measure import run_case, run_cases
from benchmarks.peers import content, environment
from benchmarks.peers.bases import WITH_PIP
from benchmarks.peers.builder import STORE, Builder
from benchmarks.peers.cases import DOCKERFILES, PEERS, peer_cases
from benchmarks.peers.dockerfiles import PipDockerfile, UvWithoutBytecode
from benchmarks.process import Failed, Unavailable
from benchmarks.report import document, failures, table, unavailable
from benchmarks.sets import PackageSet, Pin
from benchmarks.surroundings import Surroundings
from tests.benchmarks.test_compared import read

FILES = sorted(environment.REQUIREMENTS.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_peers_are_pinned_by_versions_and_by_nothing_else(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*( ; .*)?", line)
        assert "://" not in line


def test_every_peer_that_is_a_package_has_its_version_told() -> None:
    assert set(environment.versions()) == {"prefect", "flytekit", "bentoml", "pip"}
    for name in environment.NAMES:
        assert environment.pinned(name)[name] == environment.versions()[name]


@pytest.mark.parametrize("name", ["flytekit", "bentoml"])
def test_a_set_beside_a_peer_has_all_that_it_asks_for_and_the_peer(name: str) -> None:
    for packages in (PackageSet("api"), PackageSet("tiny")):
        pins = environment.pins_with(name, packages.name)
        assert pins is not None
        assert pins[name].version == environment.versions()[name]
        assert {line.strip() for line in packages.direct.splitlines()} <= set(pins)
    assert environment.pins_with(name, "data") is None


def test_the_two_dockerfiles_of_uv_differ_in_bytecode_and_share_no_cache() -> None:
    whole, without = (
        uv_dockerfile.files("base:1", "", None, bytecode=each)["Dockerfile"].splitlines() for each in (True, False)
    )
    different = [pair for pair in zip(whole, without, strict=True) if pair[0] != pair[1]]
    assert [("UV_COMPILE_BYTECODE" in a, "UV_COMPILE_BYTECODE" in b) for a, b in different] == [
        (True, False),
        (False, False),
    ]
    assert "type=cache,id=uv-no-bytecode," in different[1][1]


@pytest.fixture
def nowhere(tmp_path: Path) -> Any:
    """Surroundings of which nothing is asked."""
    env = {"PATH": os.environ["PATH"], "UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    return types.SimpleNamespace(
        directory=tmp_path, work=tmp_path, environment={**env, "UV_CACHE_DIR": str(tmp_path / "uv")}
    )


def test_every_row_is_of_a_side_and_has_a_name_of_its_own(nowhere: Any) -> None:
    for name, peers in {"api": PEERS, "data": DOCKERFILES}.items():
        cases = list(peer_cases(nowhere, PackageSet(name)))
        assert [case.name for case in cases] == [f"{name}-peers-{each}" for each in ("cold", "unchanged", "tail")]
        rows = [row for case in cases for row in case.rows]
        assert len({row.name for row in rows}) == len(rows)
        for case in cases:
            assert [side.name for side in case.sides] == [OURS, *(peer.name for peer in peers)]
            assert {row.peer for row in case.rows} == {peer.name for peer in peers}
            assert (case.rounds.quick, case.rounds.full > 0) == (0, True)


def test_what_cannot_be_installed_is_unavailable_and_the_reason_is_told(nowhere: Any) -> None:
    with pytest.raises(Unavailable, match=r"^prefect cannot be installed here: .+") as told:
        environment.environment(nowhere, "prefect")
    assert "\n" not in str(told.value)


def test_an_unavailable_peer_fails_nothing_and_says_why() -> None:
    def missing(_: int) -> dict[str, float]:
        raise Unavailable("no registry has its base")

    def broken(_: int) -> dict[str, float]:
        raise Failed("it has not what was asked for")

    def case(*others: Side) -> Case:
        sides = [Side(name=name, measure=lambda _: {"build": 2.0}) for name in (OURS, PEER)]
        names = [PEER, *(side.name for side in others)]
        rows = [Row(name=f"s/{n}", title="cold", ours=("build",), theirs=("build",), peer=n) for n in names]
        rounds = Rounds(quick=2, full=2)
        return Case(name="s-peers-cold", title="c", rows=rows, sides=[*sides, *others], rounds=rounds)

    said: list[str] = []
    first = Side(name="elsewhere", measure=missing)
    results = list(run_cases([case(first)], full=True, say=said.append))
    assert failures(results) == ""
    assert unavailable(results) == "s-peers-cold: no registry has its base"
    assert sum("UNAVAILABLE: no registry" in line for line in said) == 1
    assert "unavailable" in table(results)
    found = read(document(results, started="2026-11-21T00:00:00+00:00", machine={}, versions={}, base="b"))
    assert [(row.verdict, row.error) for row in found.cases[0].rows] == [
        ("noted", ""),
        ("unavailable", "no registry has its base"),
    ]
    both = list(run_cases([case(first, Side(name="broken", measure=broken))], full=True, say=said.append))
    assert failures(both) == "s-peers-cold: it has not what was asked for"


@pytest.fixture(scope="module")
def at() -> Iterator[Surroundings]:
    found = Surroundings()  # a socket's path may not be as long as a test's own directory
    try:
        yield found
    finally:
        found.close()


def test_a_peer_is_built_with_everything_empty_and_every_check_can_refuse(at: Surroundings) -> None:
    packages = PackageSet("tiny")
    (cold,) = (case for case in peer_cases(at, packages, (UvWithoutBytecode,)) if case.name.endswith("cold"))
    result = run_case(cold, 1, lambda _: None)
    assert [row.error for row in result.rows if row.error] == []
    for side in (OURS, UvWithoutBytecode.name):
        (sample,) = result.samples[side]
        assert sample["size"] > 10**7
        assert sample["layers"] >= 3
        assert sample["memory"] > 10**6
    peer = UvWithoutBytecode(at, packages)
    content.has_packages(peer, packages.pins)
    content.has_edition(peer, 0)
    with pytest.raises(Failed, match=r"old /app/app\.py"):
        content.has_edition(peer, 1)
    moved = packages.moves("tail")[0]
    with pytest.raises(Failed, match=f"{moved.package} {packages.pins[moved.package].version}, not {moved.version}"):
        content.has_packages(peer, {moved.package: moved})
    with pytest.raises(Failed, match="nothing-of-the-kind missing, not 1"):
        content.has_packages(peer, {"nothing-of-the-kind": Pin(package="nothing-of-the-kind", version="1", hashes=())})


@pytest.mark.soak
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.slug)
def test_every_peer_builds_edits_moves_pushes_and_is_pulled(at: Surroundings, peer: type[Builder]) -> None:
    packages = PackageSet("tiny")
    for case in peer_cases(at, packages, (peer,)):
        result = run_case(case, 1, lambda _: None)
        assert [row.error for row in result.rows if row.error] == []
        assert set(result.samples) == {OURS, peer.name}
        if case.name.endswith("tail"):
            assert result.samples[peer.name][0]["bytes"] > 10_000
    built = peer(at, packages)
    moved = packages.moves("tail")[0]
    content.has_packages(built, {moved.package: moved})
    content.has_edition(built, 2)


@pytest.mark.soak
def test_what_peers_start_from_is_brought_to_a_further_engine(at: Surroundings) -> None:
    pip = PipDockerfile(at, PackageSet("tiny"))
    for _ in range(2):
        at.empty(STORE)
        pip.seed()
        assert at.docker(STORE, "run", "--rm", "--network", "none", WITH_PIP, "pip", "--version")
