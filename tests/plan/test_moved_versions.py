"""What a change of the lock does to an image's layers, by the keys that decide their digests."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.plan.layering import HEAVY, WELL_KNOWN_LARGE

from .test_make import LOCK, SPEC, _plan

_SIZES = [0, 900, 40_000, HEAVY - 1, HEAVY, 9 << 20, 200 << 20]


def _package(name: str, version: str, size: int, direct: bool) -> LockedPackage:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    sha256 = f"{random.Random(filename).getrandbits(256):064x}"
    artifact = Artifact(filename=filename, url=f"https://example.com/{filename}", sha256=sha256, size=size)
    return LockedPackage(name=name, version=version, artifact=artifact, direct=direct)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Locks of 1 to 260 packages: fewer than there may be layers, and more than twice as many."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.sampled_from([1, 5, 100, 107, 108, 122, 150, 216, 260]))
    names = {f"package-{chance.randrange(10**6)}" for _ in range(count - count // 5)}
    names |= set(chance.sample(sorted(WELL_KNOWN_LARGE), min(count // 5, 60)))
    share = draw(st.sampled_from([0.0, 0.1, 1.0]))
    packages = [_package(name, "1.0", chance.choice(_SIZES), chance.random() < share) for name in sorted(names)]
    return replace(LOCK, packages=tuple(packages or [_package("one", "1.0", 900, True)]))


def _keys(lock: Lock, **changes: object) -> set[Digest]:
    return {layer.key for layer in _plan(replace(SPEC, **changes), lock).layers}  # type: ignore[arg-type]


@settings(deadline=None, max_examples=60)
@given(lock=locks(), data=st.data(), size=st.sampled_from(_SIZES))
def test_a_moved_version_changes_two_digests_at_most(lock: Lock, data: st.DataObject, size: int) -> None:
    moved = data.draw(st.sampled_from(lock.packages))
    after = [_package(p.name, "2.0", size, p.direct) if p is moved else p for p in lock.packages]
    old, new = _keys(lock), _keys(replace(lock, packages=tuple(after)))
    crosses = (size >= HEAVY) != ((moved.artifact.size or 0) >= HEAVY)
    assert 1 <= len(new - old) <= (2 if crosses else 1)
    assert 1 <= len(old - new) <= (2 if crosses else 1)


@settings(deadline=None, max_examples=30)
@given(lock=locks(), size=st.sampled_from(_SIZES), direct=st.booleans())
def test_a_package_more_changes_a_small_part(lock: Lock, size: int, direct: bool) -> None:
    """At most a quarter of the layers: five, and in a lock with many groups as many as lose a member to a new one."""
    added = replace(lock, packages=(*lock.packages, _package("one-more", "1.0", size, direct)))
    old, new = _keys(lock), _keys(added)
    assert len(new - old) <= max(5, len(new) // 4)
    assert len(old - new) <= max(5, len(old) // 4)


@settings(deadline=None, max_examples=30)
@given(lock=locks())
def test_what_is_no_package_changes_no_layer(lock: Lock) -> None:
    old = _keys(lock)
    for change in ({"env": (("A", "1"),)}, {"labels": (("a", "1"),)}, {"name": "other"}):
        assert _keys(lock, **change) == old
