"""What a resolver's last words are turned into."""

from __future__ import annotations

import pytest

from imagekit.errors import NoWheel
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
