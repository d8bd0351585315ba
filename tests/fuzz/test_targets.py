"""A short run of every fuzz target, the same each time; ``make fuzz`` runs them for minutes, guided by coverage."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import SEEDS, TARGETS, WORDS

_RUNS = {"requirements-file": 400, "toml-table": 300, "environment": 300}


def mutated(seeds: tuple[bytes, ...], source: random.Random) -> bytes:
    """One of ``seeds`` after a few cuts, copies, splices and words put in."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 6)):
        at, end = sorted(source.randint(0, len(data)) for _ in range(2))
        match source.randrange(5):
            case 0:
                data[at:at] = source.choice(WORDS)
            case 1:
                data[at : min(end, at + 8)] = b""
            case 2:
                data[at:at] = data[at:end]
            case 3:
                data[at:end] = source.choice(seeds)[at:end]
            case _:
                data[at:at] = bytes([source.randrange(256)])
    return bytes(data[:2000])


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_answers_or_refuses(name: str) -> None:
    source = random.Random(name)
    for seed in SEEDS[name]:
        TARGETS[name](seed)
    for _ in range(_RUNS.get(name, 2000)):
        data = mutated(SEEDS[name], source)
        try:
            TARGETS[name](data)
        except BaseException as fault:
            raise AssertionError(f"{name} with {data!r}") from fault
