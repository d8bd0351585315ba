"""Which versions may be taken: yanked, pre-releases, as of a date; and what there is without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.errors import IndexUnreachable, InvalidConfig, ResolveError, Unsatisfiable
from imagekit.lock.inputs import inputs_digest
from imagekit.lock.resolve import obtain
from imagekit.lock.target import Target
from tests.lock.faulty_index import FaultyIndex
from tests.lock.indexed import Machine, versions


@pytest.fixture
def index() -> Iterator[FaultyIndex]:
    running = FaultyIndex()
    yield running
    running.close()


@pytest.fixture
def machine(tmp_path: Path, target: Target, index: FaultyIndex) -> Machine:
    made = Machine(tmp_path, target)
    made.variables["UV_DEFAULT_INDEX"] = index.url
    return made


def test_a_yanked_version_is_taken_where_it_is_pinned_and_that_is_said(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0", yanked=True)
    with pytest.raises(Unsatisfiable):
        machine.lock("alpha")
    assert machine.told.lines == []
    assert machine.both("alpha==1.0") == {"alpha": "1.0"}
    assert machine.told.lines == ["alpha==1.0 was yanked: broken; it is taken because it is pinned"]


def test_an_extra_that_there_is_none_of_is_said(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0")
    assert versions(machine.lock("alpha[mistyped]")) == {"alpha": "1.0"}
    assert machine.told.lines == ["alpha==1.0 has no extra 'mistyped'; it is taken without"]


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_pre_release_must_be_asked_for(machine: Machine, index: FaultyIndex, resolver: str, host: Target) -> None:
    machine.target = host
    index.add("alpha", "1.0")
    index.add("alpha", "2.0rc1")
    assert machine.both("alpha", resolver=resolver) == {"alpha": "1.0"}
    with pytest.raises(Unsatisfiable, match=r"packages: no version but the pre-release 2\.0rc1 fits alpha>1") as caught:
        machine.lock("alpha>1", resolver=resolver)
    assert "alpha>=2.0rc1" in (caught.value.hint or "")
    assert machine.both("alpha>=2.0rc1", resolver=resolver) == {"alpha": "2.0rc1"}
    assert machine.both("alpha", toml="prereleases = true\n", resolver=resolver) == {"alpha": "2.0rc1"}


def test_pre_releases_by_a_requirements_file_and_by_uvs_variable(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0")
    index.add("alpha", "2.0rc1")
    assert machine.both("alpha", variables={"UV_PRERELEASE": "allow"}) == {"alpha": "2.0rc1"}
    assert machine.both("alpha", variables={"UV_PRERELEASE": "explicit"}) == {"alpha": "1.0"}
    (machine.project / "requirements.txt").write_text("--pre\nalpha\n")
    assert machine.both() == {"alpha": "2.0rc1"}


def test_a_pre_release_that_only_others_need_is_told(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0", requires=["beta==0.48b0"])
    index.add("beta", "0.48b0")
    assert machine.both("alpha") == {"alpha": "1.0", "beta": "0.48b0"}
    assert machine.told.lines == ["beta 0.48b0 is a pre-release: no other version fits what needs it"]


def _dated(index: FaultyIndex) -> None:
    """The pages as JSON (PEP 691), with times of upload (PEP 700)."""
    for version, day in (("1.0", "2026-01-10"), ("2.0", "2026-02-10")):
        index.add("alpha", version)
        index.uploaded[f"alpha-{version}-py3-none-any.whl"] = f"{day}T12:00:00Z"


def test_packages_as_of_a_date(machine: Machine, index: FaultyIndex) -> None:
    _dated(index)
    assert machine.both("alpha") == {"alpha": "2.0"}
    for moment in ("2026-02-01", "2026-02-10T11:00:00Z"):
        assert machine.both("alpha", toml=f'exclude-newer = "{moment}"\n') == {"alpha": "1.0"}
    assert machine.both("alpha", variables={"UV_EXCLUDE_NEWER": "2026-02-01T00:00:00Z"}) == {"alpha": "1.0"}
    with pytest.raises(Unsatisfiable):
        machine.lock("alpha", toml='exclude-newer = "2026-01-01"\n')


def test_an_index_without_dates_cannot_go_with_one(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0")
    with pytest.raises(Unsatisfiable) as caught:
        machine.lock("alpha", toml='exclude-newer = "2026-01-01"\n')
    assert "does not say when files were uploaded" in (caught.value.hint or "")


def test_a_date_is_one_for_uv_alone(machine: Machine, index: FaultyIndex, host: Target) -> None:
    machine.target = host
    index.add("alpha", "1.0")
    with pytest.raises(InvalidConfig, match="uv resolver"):
        machine.lock("alpha", toml='exclude-newer = "2026-01-01"\n', resolver="pip-tools")


@pytest.mark.parametrize("text", ["yesterday", "1 week", "P7D", "2026-13-01", "2026-02-30", "2026-01-01T00:00", ""])
def test_no_date(machine: Machine, text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"imagekit\.toml:1: exclude-newer"):
        machine.spec("alpha", toml=f'exclude-newer = "{text}"\n')


def test_policies_decide_a_lock(machine: Machine) -> None:
    policies = ("", "prereleases = true\n", 'exclude-newer = "2026-01-01"\n', 'index-strategy = "unsafe-best-match"\n')
    digests = {inputs_digest(machine.spec("alpha", toml=toml), machine.target) for toml in policies}
    assert len(digests) == len(policies)


# Offline


def test_resolving_offline_from_uvs_cache(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0", requires=["beta"])
    index.add("beta", "1.0")
    lock = machine.lock("alpha")
    machine.fetch(lock)
    index.close()
    for variables in ({"IMAGEKIT_OFFLINE": "true"}, {"UV_OFFLINE": "1"}):
        assert machine.both("alpha", variables=variables) == {"alpha": "1.0", "beta": "1.0"}
    with pytest.raises(IndexUnreachable, match="offline, and uv's cache does not have gamma"):
        machine.lock("gamma", variables={"IMAGEKIT_OFFLINE": "1"})


def test_all_files_that_are_missing_offline_are_named(machine: Machine, index: FaultyIndex) -> None:
    for name in ("alpha", "beta", "gamma"):
        index.add(name, "1.0")
    lock = machine.lock("alpha", "beta", "gamma")
    machine.fetch(machine.lock("beta"))
    asked = len(index.asked)
    with pytest.raises(IndexUnreachable) as caught:
        machine.fetch(lock, variables={"IMAGEKIT_OFFLINE": "1"})
    assert caught.value.message == (
        "offline, and not in the cache: alpha-1.0-py3-none-any.whl, gamma-1.0-py3-none-any.whl"
    )
    assert len(index.asked) == asked


def test_a_kept_lock_is_enough_offline(machine: Machine, index: FaultyIndex) -> None:
    index.add("alpha", "1.0")
    spec = machine.spec("alpha")

    def lock(**variables: str) -> dict[str, str]:
        access = machine.access(spec, **variables)
        cache = machine.directory / "cache"
        return versions(obtain(spec, machine.target, cache_dir=cache, reporter=machine.told, access=access))

    assert lock() == {"alpha": "1.0"}
    index.close()
    # Even without uv's own cache.
    assert lock(IMAGEKIT_OFFLINE="1", UV_CACHE_DIR=str(machine.directory / "empty")) == {"alpha": "1.0"}


def test_pip_tools_has_nothing_to_resolve_from_offline(machine: Machine, index: FaultyIndex, host: Target) -> None:
    machine.target = host
    index.add("alpha", "1.0")
    with pytest.raises(ResolveError, match="pip-tools"):
        machine.lock("alpha", resolver="pip-tools", variables={"IMAGEKIT_OFFLINE": "1"})


def test_what_is_neither_yes_nor_no(machine: Machine) -> None:
    with pytest.raises(InvalidConfig, match="IMAGEKIT_OFFLINE"):
        machine.settings(IMAGEKIT_OFFLINE="perhaps")
    with pytest.raises(InvalidConfig, match="UV_OFFLINE is neither true nor false"):
        machine.access(machine.spec("alpha"), UV_OFFLINE="perhaps")


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_variables_that_would_choose_other_versions_reach_no_resolver(
    machine: Machine, index: FaultyIndex, tmp_path: Path, resolver: str, host: Target
) -> None:
    machine.target = host
    index.add("chosen", "1.0")
    index.add("chosen", "2.0")
    limits = tmp_path / "limits.txt"
    limits.write_text("chosen<2\n")
    variables = {"UV_RESOLUTION": "lowest", "UV_CONSTRAINT": str(limits), "PIP_CONSTRAINT": str(limits)}
    lock = machine.lock("chosen", variables={"UV_DEFAULT_INDEX": index.url, **variables}, resolver=resolver)
    assert versions(lock) == {"chosen": "2.0"}
