"""Which packages of several images lie lowest, so that as many layers as can be are the same. Pure.

An engine keeps a layer once for all images whose lower ones are the same as well: it stores a tree, whose branches are
images. What all have lies lowest; then they part into those whose trees are the smallest together, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

from imagekit.spec.image import SharedWheels

# Ways to part that are followed at each fork: those that save the most at once. Of a few images it is all of them.
_WAYS = 6
# Sets of images whose trees are looked at so; of those that come later one way alone is followed. Without
# an end to it 25 versions in three categories took a minute, and with each further one twice as long.
_MOST = 2000


class Held(Protocol):
    """What is to be known of a package in an image."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def size(self) -> int: ...


def nested(images: Mapping[str, Sequence[Held]]) -> dict[str, tuple[SharedWheels, ...]]:
    """What each of ``images`` has in common with others, the lowest first; the rest of it comes above."""
    found: dict[str, tuple[SharedWheels, ...]] = dict.fromkeys(images, ())
    tree = _Tree(images)
    forks = [(frozenset(images), frozenset[int]())]
    while forks:
        labels, below = forks.pop()
        if len(labels) < 2:
            continue
        common = tree.common(labels)
        names = tuple(sorted(tree.wheels[key].name for key in common - below))
        if names:
            shared = SharedWheels(names=names, of=max(len(images[label]) for label in labels))
            for label in labels:
                found[label] += (shared,)
        forks += [(part, common) for part in tree.parted(labels)]
    return found


class _Tree:
    """What trees of images store; a wheel is a number, the same in all that hold the same."""

    def __init__(self, images: Mapping[str, Sequence[Held]]) -> None:
        numbers: dict[tuple[str, str], int] = {}
        self.wheels: list[Held] = []
        self._held: dict[str, frozenset[int]] = {}
        for label in sorted(images):
            for wheel in images[label]:
                if numbers.setdefault((wheel.name, wheel.digest), len(self.wheels)) == len(self.wheels):
                    self.wheels.append(wheel)
            self._held[label] = frozenset(numbers[wheel.name, wheel.digest] for wheel in images[label])
        self._best: dict[frozenset[str], tuple[int, tuple[frozenset[str], ...]]] = {}

    def common(self, labels: frozenset[str]) -> frozenset[int]:
        """What all of them have."""
        return frozenset.intersection(*(self._held[label] for label in labels))

    def parted(self, labels: frozenset[str]) -> tuple[frozenset[str], ...]:
        """How they part; not at all where no two have anything in common beyond what all have."""
        return self._least(labels)[1]

    @cached_property
    def _holders(self) -> list[frozenset[str]]:
        return [
            frozenset(label for label, held in self._held.items() if number in held)
            for number in range(len(self.wheels))
        ]

    def _bytes(self, labels: frozenset[str]) -> int:
        return sum(self.wheels[number].size for number in self.common(labels))

    def _least(self, labels: frozenset[str]) -> tuple[int, tuple[frozenset[str], ...]]:
        """The bytes of the smallest tree of ``labels``, and how they part in it above what all have."""
        if labels not in self._best:
            beneath = self._bytes(labels)
            apart = sum(self._bytes(frozenset((label,))) for label in labels)
            # What all have is in each part's tree once more.
            ways = [(apart - beneath * (len(labels) - 1), tuple[frozenset[str], ...]())]
            groups = {holders & labels for holders in self._holders} - {labels}
            likely = [group for group in groups if len(group) > 1]
            likely.sort(key=lambda group: (-self._bytes(group) * (len(group) - 1), sorted(group)))
            for group in likely[: _WAYS if len(self._best) < _MOST else 1]:
                parts = (group, labels - group)
                ways.append((sum(self._least(part)[0] for part in parts) - beneath, parts))
            self._best[labels] = min(ways, key=lambda way: way[0])
        return self._best[labels]
