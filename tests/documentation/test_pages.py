"""Every command that a page shows is typed, in its order, and what the page says is seen then is seen."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .blocks import ROOT, RUN, Block, blocks, pages
from .conftest import StartReading
from .told import is_to_type, is_typed, told
from .worlds import WORLDS, World, before

# One page stands for all of them where time counts: the first that a newcomer reads.
FIRST = "docs/tutorial.md"
# Of blocks: those that are run, those that are files or shown, and those that make the site.
LANGUAGES = RUN | {"", "text", "toml", "yaml", "{eval-rst}", "{toctree}"}
_LOOKS_TYPED = re.compile(r"(?m)^(?:\$ |imagekit |docker |pip |make |kubectl |prefect |uv |\.venv/)")


def with_commands() -> list[str]:
    return [page for page in pages() if any(block.is_run for block in blocks(page))]


@pytest.mark.soak
@pytest.mark.xdist_group("connected_engine")
@pytest.mark.parametrize("page", with_commands())
def test_a_page_is_what_happens(page: str, reader: StartReading, tmp_path: Path) -> None:
    somebody = before(page, reader, tmp_path / "cache")
    for block in blocks(page):
        somebody.does(block)
    somebody.leaves()
    somebody.types(page, *WORLDS.get(page, World()).after)


@pytest.mark.xdist_group("own_engine")
def test_the_first_page_is_what_happens(reader: StartReading, tmp_path: Path) -> None:
    somebody = before(FIRST, reader, tmp_path / "cache", connected=False)
    for block in blocks(FIRST):
        if not block.dear:
            somebody.does(block)


@pytest.mark.parametrize("page", pages())
def test_what_is_not_run_says_why(page: str) -> None:
    for block in [block for block in blocks(page) if block.not_run is not None]:
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
        return block.language in ("", "text") and (_LOOKS_TYPED.search(block.text) is not None or is_python(block.text))

    assert [block.place for block in blocks(page) if hides(block) or block.language not in LANGUAGES] == []


def is_python(text: str) -> bool:
    """Whether ``text`` does something when Python runs it: a list of requirements is Python, too."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    return any(isinstance(node, (ast.Call, ast.Import, ast.ImportFrom)) for node in ast.walk(tree))


@pytest.mark.parametrize("page", pages())
def test_a_command_that_is_told_in_passing_is_typed_somewhere(page: str) -> None:
    assert [each.place for each in told(page) if is_to_type(each.text) and not is_typed(each.text)] == []


@pytest.mark.parametrize("page", [*pages(), "CONTRIBUTING.md", "benchmarks/README.md"])
def test_what_make_is_told_to_make_it_knows(page: str) -> None:
    known = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    # Between backquotes, in a block, or in one that is indented.
    text = (ROOT / page).read_text("utf-8")
    in_blocks = "\n".join(block.text for block in blocks(page))
    found = re.findall(r"`make ([a-z-]+)|^    make ([a-z-]+)", text, re.MULTILINE)
    named = {*map("".join, found), *re.findall(r"(?m)^(?:\$ )?make ([a-z-]+)", in_blocks)}
    assert named - known == set()
    assert named or page not in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")
