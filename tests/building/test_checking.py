"""What a passed check is remembered by: the modules that the answer comes from, all of them and no others."""

from __future__ import annotations

import ast
from pathlib import Path

import imagekit.check
from imagekit.building import checking

ROOM = Path(imagekit.check.__file__).parent


def imports(path: Path) -> set[str]:
    """Modules of ``imagekit.check`` that ``path`` imports, anywhere in it, or names as a file of its room."""
    text = path.read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    named = {node.module.rpartition(".")[2] for node in nodes if (node.module or "").startswith("imagekit.check.")}
    beside = {each.stem for each in ROOM.glob("*.py") if f'"{each.name}"' in text}
    return named | beside


def test_it_is_what_the_check_is_made_of() -> None:
    pending, found = imports(Path(checking.__file__)), set[str]()
    while pending:
        each = pending.pop()
        if each not in found:
            found.add(each)
            pending |= imports(ROOM / f"{each}.py")
    assert tuple(sorted(found)) == checking.CHECK_ITSELF
