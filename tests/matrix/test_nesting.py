"""What several images lay beneath: a tree that stores as little as can be, and layers that are the same in fact."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from imagekit.matrix.nesting import _MOST, _Tree, nested
from imagekit.plan.layering import arrange
from imagekit.spec.image import SharedWheels


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    name: str
    digest: str = "1"
    size: int = 10
    direct: bool = False


def wheels(**sizes: int) -> list[Wheel]:
    return [Wheel(name=name, size=size) for name, size in sizes.items()]


def names(beneath: Sequence[SharedWheels]) -> list[str]:
    return [" ".join(shared.names) for shared in beneath]


def test_what_all_have_and_then_what_the_most_bytes_are_of() -> None:
    found = nested(
        {
            "2-core": [*wheels(shared=5), Wheel(name="framework", digest="2", size=20)],
            "2-full": [*wheels(shared=5, pandas=90), Wheel(name="framework", digest="2", size=20)],
            "3-core": [*wheels(shared=5), Wheel(name="framework", digest="3", size=30)],
            "3-full": [*wheels(shared=5, pandas=90), Wheel(name="framework", digest="3", size=30)],
        }
    )
    # pandas once and each framework twice: 145 bytes; the other way it is 235.
    assert names(found["2-full"]) == names(found["3-full"]) == ["shared", "pandas"]
    assert names(found["2-core"]) == names(found["3-core"]) == ["shared"]
    assert {shared.of for each in found.values() for shared in each} == {3}


def test_two_forks_that_save_more_than_the_one_that_saves_the_most() -> None:
    found = nested(
        {
            "2-core": [Wheel(name="framework", digest="2", size=60)],
            "2-full": [*wheels(pandas=90), Wheel(name="framework", digest="2", size=60)],
            "3-core": [Wheel(name="framework", digest="3", size=60)],
            "3-full": [*wheels(pandas=90), Wheel(name="framework", digest="3", size=60)],
        }
    )
    assert {label: names(each) for label, each in found.items()} == {label: ["framework"] for label in found}


def test_nothing_in_common() -> None:
    assert nested({}) == {}
    assert nested({"one": wheels(a=1)}) == {"one": ()}
    assert nested({"one": wheels(a=1), "two": wheels(b=1)}) == {"one": (), "two": ()}
    # The same name is not the same file.
    assert nested({"one": [Wheel(name="a")], "two": [Wheel(name="a", digest="2")]}) == {"one": (), "two": ()}


def test_of_many_images_there_is_an_end_to_looking() -> None:
    """Every way of 25 versions in three categories is a minute's work, and twice that with each further version."""
    drawn, now = random.Random(0), dict.fromkeys(range(120), 0)
    images: dict[str, list[Wheel]] = {}
    for version in range(25):
        now = {n: at + (drawn.random() < 0.15) * drawn.choice([1, 1, 1, -1]) for n, at in now.items()}
        for category in range(3):
            own = [n for n in now if n % 3 <= category]
            images[f"{version}-{category}"] = [
                Wheel(name="framework", digest=str(version), size=5000),
                *(Wheel(name=f"w{n}", digest=str(now[n]), size=n * 7919 % 977 + 1) for n in own),
            ]
    tree = _Tree(images)
    parts = tree.parted(frozenset(images))
    assert frozenset.union(*parts) == frozenset(images)
    assert _MOST < len(tree._best) < 3 * _MOST


DRAWN = st.dictionaries(
    st.sampled_from("abcde"),
    st.dictionaries(
        st.sampled_from([f"w{n}" for n in range(30)]),
        st.tuples(st.sampled_from("12"), st.booleans()),
        min_size=1,
    ),
)


@given(DRAWN, st.integers(8, 40))
def test_layers_that_lie_beneath_are_the_same_in_all(
    drawn: Mapping[str, Mapping[str, tuple[str, bool]]], budget: int
) -> None:
    images = {
        label: [
            Wheel(name=name, digest=digest, size=int(name[1:]) << 16, direct=direct)
            for name, (digest, direct) in each.items()
        ]
        for label, each in drawn.items()
    }
    found = nested(images)
    layers = {label: arrange(images[label], budget, found[label]) for label in images}
    for label, arranged in layers.items():
        assert sorted(w.name for layer in arranged for w in layer) == sorted(drawn[label])
        # A budget is not kept to the layer where what is beneath is many small parts: one for each.
        assert len(arranged) <= max(budget, 1) + len(found[label])
    for one in images:
        for other in images:
            shared = sum(len(each.names) for each, same in zip(found[one], found[other], strict=False) if each == same)
            beneath, as_there = ([w.name for layer in layers[x] for w in layer][:shared] for x in (one, other))
            assert beneath == as_there
            files = {(w.name, w.digest) for w in images[one]} & {(w.name, w.digest) for w in images[other]}
            assert {(w.name, w.digest) for w in images[one] if w.name in beneath} <= files
