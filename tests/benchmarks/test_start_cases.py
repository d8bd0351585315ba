"""A flow that did not get what it asked for has no time."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import pytest

from benchmarks.case import Rounds
from benchmarks.start_cases import FIRST_LINE, Extras
from benchmarks.start_dockerfile import start

EXTRAS = Extras(name="x", packages=("packaging",), imports=("packaging.version",), rounds=Rounds(quick=0, full=0))


def test_the_flow_looks_at_what_it_got(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    flow: dict[str, Any] = {}
    exec(EXTRAS.flow(), flow)
    monkeypatch.setattr(importlib.metadata, "version", EXTRAS.versions().get)
    flow["main"]()
    assert capsys.readouterr().out == f"{FIRST_LINE}\n"
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.0")
    with pytest.raises(AssertionError):
        flow["main"]()
    # The package is there, where none is to be.
    with pytest.raises(AssertionError):
        flow["plain"]()
    monkeypatch.setattr(importlib.metadata, "distributions", list)
    flow["plain"]()


def test_each_peer_is_started_with_its_installer() -> None:
    pip, uv = (start(side, "httpx==1", None) for side in ("pip at start", "uv at start"))
    assert "EXTRA_PIP_PACKAGES=httpx==1" in pip
    assert ("INSTALLER=pip --disable-pip-version-check" in pip, "INSTALLER=uv pip" in uv) == (True, True)
