"""The examples that each command's --help shows are typed, in a project that has what they name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from .blocks import COMMANDS, HEADING, ROOT, Block, blocks
from .command_worlds import LOOKED_UP, POLLS, TRUSTED_BY_BUILDS, WORLDS
from .conftest import StartReading
from .reader import Reader
from .worlds import IMAGES, PROJECT, writes

# Quick ones, which want no engine, stand for all of them in `make test`.
LEAN = frozenset({"config", "init"})


def sections() -> dict[str, Block]:
    """The examples of each command, by its words without ``imagekit``."""
    text = (ROOT / COMMANDS).read_text("utf-8")
    headings = [(text.count("\n", 0, match.start()) + 1, match["words"]) for match in HEADING.finditer(text)]
    found = {}
    for block in blocks(COMMANDS):
        [*_, words] = [words for line, words in headings if line < block.line]
        found[words] = block
    return found


SECTIONS = sections()


def params() -> list[object]:
    found: list[object] = []
    for words in SECTIONS:
        lean = words.split()[0] in LEAN
        marks = () if lean else (pytest.mark.soak, pytest.mark.xdist_group("connected_engine"))
        found.append(pytest.param(words, marks=marks))
    return found


def test_every_command_has_examples() -> None:
    text = (ROOT / COMMANDS).read_text("utf-8")
    assert [match["words"] for match in HEADING.finditer(text)] == list(SECTIONS)
    assert len(SECTIONS) > 60
    assert set(WORLDS) - set(SECTIONS) == set()


@pytest.mark.parametrize("words", params())
def test_what_help_shows_can_be_typed(words: str, reader: StartReading, tmp_path: Path) -> None:
    world = WORLDS[words]
    lean = words.split()[0] in LEAN
    somebody = reader(*world.needs, connected=True) if not lean else alone(tmp_path)
    writes(somebody, COMMANDS, {**PROJECT, **world.files})
    if world.images:
        somebody.types(COMMANDS, *IMAGES)
    somebody.types(COMMANDS, *world.before)
    for name, command in LOOKED_UP.items():
        if name in SECTIONS[words].text and not lean:
            somebody.stand_ins[name] = somebody.looks_up(command)
    if "SSL_CERT_FILE" in os.environ and not lean:
        somebody.stand_ins |= TRUSTED_BY_BUILDS
    if world.polls:
        somebody.does(replace(SECTIONS[words], language="bash", text=POLLS, elsewhere=True))
    for line in SECTIONS[words].text.splitlines():
        block = replace(SECTIONS[words], text=f"{line}\n")
        if words == "worker start" and "--run-once" not in line:
            somebody.does(replace(block, elsewhere=True))
            somebody.types(COMMANDS, "until imagekit worker ls | grep -q online; do sleep 0.2; done")
            somebody.leaves()
        else:
            somebody.does(block)
    somebody.types(COMMANDS, *world.after)


def alone(directory: Path) -> Reader:
    """Somebody without an engine."""
    variables = {"IMAGEKIT_ENGINE": f"unix://{directory}/no.sock", "IMAGEKIT_CACHE_DIR": str(directory / "cache")}
    return Reader(home=directory / "home", directory=directory / "here", variables=variables)
