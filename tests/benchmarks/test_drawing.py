"""What is drawn of results is what they hold."""

from __future__ import annotations

from benchmarks.drawing import starts
from benchmarks.start_dockerfile import start


def test_the_quickest_comes_first_by_its_median() -> None:
    samples = {
        "pip at start": [{"first line": 20.0}, {"first line": 22.0}, {"first line": 90.0}],
        "baked": [{"first line": 1.0}, {"first line": 1.5}],
        "uv at start": [],
    }
    found = starts({"samples": samples})
    assert [(name, summary.median, summary.count) for name, summary in found] == [
        ("baked", 1.25, 2),
        ("pip at start", 22.0, 3),
    ]


def test_each_peer_is_started_with_its_installer() -> None:
    pip, uv = (start(side, "httpx==1", None) for side in ("pip at start", "uv at start"))
    assert "EXTRA_PIP_PACKAGES=httpx==1" in pip
    assert ("INSTALLER=pip --disable-pip-version-check" in pip, "INSTALLER=uv pip" in uv) == (True, True)
