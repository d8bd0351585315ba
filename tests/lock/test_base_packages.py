"""Resolving for a base that holds packages, with uv: what stays, what moves, what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from imagekit.errors import BaseConflict, NoWheel, Unsatisfiable
from imagekit.git.remote import Git
from imagekit.lock.direct import Sources
from imagekit.lock.fetch import WheelStore
from imagekit.lock.inputs import inputs_digest
from imagekit.lock.pylock import dump, load
from imagekit.lock.resolve import obtain, resolve
from imagekit.progress import SilentReporter
from imagekit.spec.image import RequirementLine
from imagekit.spec.installed import Contents, Distribution

SITE = "/usr/local/lib/python3.11/site-packages"


class Base:
    """Packages of a base: ``Base(target).add("alpha", "1.0", ["beta"])``."""

    def __init__(self, target):
        self._target = target
        self._found, self._requires, self._extras = [], {}, {}

    def add(self, name, version, requires=(), *, extras=(), obstacle=None):
        metadata = f"{SITE}/{name}-{version}.dist-info"
        found = Distribution(
            name=name, version=version, metadata=metadata, installer="pip", is_system=False, obstacle=obstacle
        )
        self._found.append(found)
        self._requires[name], self._extras[name] = tuple(requires), tuple(extras)
        return self

    @property
    def target(self):
        return replace(self._target, installed=tuple(self._found))

    def contents(self):
        return Contents(requires=self._requires, extras=self._extras, files={}, entries={})

    def resolve(self, spec, **more):
        return resolve(spec, self.target, reporter=SilentReporter(), contents=self.contents, **more)


@pytest.fixture
def base(target):
    return Base(target)


def versions(lock):
    return {package.name: package.version for package in lock.packages}


def test_what_no_index_has_is_kept(base, wheels, wanted):
    base.add("private", "9.9+build.3", ["alpha>=1"]).add("alpha", "1.0")
    wheels.add("beta", "1.0", ["private>9"])
    lock = base.resolve(wanted("beta", indexes=wheels.indexes))
    assert versions(lock) == {"beta": "1.0"}
    assert lock.kept == {"alpha": "1.0", "private": "9.9+build.3"}


def test_a_version_is_taken_that_gets_along_with_the_base(base, wheels, wanted):
    base.add("alpha", "1.0")
    wheels.add("alpha", "2.0")
    wheels.add("beta", "1.0", ["alpha<2"])
    wheels.add("beta", "2.0", ["alpha>=2"])
    spec = wanted("beta", "alpha", indexes=wheels.indexes)
    lock = base.resolve(spec)
    assert (versions(lock), lock.kept) == ({"beta": "1.0"}, {"alpha": "1.0"})
    # Newest versions are asked for of what is ours to choose.
    assert versions(base.resolve(spec, upgrade=True)) == {"beta": "1.0"}


def test_no_more_moves_than_must(base, wheels, wanted):
    base.add("alpha", "1.0", ["beta", "gamma"]).add("beta", "1.0").add("gamma", "1.0")
    for name in ("beta", "gamma"):
        wheels.add(name, "2.0")
    wheels.add("alpha", "2.0", ["beta>=2", "gamma"])
    lock = base.resolve(wanted("alpha==2.0", indexes=wheels.indexes))
    assert versions(lock) == {"alpha": "2.0", "beta": "2.0"}
    assert lock.kept == {"gamma": "1.0"}
    assert lock.reasons["alpha"] == "packages asks for alpha==2.0"
    assert lock.reasons["beta"] == "needed with alpha==2.0"


def test_extras_of_the_bases_packages(base, wheels, wanted):
    base.add("alpha", "1.0", ["beta; extra == 'more'"], extras=["more"])
    wheels.add("beta", "1.0")
    lock = base.resolve(wanted("alpha[more]", indexes=wheels.indexes))
    assert (versions(lock), lock.kept) == ({"beta": "1.0"}, {"alpha": "1.0"})


def test_one_certain_file_replaces_the_same_version(base, wheels, wanted, tmp_path):
    base.add("alpha", "1.0").add("beta", "1.0")
    wheel = wheels.add("alpha", "1.0")
    sources = Sources(store=WheelStore(tmp_path / "store"), git=Git(), build=lambda package: package.artifact)
    spec = wanted(f"alpha @ {wheel.as_uri()}", "beta", indexes=wheels.indexes)
    lock = base.resolve(spec, sources=sources)
    assert (versions(lock), lock.kept) == ({"alpha": "1.0"}, {"beta": "1.0"})
    assert lock.packages[0].artifact.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert "alpha" in lock.reasons


def test_what_others_of_the_base_need_is_heeded(base, wheels, wanted):
    base.add("frame", "1.0", ["alpha<3", "b@d !", "gone; python_version < '3'"]).add("alpha", "1.0")
    for version in ("2.0", "3.0"):
        wheels.add("alpha", version)
    assert versions(base.resolve(wanted("alpha>1", indexes=wheels.indexes))) == {"alpha": "2.0"}
    with pytest.raises(BaseConflict) as raised:
        base.resolve(wanted("alpha>2", indexes=wheels.indexes))
    assert "frame==1.0 of the base needs alpha<3, and 3.0 would take the place of 1.0" in raised.value.message
    # Asked for as well, it may move too.
    wheels.add("frame", "2.0", ["alpha"])
    both = base.resolve(wanted("alpha>2", "frame", indexes=wheels.indexes))
    assert versions(both) == {"alpha": "3.0", "frame": "2.0"}


def test_one_need_after_another(base, wheels, wanted):
    """Holding one package moves another, which a third one needs as it is."""
    base.add("one", "1.0", ["alpha<3"]).add("two", "1.0", ["beta<2"]).add("alpha", "1.0").add("beta", "1.0")
    wheels.add("alpha", "2.0", ["beta>=2"])
    wheels.add("alpha", "2.5", ["beta>=1.5"])
    wheels.add("alpha", "3.0")
    for version in ("1.5", "2.0"):
        wheels.add("beta", version)
    assert versions(base.resolve(wanted("alpha>1", indexes=wheels.indexes))) == {"alpha": "2.5", "beta": "1.5"}
    with pytest.raises(BaseConflict) as raised:
        base.resolve(wanted("alpha==2.0", indexes=wheels.indexes))
    assert "two==1.0 of the base needs beta<2" in f"{raised.value.message}{raised.value.details}"


def test_what_cannot_be_removed_is_worked_around_or_named(base, wheels, wanted):
    base.add("alpha", "1.0", obstacle="the operating system's package manager owns it").add("beta", "1.0")
    wheels.add("alpha", "2.0")
    wheels.add("beta", "2.0", ["alpha>=2"])
    wheels.add("beta", "1.5", ["alpha"])
    assert versions(base.resolve(wanted("beta>1", indexes=wheels.indexes))) == {"beta": "1.5"}
    with pytest.raises(BaseConflict) as raised:
        base.resolve(wanted("beta>=2", indexes=wheels.indexes))
    assert "alpha==1.0 of the base cannot be replaced by 2.0: the operating system's" in raised.value.message


def test_what_cannot_be_met_anyway_is_no_fault_of_the_base(base, wheels, wanted):
    base.add("alpha", "1.0")
    wheels.add("beta", "1.0", ["alpha", "gamma"])
    with pytest.raises((Unsatisfiable, NoWheel)) as raised:
        base.resolve(wanted("beta", indexes=wheels.indexes))
    assert "gamma" in f"{raised.value.message}{raised.value.details}"


def test_a_version_that_is_none_constrains_nothing(base, wheels, wanted):
    base.add("alpha", "unknown").add("beta", "1.0")
    wheels.add("alpha", "2.0")
    lock = base.resolve(wanted("alpha", "beta", indexes=wheels.indexes))
    assert (versions(lock), lock.kept) == ({"alpha": "2.0"}, {"beta": "1.0"})


def test_versions_of_an_earlier_lock_are_kept_beside_the_bases(base, wheels, wanted):
    base.add("alpha", "1.0")
    wheels.add("alpha", "2.0")
    wheels.add("beta", "1.0", ["alpha"])
    first = base.resolve(wanted("beta", indexes=wheels.indexes))
    wheels.add("beta", "2.0", ["alpha"])
    kept = base.resolve(wanted("beta", "alpha>1", indexes=wheels.indexes), previous=first)
    assert versions(kept) == {"alpha": "2.0", "beta": "1.0"}


def test_hashes_are_asked_of_what_is_installed(base, wheels, wanted):
    """What the base has is not fetched, so it is held to nothing: its digest is the base's."""
    base.add("alpha", "1.0")
    wheel = wheels.add("beta", "1.0", ["alpha"])
    lines = (
        RequirementLine(text="alpha==1.0", origin="r:1", hashes=("sha256:" + "0" * 64,)),
        RequirementLine(
            text="beta==1.0", origin="r:2", hashes=(f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}",)
        ),
    )
    spec = replace(wanted(indexes=wheels.indexes), requirements=lines, requires_hashes=True)
    lock = base.resolve(spec)
    assert (versions(lock), lock.kept) == ({"beta": "1.0"}, {"alpha": "1.0"})


def test_what_the_base_has_is_among_the_inputs(base, target, wheels, wanted, tmp_path):
    base.add("alpha", "1.0")
    wheels.add("beta", "1.0", ["alpha"])
    spec = wanted("beta", indexes=wheels.indexes)
    assert inputs_digest(spec, base.target) != inputs_digest(spec, target)
    assert inputs_digest(spec, base.target) != inputs_digest(spec, Base(target).add("alpha", "1.1").target)
    first = obtain(spec, base.target, cache_dir=tmp_path, reporter=SilentReporter(), contents=base.contents)
    assert load(dump(first), tmp_path) == first
    # From the cache, nothing of the base is read any more.
    again = obtain(spec, base.target, cache_dir=tmp_path, reporter=SilentReporter(), contents=None)
    assert (again, again.kept) == (first, {"alpha": "1.0"})


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_prerelease_of_the_base_stays(base, wheels, wanted, resolver):
    base.add("alpha", "2.0rc1").add("gamma", "0.5b0", ["alpha"])
    wheels.add("alpha", "1.0")
    wheels.add("beta", "1.0", ["alpha>=1", "gamma"])
    lock = base.resolve(wanted("beta", indexes=wheels.indexes, resolver=resolver))
    assert (versions(lock), lock.kept) == ({"beta": "1.0"}, {"alpha": "2.0rc1", "gamma": "0.5b0"})


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_prerelease_of_the_base_stays_where_others_move(base, wheels, wanted, resolver):
    base.add("alpha", "2.0rc1").add("gamma", "1.0")
    wheels.add("alpha", "1.0")
    wheels.add("alpha", "3.0rc1")
    wheels.add("beta", "1.0", ["alpha>=1", "gamma"])
    wheels.add("gamma", "2.0")
    lock = base.resolve(wanted("beta", "gamma==2.0", indexes=wheels.indexes, resolver=resolver))
    assert (versions(lock), lock.kept) == ({"beta": "1.0", "gamma": "2.0"}, {"alpha": "2.0rc1"})
