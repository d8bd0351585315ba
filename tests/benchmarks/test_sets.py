"""The committed sets: pinned, hashed, from no index in particular, and movable."""

from __future__ import annotations

import re

import pytest

from benchmarks.change_cases import OTHER_PYTHON
from benchmarks.growth_cases import AT_ONCE, PACKAGES, SET
from benchmarks.sets import SETS, Locks, PackageSet, moved, pylock_packages

NAMES = sorted(path.name for path in SETS.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_hashes_and_every_move_another_version(name: str) -> None:
    packages = PackageSet(name)
    for role in ("tail", "large", "drawn"):
        moves = packages.moves(role)
        assert moves
        for pin in moves:
            assert pin.version != packages.pins[pin.package].version
    drawn = [pin.package for pin in packages.moves("drawn")]
    assert len(set(drawn)) == len(drawn) == packages.settings["drawn"]
    for pin in [*packages.pins.values(), *packages.moves("tail"), *packages.moves("drawn")]:
        assert pin.hashes
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in pin.hashes)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_added_is_new_and_another_python_has_the_same_versions(name: str) -> None:
    packages = PackageSet(name)
    assert [pin.package for pin in packages.moves("add")] == packages.settings["add"]
    assert not {pin.package for pin in packages.moves("add")} & set(packages.pins)
    other = packages.on(OTHER_PYTHON).pins
    both = other.keys() & packages.pins.keys()
    assert {n: other[n].version for n in both} == {n: packages.pins[n].version for n in both}
    # But for what is needed on one of them alone.
    assert len(both) > 0.9 * len(packages.pins)
    assert all(pin.hashes for pin in (*other.values(), *packages.moves("add")))
    # Of a package without compiled files it is the same wheel.
    assert any(other[n].hashes == packages.pins[n].hashes for n in both)
    assert any(other[n].hashes != packages.pins[n].hashes for n in both)


def test_a_set_that_grows_has_its_first_packages_in_order() -> None:
    packages = PackageSet(SET)
    assert tuple(packages.settings["points"]) == PACKAGES
    assert len(packages.pins) == PACKAGES[-1]
    part = packages.first(5)
    assert part.direct.split() == list(part.pins) == list(packages.pins)[:5]
    assert set(part.pins) == {"requests", "urllib3", "idna", "certifi", "charset-normalizer"}
    assert (part.imports, packages.first(2).imports) == (["requests"], [])
    assert len(part.moves("tail")) >= max(AT_ONCE)
    assert part.moves("tail")[0].package in part.pins


@pytest.mark.parametrize("name", NAMES)
def test_no_file_names_an_index(name: str) -> None:
    for path in (SETS / name).iterdir():
        assert "://" not in path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_set_less_its_leaf_asks_for_one_thing_less(name: str) -> None:
    packages = PackageSet(name)
    direct, pins = packages.without_leaf()
    assert len(direct.splitlines()) == len(packages.direct.splitlines()) - 1
    assert set(packages.pins) - set(pins) == {packages.settings["leaf"]}


def test_a_lock_has_the_pinned_files_and_a_moved_one_differs_by_one_package() -> None:
    packages = PackageSet("tiny")
    locks = Locks("3.11.2", "x86_64-manylinux_2_36")
    before = pylock_packages(locks.lock(packages.pins.values()))
    pin = packages.moves("tail")[0]
    after = pylock_packages(locks.lock(moved(packages.pins, pin).values(), note="another"))
    assert {p["name"]: p["version"] for p in before} == {n: p.version for n, p in packages.pins.items()}
    for package in before:
        taken = {wheel["hashes"]["sha256"] for wheel in package["wheels"]}
        assert taken <= set(packages.pins[package["name"]].hashes)
    assert [a["name"] for b, a in zip(before, after, strict=True) if a != b] == [pin.package]
