"""Which index a package comes from: the first that knows it, or the one that it is pinned to, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import InvalidConfig, InvalidProject, ResolveError, Unsatisfiable
from imagekit.lock.default_index import uv_default_index
from imagekit.lock.resolve import resolve
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from tests.lock.conftest import wheel_bytes
from tests.lock.faulty_index import FaultyIndex
from tests.lock.indexed import Machine, versions


@pytest.fixture
def machine(tmp_path: Path, target: Target) -> Machine:
    return Machine(tmp_path, target)


@pytest.fixture
def corp() -> Iterator[FaultyIndex]:
    running = FaultyIndex()
    running.add("acme", "1.0", requires=["acme-core", "gamma"])
    running.add("acme_core", "1.0")
    yield running
    running.close()


@pytest.fixture
def public() -> Iterator[FaultyIndex]:
    """Where somebody has put packages of the same names, and higher versions."""
    running = FaultyIndex()
    running.add("acme", "99.0")
    running.add("acme_core", "99.0")
    running.add("gamma", "1.0")
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _dashes(corp: FaultyIndex, public: FaultyIndex) -> None:
    for index in (corp, public):
        index.pages["/simple/acme-core/"] = index.pages.pop("/simple/acme_core/")


SAFE = {"acme": "1.0", "acme-core": "1.0", "gamma": "1.0"}


def _extra(corp: FaultyIndex, public: FaultyIndex) -> str:
    return f'index-url = "{public.url}"\nextra-index-urls = ["{corp.url}"]\n'


def test_the_first_index_that_knows_a_package_is_the_one(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    assert machine.both("acme", toml=_extra(corp, public)) == SAFE
    assert "/simple/acme/" not in public.asked
    assert "/simple/acme-core/" not in public.asked


def test_a_version_that_only_a_later_index_has_is_not_found(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    with pytest.raises(Unsatisfiable, match="acme"):
        machine.lock("acme>=2", toml=_extra(corp, public))


def test_any_index_where_that_is_asked_for(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    toml = _extra(corp, public) + 'index-strategy = "unsafe-best-match"\n'
    assert machine.both("acme", toml=toml) == {"acme": "99.0"}
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    assert machine.both("acme", toml=_extra(corp, public), variables=variables) == {"acme": "99.0"}


def test_pip_tools_may_not_take_what_a_later_index_has(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex, host: Target
) -> None:
    """To pip all indexes are one: it takes the highest version of any."""
    machine.target = host
    with pytest.raises(ResolveError) as caught:
        machine.lock("acme", toml=_extra(corp, public), resolver="pip-tools")
    assert "acme" in caught.value.message
    assert "unsafe-best-match" in (caught.value.hint or "")
    assert machine.both("acme==1.0", "acme-core==1.0", toml=_extra(corp, public), resolver="pip-tools") == SAFE
    toml = _extra(corp, public) + 'index-strategy = "unsafe-best-match"\n'
    assert machine.both("acme", toml=toml, resolver="pip-tools") == {"acme": "99.0"}


def test_indexes_of_requirements_files(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    text = f"--index-url {public.url}\n--extra-index-url {corp.url}\nacme\n"
    (machine.project / "requirements.txt").write_text(text)
    assert machine.both() == SAFE


def test_the_projects_indexes_are_asked_before_the_machines(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    variables = {"UV_INDEX": public.url}
    assert machine.both("acme", toml=f'extra-index-urls = ["{corp.url}"]\n', variables=variables) == SAFE


# Packages of one index


def _explicit(corp: FaultyIndex, public: FaultyIndex) -> str:
    return (
        f'index-url = "{public.url}"\n[[index]]\nname = "corp"\nurl = "{corp.url}"\nexplicit = true\n'
        'packages = ["acme", "acme-core"]\n'
    )


def test_a_pinned_package_comes_from_its_index_alone(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    """Also one that nobody asks for but another package."""
    assert machine.both("acme", toml=_explicit(corp, public)) == SAFE
    # An index that is asked for its packages alone has no word on others.
    assert "/simple/gamma/" not in corp.asked


def test_a_pinned_package_that_the_public_index_lacks(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    del public.pages["/simple/acme-core/"], public.pages["/simple/acme/"]
    assert machine.both("acme", toml=_explicit(corp, public)) == SAFE


def test_a_pinned_package_that_its_index_lacks_is_not_taken_from_another(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    del corp.pages["/simple/acme/"]
    with pytest.raises(Unsatisfiable, match="acme"):
        machine.lock("acme", toml=_explicit(corp, public))


def test_pins_of_the_uv_table(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    (machine.project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["acme"]\n[tool.uv.sources]\n'
        'acme = { index = "corp" }\nacme-core = { index = "corp" }\n'
        f'[[tool.uv.index]]\nname = "corp"\nurl = "{corp.url}"\nexplicit = true\n'
        f'[[tool.uv.index]]\nname = "all"\nurl = "{public.url}"\ndefault = true\n'
    )
    assert machine.both() == SAFE


def test_a_pin_for_another_platform_is_none(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    (machine.project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["acme"]\n[tool.uv.sources]\n'
        'acme = [{ index = "corp", marker = "sys_platform == \'win32\'" }]\n'
        f'[[tool.uv.index]]\nname = "corp"\nurl = "{corp.url}"\nexplicit = true\n'
        f'[[tool.uv.index]]\nname = "all"\nurl = "{public.url}"\ndefault = true\n'
    )
    assert machine.both() == {"acme": "99.0"}


def test_pins_and_hashes_and_markers(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    import hashlib

    data = corp.pages["/files/acme-1.0-py3-none-any.whl"]
    corp.add("delta", "1.0")
    toml = _explicit(corp, public).replace('"acme-core"]', '"acme-core", "delta"]')
    digest = hashlib.sha256(corp.pages["/files/delta-1.0-py3-none-any.whl"]).hexdigest()
    text = f"delta==1.0 ; python_version >= '3' --hash=sha256:{digest}\n"
    (machine.project / "requirements.txt").write_text(text)
    assert data
    assert machine.both(toml=toml) == {"delta": "1.0"}


def test_pip_tools_cannot_hold_to_one_index(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    with pytest.raises(InvalidConfig, match="acme comes from the index corp alone, and pip-tools"):
        machine.lock("acme", toml=_explicit(corp, public), resolver="pip-tools")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[[index]]\nname = "corp"\n', "has no url"),
        ('[[index]]\nurl = "https://a.example.com"\n', "has no name"),
        ('[[index]]\nname = "a b"\nurl = "https://a.example.com"\n', "no name for an index"),
        ('[[index]]\nname = "a"\nurl = "https://a.example.com"\nexplicit = true\n', "is never asked"),
        ('[[index]]\nname = "a"\nurl = "https://a.example.com"\npackages = ["x>=1"]\n', "no name of a package"),
        ('[[index]]\nname = "a"\nurl = "https://a.example.com"\nsources = []\n', "sources is not a known key"),
        (
            '[[index]]\nname = "a-b"\nurl = "https://a.example.com"\n'
            '[[index]]\nname = "A.B"\nurl = "https://b.example.com"\n',
            "two indexes called A.B",
        ),
        (
            '[[index]]\nname = "a"\nurl = "https://a.example.com"\npackages = ["x"]\n'
            '[[index]]\nname = "b"\nurl = "https://b.example.com"\npackages = ["X"]\n',
            "x from two indexes",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(machine: Machine, toml: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        machine.spec("x", toml=toml)
    assert "imagekit.toml:" in f"{caught.value.message}{caught.value.details}"


def test_a_source_that_names_no_index(machine: Machine) -> None:
    (machine.project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["acme"]\n[tool.uv.sources]\nacme = { index = "corp" }\n'
    )
    with pytest.raises(InvalidProject, match="names the index 'corp', which is not there"):
        machine.spec()


# Indexes and files of this machine


def test_an_index_on_this_machine(machine: Machine, public: FaultyIndex) -> None:
    simple = machine.directory / "mirror" / "simple" / "delta"
    simple.mkdir(parents=True)
    name = "delta-1.0-py3-none-any.whl"
    (simple / name).write_bytes(wheel_bytes("delta", "1.0"))
    (simple / "index.html").write_text(f'<!DOCTYPE html><html><body><a href="{name}">{name}</a></body></html>')
    url = simple.parent.as_uri()
    toml = f'index-url = "{public.url}"\nextra-index-urls = ["{url}"]\n'
    assert machine.both("delta", "gamma", toml=toml) == {"delta": "1.0", "gamma": "1.0"}
    assert machine.both("delta", variables={"UV_INDEX": url, "UV_DEFAULT_INDEX": public.url}) == {"delta": "1.0"}


def test_find_links_of_the_project_and_of_the_machine(machine: Machine, public: FaultyIndex) -> None:
    for place, name in ((machine.project / "own wheels", "delta"), (machine.home / "wheels", "epsilon")):
        place.mkdir()
        (place / f"{name}-1.0-py3-none-any.whl").write_bytes(wheel_bytes(name, "1.0"))
    toml = f'index-url = "{public.url}"\nfind-links = ["own wheels"]\n'
    # A place that is not there is none, as for pip.
    variables = {"UV_FIND_LINKS": f"{machine.home / 'wheels'},{machine.home / 'gone'}"}
    assert machine.both("delta", "epsilon", "gamma", toml=toml, variables=variables) == {
        "delta": "1.0",
        "epsilon": "1.0",
        "gamma": "1.0",
    }


# Indexes that a project's other tools name


def _poetry(machine: Machine, corp: FaultyIndex, priority: str, more: str = "") -> None:
    (machine.project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["acme"]\n'
        f'[[tool.poetry.source]]\nname = "corp"\nurl = "{corp.url}"\npriority = "{priority}"\n{more}'
    )


def test_poetrys_supplemental_source_is_asked_after_the_default(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    variables = {"UV_DEFAULT_INDEX": public.url}
    corp.add("delta", "1.0")
    _poetry(machine, corp, "supplemental")
    assert machine.both("delta", variables=variables) == {"acme": "99.0", "delta": "1.0"}
    assert "/simple/acme/" not in corp.asked


def test_poetrys_primary_source_is_asked_in_place_of_the_default(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    variables = {"UV_DEFAULT_INDEX": public.url}
    _poetry(machine, corp, "primary")
    with pytest.raises(Unsatisfiable, match="gamma"):
        machine.lock(variables=variables)
    # And before it, where it has a place of its own.
    _poetry(machine, corp, "primary", '[[tool.poetry.source]]\nname = "PyPI"\n')
    assert machine.both(variables=variables) == SAFE
    assert "/simple/acme/" not in public.asked


def test_a_requirement_that_poetry_takes_from_the_default_alone(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    more = '[[tool.poetry.source]]\nname = "PyPI"\n[tool.poetry.dependencies]\nacme = { source = "pypi" }\n'
    _poetry(machine, corp, "primary", more)
    assert machine.both(variables={"UV_DEFAULT_INDEX": public.url}) == {"acme": "99.0"}


def test_the_default_index_that_uv_has_by_itself() -> None:
    assert uv_default_index().startswith("https://")


def test_what_a_project_at_a_path_takes_from_one_index_is_not_taken_from_another(
    machine: Machine, corp: FaultyIndex, public: FaultyIndex
) -> None:
    """Dependency confusion by way of a wheel: its metadata say the name alone."""
    (machine.project / "cart").mkdir()
    (machine.project / "cart/pyproject.toml").write_text(
        '[project]\nname = "cart"\nversion = "1"\ndependencies = ["acme"]\n[tool.uv.sources]\n'
        'acme = { index = "corp" }\nacme-core = { index = "corp" }\n'
        f'[[tool.uv.index]]\nname = "corp"\nurl = "{corp.url}"\nexplicit = true\n'
    )
    (machine.project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["cart"]\n[tool.uv.sources]\ncart = { path = "cart" }\n'
    )
    spec = machine.spec()
    # In the place of the wheel, which only a base can build: what it says that it needs.
    asked = replace(spec, requirements=(RequirementLine(text="acme", origin="cart"),))
    lock = resolve(
        asked, machine.target, reporter=machine.told, access=machine.access(spec, UV_DEFAULT_INDEX=public.url)
    )
    assert versions(lock) == SAFE


def test_our_own_strategy_goes_before_the_machines(machine: Machine, corp: FaultyIndex, public: FaultyIndex) -> None:
    toml = _extra(corp, public) + 'index-strategy = "first-index"\n'
    assert machine.both("acme", toml=toml, variables={"UV_INDEX_STRATEGY": "unsafe-best-match"}) == SAFE
