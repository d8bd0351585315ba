"""Every command that a page shows is typed, in its order, and what the page says is seen then is seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .blocks import ROOT, RUN, blocks, pages
from .conftest import StartReading
from .worlds import before

# One page stands for all of them where time counts: the first that a newcomer reads.
LEAN = {"docs/tutorial.md"}
# How many blocks of each page nobody can run here; the page says of each why.
NOT_RUN: dict[str, int] = {
    "README.md": 4,
    "docs/advise.md": 1,
    "docs/conda.md": 2,
    "docs/deployments.md": 2,
    "docs/flow-sources.md": 2,
    "docs/how-to/ci.md": 1,
    "docs/how-to/conda.md": 2,
    "docs/how-to/prefect.md": 2,
    "docs/how-to/sql-server.md": 2,
    "docs/matrix.md": 3,
    "docs/platforms.md": 1,
    "docs/prefect.md": 4,
    "docs/recipes.md": 2,
    "docs/runs.md": 2,
    "docs/tutorial.md": 1,
}
_LOOKS_TYPED = re.compile(r"(?m)^(?:\$ |imagekit |docker |pip |make |kubectl |uv )")


def params() -> list[object]:
    with_commands = [page for page in pages() if any(block.is_run for block in blocks(page))]
    return [pytest.param(page, marks=() if page in LEAN else pytest.mark.soak) for page in with_commands]


@pytest.mark.xdist_group("own_engine")
@pytest.mark.parametrize("page", params())
def test_a_page_is_what_happens(page: str, reader: StartReading, tmp_path: Path) -> None:
    somebody = before(page, reader, tmp_path / "cache")
    for block in blocks(page):
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


@pytest.mark.parametrize("page", pages())
def test_no_command_hides_in_a_block_of_another_kind(page: str) -> None:
    hidden = [
        block.place for block in blocks(page) if block.language in ("", "text") and _LOOKS_TYPED.search(block.text)
    ]
    assert hidden == []
