"""Paths that a wheel takes from what stays of the base."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagekit.errors import WheelRefused
from imagekit.layers.base_clashes import base_clashes
from imagekit.spec.installed import Contents, Distribution

from .bases import base

SITE = "usr/local/lib/python3.11/dist-packages"
KEPT, GONE = (
    Distribution(
        name=name, version="1", metadata=f"/{SITE}/{name}.dist-info", installer="pip", is_system=False, obstacle=None
    )
    for name in ("kept", "gone")
)
BASE = replace(base(), python=replace(base().python, distributions=(GONE, KEPT)))
CONTENTS = Contents(
    requires={},
    extras={},
    files={KEPT.metadata: (f"/{SITE}/kept/a.py",), GONE.metadata: (f"/{SITE}/gone.py",)},
    entries={},
)


def test_files_of_what_stays_are_named() -> None:
    owned = [("new==1", [f"{SITE}/kept/a.py", f"{SITE}/gone.py", f"{SITE}/new.py"])]
    (clash,) = base_clashes(owned, [GONE], BASE, CONTENTS)
    assert (clash.path, clash.first, clash.second) == (f"{SITE}/kept/a.py", "kept==1 of the base", "new==1")


def test_a_file_in_a_directorys_place_is_refused() -> None:
    with pytest.raises(WheelRefused, match="new==1 has a file"):
        base_clashes([("new==1", [f"{SITE}/kept"])], [], BASE, CONTENTS)
