"""Every command that a page shows is typed, in its order, and what the page says is seen then is seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import ROOT, RUN, Block, blocks, pages
from .conftest import StartReading
from .worlds import WORLDS, World, before

# One page stands for all of them where time counts: the first that a newcomer reads.
FIRST = "docs/tutorial.md"
# How many blocks of each page nobody can run here; the page says of each why.
NOT_RUN = {"README.md": 1, "docs/how-to/sql-server.md": 1, "docs/prefect.md": 1}
_LOOKS_TYPED = re.compile(r"(?m)^(?:\$ |imagekit |docker |pip |make |kubectl |uv )")


def with_commands() -> list[str]:
    return [page for page in pages() if any(block.is_run for block in blocks(page))]


@pytest.mark.soak
@pytest.mark.xdist_group("connected_engine")
@pytest.mark.parametrize("page", with_commands())
def test_a_page_is_what_happens(page: str, reader: StartReading, tmp_path: Path) -> None:
    somebody = before(page, reader, tmp_path / "cache")
    for block in blocks(page):
        somebody.does(block)
    somebody.types(page, *WORLDS.get(page, World()).after)


@pytest.mark.xdist_group("own_engine")
def test_the_first_page_is_what_happens(reader: StartReading, tmp_path: Path) -> None:
    somebody = before(FIRST, reader, tmp_path / "cache", connected=False)
    for block in blocks(FIRST):
        if not block.dear:
            somebody.does(block)


@pytest.mark.parametrize("page", pages())
def test_what_is_not_run_says_why(page: str) -> None:
    marked = [block for block in blocks(page) if block.not_run is not None]
    assert len(marked) == NOT_RUN.get(page, 0), [block.place for block in marked]
    for block in marked:
        assert block.language in RUN, block.place
        reason = str(block.not_run)
        assert len(reason.split()) >= 4, f"{block.place}: a reason, please"
        # Who runs it instead is there.
        assert [name for name in re.findall(r"(?:tests|docs)/[\w/.-]+", reason) if not (ROOT / name).exists()] == []


def test_what_make_test_passes_over_is_of_the_first_page() -> None:
    dear = [block for page in pages() for block in blocks(page) if block.dear]
    assert {block.page for block in dear} == {FIRST}
    assert len(dear) == 1


@pytest.mark.parametrize("page", pages())
def test_no_command_hides_in_a_block_of_another_kind(page: str) -> None:
    def hides(block: Block) -> bool:
        return block.language in ("", "text") and _LOOKS_TYPED.search(block.text) is not None

    assert [block.place for block in blocks(page) if hides(block)] == []
