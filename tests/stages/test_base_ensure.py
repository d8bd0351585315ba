"""Found, pulled or made: in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.stages.base_ensure import ensure_base
from imagekit.stages.debian import DebianRootfs


def never(*_: object) -> bool:
    raise AssertionError("must not be asked")


def not_loaded(rootfs: DebianRootfs, reference: str) -> None:
    raise AssertionError("must not be loaded")


def test_an_image_of_ours_comes_first(tmp_path: Path) -> None:
    base = ensure_base("3.11", cache=tmp_path, exists=lambda r: True, pull=never, load=not_loaded)
    assert (base.reference, base.how) == ("imagekit/python:3.11", "found")


def test_the_official_image_will_do(tmp_path: Path) -> None:
    there = {"python:3.11-slim"}
    base = ensure_base("3.11", cache=tmp_path, exists=there.__contains__, pull=never, load=not_loaded)
    assert (base.reference, base.how) == ("python:3.11-slim", "found")


def test_it_is_pulled_where_it_can_be(tmp_path: Path) -> None:
    base = ensure_base("3.11", cache=tmp_path, exists=lambda r: False, pull=lambda r, t: True, load=not_loaded)
    assert (base.reference, base.how) == ("python:3.11-slim", "pulled")
    assert not list(tmp_path.iterdir())


def test_a_python_that_no_debian_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3\.12"):
        ensure_base("3.12", cache=tmp_path, exists=lambda r: False, pull=None, load=not_loaded)
