"""Where packages go: an environment of their own on a bare base, else where the base has its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imagekit.errors import BaseConflict, BaseUnusable
from imagekit.plan.prefix import Prefix
from imagekit.plan.replaced import replaced_by
from imagekit.spec.base import BaseImage
from imagekit.spec.image import Project
from imagekit.spec.installed import Distribution, Scheme

from ..layers.bases import base
from .test_make import LOCK, SPEC, _plan

CONDA = Scheme(
    purelib="/opt/conda/lib/python3.11/site-packages",
    platlib="/opt/conda/lib/python3.11/site-packages",
    scripts="/opt/conda/bin",
    headers="/opt/conda/include/python3.11",
    data="/opt/conda",
)


def _distribution(name: str, version: str = "1", **facts: Any) -> Distribution:
    given: dict[str, Any] = {"installer": "pip", "is_system": False, "obstacle": None, **facts}
    metadata = f"/opt/conda/lib/python3.11/site-packages/{name}-{version}.dist-info"
    return Distribution(name=name, version=version, **{"metadata": metadata, **given})


def _with(*distributions: Distribution, image: BaseImage | None = None, **facts: Any) -> BaseImage:
    image = image or base()
    return replace(image, python=replace(image.python, distributions=distributions, **facts))


@pytest.mark.parametrize(
    ("on", "bare"),
    [
        (_with(), True),
        (_with(_distribution("pip"), _distribution("setuptools"), _distribution("wheel")), True),
        (_with(_distribution("numpy", is_system=True, obstacle="the system's")), True),
        (_with(_distribution("pip"), _distribution("rich")), False),
        (_with(conda=True), False),
        (_with(environment="/srv/venv"), False),
    ],
)
def test_which_bases_are_bare(on: BaseImage, bare: bool) -> None:
    assert on.python.is_bare is bare
    prefix = Prefix.of(on)
    assert prefix.is_ours is bare
    assert (prefix.root == "/opt/venv") is bare
    assert (on.python.kept == ()) is (bare or not on.python.distributions)


def test_a_conda_environment() -> None:
    special = ("/opt", 0o755, 1, 1), ("/opt/conda", 0o2775, 1000, 100), ("/opt/condas", 0o700, 0, 0), ("/", 0o700, 0, 0)
    on = _with(
        conda=True, scheme=CONDA, environment="/opt/conda", prefix="/opt/conda", command="/opt/conda/bin/python3"
    )
    prefix = Prefix.of(replace(on, directories=special))
    assert (prefix.root, prefix.site, prefix.scripts, prefix.headers) == (
        "/opt/conda",
        "lib/python3.11/site-packages",
        "bin",
        "include/python3.11",
    )
    assert prefix.python == "/opt/conda/bin/python3"
    # Those that layers of packages pass through, and no others.
    assert prefix.directories == (special[0], special[1], special[3])
    assert prefix.identity != Prefix.of(on).identity


def test_debians_own_place_and_links_on_the_way() -> None:
    prefix = Prefix.of(_with(_distribution("rich")))
    assert (prefix.root, prefix.site) == ("/usr/local", "lib/python3.11/dist-packages")
    # Where pip and uv put a wheel's headers there: beside the interpreter's own.
    assert prefix.headers == "../include/python3.11"
    linked = replace(_with(_distribution("rich")), links=(("/usr/local", "/data/local"),))
    assert Prefix.of(linked).site_path == "/data/local/lib/python3.11/dist-packages"


def test_a_virtual_environment_leaves_the_interpreters_headers_alone() -> None:
    scheme = replace(CONDA, headers="/usr/include/python3.11")
    prefix = Prefix.of(_with(scheme=scheme, environment="/opt/conda"))
    assert prefix.headers == "include/site/python3.11"


def test_places_without_a_directory_in_common() -> None:
    scheme = replace(CONDA, purelib="/else/site-packages")
    with pytest.raises(BaseUnusable, match="which are not both below /opt/conda") as raised:
        Prefix.of(_with(conda=True, scheme=scheme))
    assert raised.value.hint


def test_what_the_environment_says() -> None:
    assert _plan(on=base()).env["VIRTUAL_ENV"] == "/opt/venv"
    own = _plan(on=_with(_distribution("zz")))
    assert "VIRTUAL_ENV" not in own.env
    # The base's PATH is without it, and so it is added.
    assert own.env["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    seen = _plan(on=_with(_distribution("zz"), image=base(Env=["PATH=/usr/bin:/usr/local/bin"])))
    assert seen.env["PATH"] == "/usr/bin:/usr/local/bin"
    venv = _plan(on=_with(scheme=CONDA, environment="/opt/conda"))
    assert venv.env["VIRTUAL_ENV"] == "/opt/conda"


def test_what_is_replaced_makes_place_below_everything() -> None:
    old = _distribution("rich", "13.0")
    plan = _plan(on=_with(old, _distribution("six", "1.17.0")))
    assert plan.layers[0].kind == "removed"
    assert plan.layers[0].title == "rich==13.0, six==1.17.0 of the base removed"
    assert [d.name for d in plan.removed] == ["rich", "six"]
    assert plan.to_json()["base"]["replaced"][0] == {"name": "rich", "old": "13.0", "new": "13.9.4", "why": None}
    # The key is of what goes, and not of what comes.
    moved = replace(LOCK, packages=LOCK.packages[:4])
    assert _plan(lock=moved, on=_with(old)).layers[0].key == _plan(on=_with(old)).layers[0].key
    assert _plan(on=_with(old)).layers[0].key != plan.layers[0].key


def test_two_of_a_name_go_both_and_what_cannot_go_is_said() -> None:
    first, hidden = _distribution("rich", "13.0"), _distribution("rich", "12.0")
    removed, replaced = replaced_by(LOCK, None, _with(first, hidden))
    assert (removed, [r.old for r in replaced]) == ((first, hidden), ["13.0"])
    held = _distribution("rich", "13.0", obstacle="it lies in /else, where packages are not installed to")
    with pytest.raises(BaseConflict, match=r"13\.0 of the base cannot be replaced by 13\.9\.4: it lies in /else"):
        replaced_by(LOCK, None, _with(held, _distribution("yarl")))
    # One that is hidden by another never counted.
    assert replaced_by(LOCK, None, _with(first, held))[0] == (first,)


def test_the_project_takes_the_place_of_an_older_one() -> None:
    on = _with(_distribution("orders", "1.1"), _distribution("zz"))
    assert SPEC.project is not None
    removed, replaced = replaced_by(LOCK, SPEC.project, on)
    assert ([d.pin for d in removed], [r.new for r in replaced]) == (["orders==1.1"], ["1.2"])
    dynamic = Project(name="orders", version=None, import_root=None)
    assert replaced_by(LOCK, dynamic, on) == ((), ())
