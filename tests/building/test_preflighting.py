"""When a build looks at its packages' libraries, what it says of them, and what it looks at again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.building.planned import Planned
from imagekit.building.preflighting import check_libraries, offer_of
from imagekit.errors import PreflightFailed
from imagekit.layers.cache import LayerCache
from imagekit.layers.tree_layer import write_contents
from imagekit.lock.values import Lock
from imagekit.oci.digest import digest_of_json
from imagekit.plan.values import FilesLayer, Plan
from imagekit.preflight import judge
from imagekit.progress import SilentReporter
from imagekit.spec.base import AppliedRecipe
from imagekit.spec.image import FileMapping

from ..layers.bases import base
from ..layers.plans import make, plan_of
from ..layers.wheels import write_wheel
from ..preflight.elves import shared_library

LACKS = 'warning: tricky 1.0: tricky.fast needs libgomp.so.1, which base:1 does not have: add recipes = ["openmp"]'
BASE = replace(base(), libraries=("libc.so.6", "libm.so.6"), release="ID=debian\nVERSION_CODENAME=bookworm\n")


class Said(SilentReporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def wheel(directory: Path, *needed: str, glibc: str = "2.17", name: str = "tricky") -> Path:
    data = shared_library("libc.so.6", *needed, versions=[f"GLIBC_{glibc}"])
    made = write_wheel(directory, {f"{name}/fast.abi3.so": data}, name)
    return made.rename(made.with_name(f"{name}-1.0-cp311-abi3-linux_x86_64.whl"))


def planned(cache: Path, *wheels: Path, **more: object) -> Planned:
    plan = replace(plan_of(*([each] for each in wheels)), base=BASE)
    make(plan, LayerCache(cache / "layers"), wheels)
    return of(plan, **more)


def of(plan: Plan, **more: object) -> Planned:
    lock = Lock(packages=(), inputs=digest_of_json([]), python="3.11.2", platform="linux/amd64")
    return Planned(plan=plan, lock=lock, tree=None, **more)  # type: ignore[arg-type]


def said(planned: Planned, cache: Path) -> list[str]:
    reporter = Said()
    check_libraries(planned, cache, reporter)
    return reporter.lines


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many wheels were compared, each time that some were."""
    times: list[int] = []
    real = judge.findings

    def counted(wheels, offer):  # type: ignore[no-untyped-def]
        times.append(len(wheels))
        return real(wheels, offer)

    monkeypatch.setattr(judge, "findings", counted)
    return times


def test_it_is_told_at_every_build_and_looked_at_once(tmp_path: Path, judged: list[int]) -> None:
    pure = write_wheel(tmp_path, {"pure/__init__.py": b"1\n"}, "pure")
    build = planned(tmp_path, wheel(tmp_path, "libgomp.so.1"), pure)
    for _ in range(3):
        assert said(build, tmp_path) == [LACKS]
    assert judged == [1]
    # A wheel without compiled files moves: nothing is looked at.
    (tmp_path / "moved").mkdir()
    moved = write_wheel(tmp_path / "moved", {"pure/__init__.py": b"2\n"}, "pure")
    assert said(planned(tmp_path, wheel(tmp_path, "libgomp.so.1"), moved), tmp_path) == [LACKS]
    assert judged == [1]


def test_what_is_found_depends_on_the_base_and_on_files_that_are_put_in(tmp_path: Path) -> None:
    build = planned(tmp_path, wheel(tmp_path, "libgomp.so.1"))
    assert said(build, tmp_path) == [LACKS]
    better = replace(BASE, image_id=f"sha256:{2:064x}", libraries=(*BASE.libraries, "libgomp.so.1"))
    assert said(of(replace(build.plan, base=better)), tmp_path) == []
    given = AppliedRecipe(name="openmp", digest=digest_of_json(1), diff_id=digest_of_json(2))
    still = replace(BASE, image_id=f"sha256:{3:064x}", recipes=(given,))
    (line,) = said(of(replace(build.plan, base=still)), tmp_path)
    assert "openmp" not in line
    own = FilesLayer(
        kind="files",
        title="1 file",
        key=digest_of_json("own"),
        files=(FileMapping(source=tmp_path, target="/usr/lib/libgomp.so.1"),),
        digests=(("/usr/lib/libgomp.so.1", "x"),),
    )
    with_files = replace(build.plan, layers=(*build.plan.layers, own))
    LayerCache(tmp_path / "layers").put(
        own.key, lambda out: write_contents([("usr/lib/libgomp.so.1", b"", 0o644)], build.plan.prefix, out)
    )
    assert said(of(with_files), tmp_path) == []


@pytest.mark.parametrize("mode", ["warn", "strict", "off"])
def test_modes(tmp_path: Path, mode: str) -> None:
    missing = planned(tmp_path, wheel(tmp_path, "libgomp.so.1"), preflight=mode)
    old = planned(tmp_path, wheel(tmp_path, glibc="2.99", name="modern"), preflight=mode)
    if mode == "off":
        assert said(missing, tmp_path) == said(old, tmp_path) == []
        return
    with pytest.raises(PreflightFailed, match=r"modern 1\.0: modern\.fast needs glibc 2\.99, and base:1 has 2\.36"):
        said(old, tmp_path)
    if mode == "warn":
        assert said(missing, tmp_path) == [LACKS]
    else:
        with pytest.raises(PreflightFailed, match=r"libgomp\.so\.1") as refused:
            said(missing, tmp_path)
        assert refused.value.hint == 'add recipes = ["openmp"]; preflight = "off" (--preflight off) builds nevertheless'


def test_an_images_own_instructions_may_bring_it(tmp_path: Path) -> None:
    build = planned(tmp_path, wheel(tmp_path, "libgomp.so.1"), preflight="strict")
    assert said(of(replace(build.plan, commands=("RUN true",)), preflight="strict"), tmp_path) == []


def test_a_wheel_whose_layer_has_another_key_is_read_itself(tmp_path: Path) -> None:
    path = wheel(tmp_path, "libgomp.so.1")
    build = of(replace(plan_of([path]), base=BASE))
    assert said(build, tmp_path) == []  # neither is here
    place = tmp_path / "wheels" / build.plan.layers[0].wheels[0].sha256  # type: ignore[attr-defined]
    place.mkdir(parents=True)
    (place / path.name).write_bytes(path.read_bytes())
    assert said(build, tmp_path) == [LACKS]


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    build = planned(tmp_path, wheel(tmp_path, "libgomp.so.1"))
    assert said(build, tmp_path) == [LACKS]
    (note,) = (tmp_path / "preflight").iterdir()
    for damage in (b"", b"[]", b'{"findings": [{}]}', b'{"findings": 3}'):
        note.write_bytes(damage)
        assert said(build, tmp_path) == [LACKS]


def test_a_base_of_which_nothing_is_known_offers_nothing() -> None:
    assert offer_of(replace(BASE, libraries=()), ["libown.so.1"]).libraries == frozenset()
