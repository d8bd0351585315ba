"""Values as JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.codec import decode, encode


@dataclass(frozen=True)
class Leaf:
    name: str
    number: int | None = None


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    by_name: dict[str, Leaf]
    path: Path
    names: frozenset[str]
    data: bytes


_TEXT = st.text(max_size=6)
_LEAVES = st.builds(Leaf, _TEXT, st.none() | st.integers())
_TREES = st.builds(
    Tree,
    st.lists(_LEAVES, max_size=3).map(tuple),
    st.dictionaries(_TEXT | st.just("!"), _LEAVES, max_size=3),
    st.sampled_from([Path("/a/b"), Path("c")]),
    st.frozensets(_TEXT),
    st.binary(max_size=4),
)


@given(_TREES)
def test_what_is_kept_comes_back(tree: Tree) -> None:
    kept = json.loads(json.dumps(encode(tree)))
    assert decode(kept, {"Tree": Tree, "Leaf": Leaf}) == tree


def test_no_class_is_made_that_was_not_named() -> None:
    with pytest.raises(KeyError):
        decode(encode(Leaf("x")), {"Tree": Tree})


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(TypeError):
        encode(object())
