"""What a resolver's last words are turned into."""

from __future__ import annotations

import pytest

from imagekit.errors import NoWheel, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.complaints import complaint
from tests.lock.conftest import make_target


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag", ["tensorflow"]),
        ("Because all versions of mysqlclient have no usable wheels and you require mysqlclient", ["mysqlclient"]),
        ("Because all versions of uvicorn[standard] have no usable wheels", ["uvicorn"]),
        # A marker stands in the name's braces, and what it compares with is no package.
        ("Because all versions of pylibmc{sys_platform != 'win32'} have no usable wheels", ["pylibmc"]),
        ('Because pywatchman{sys_platform != "win32"}==3.0.0 has no usable wheels', ["pywatchman"]),
        ("Wheels are required for `odfpy` because building from source is disabled for all packages", ["odfpy"]),
    ],
)
def test_packages_without_a_wheel_are_named(words: str, named: list[str]) -> None:
    error = complaint(f"error: No solution found when resolving dependencies\n  cause: {words}", make_target())
    assert isinstance(error, NoWheel)
    assert error.packages == tuple(named)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "you require six<1 and six>=1, which are incompatible",
            "no set of versions fits: you require six<1 and six>=1, which are incompatible",
        ),
        (
            "Because only x<=2 is available and you require x>=9, we can conclude that your requirements are "
            "unsatisfiable.",
            "no set of versions fits: because only x<=2 is available and you require x>=9",
        ),
    ],
)
def test_why_nothing_fits_is_said_in_one_line(words: str, said: str) -> None:
    error = complaint(f"error: No solution found when resolving dependencies\n  cause: {words}", make_target())
    assert isinstance(error, Unsatisfiable)
    assert error.message == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("error: No solution found when resolving dependencies", "the requirements cannot be met together"),
        ("ERROR: ResolutionImpossible: x", "the requirements cannot be met together: ResolutionImpossible: x"),
    ],
)
def test_a_reason_that_is_not_told_is_not_made_up(words: str, said: str) -> None:
    assert complaint(words, make_target()).message == said


@pytest.mark.parametrize(
    "words",
    [
        "Because x==1.10 needs to be downloaded from a registry and you require x==1.10, we can conclude …",
        "Because x was not found in the cache and you require x, we can conclude …",
    ],
)
def test_what_is_missing_offline_is_named(words: str) -> None:
    said = f"error: No solution found when resolving dependencies\n  cause: {words}\n\nhint: Packages were unavailable "
    error = complaint(f"{said}because the network was disabled.", make_target(), access=IndexAccess(offline=True))
    assert error.message == "offline, and uv's cache does not have x"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            "Because the requested Python version (>=3.11.2) does not satisfy Python>=3.12 and you require x==6",
            ">=3.12",
        ),
        ("the requested Python version (>=3.13) does not satisfy Python>=3.8,<3.11 and x depends on y", ">=3.8,<3.11"),
    ],
)
def test_where_the_python_does_not_fit_another_one_is_the_next_step(words: str, wanted: str) -> None:
    error = complaint(f"error: No solution found when resolving dependencies\n  cause: {words}", make_target())
    assert isinstance(error, Unsatisfiable)
    assert str(error.hint).startswith(f"ask for a Python {wanted}, with --python or `python` in the configuration")


def test_the_line_that_lets_a_package_be_built_is_there_to_be_copied() -> None:
    error = complaint("Wheels are required for `uuid` because building from source is disabled", make_target())
    assert 'source-builds = ["uuid"] in imagekit.toml' in str(error.hint)
