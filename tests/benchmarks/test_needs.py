"""What is missing on a machine is told before anything is measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.needs import check_needs, most_disk
from benchmarks.process import Failed


def test_a_program_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("docker", "dockerd", "ip", "nsenter", "unshare"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="there is no docker-registry: make setup"):
        check_needs(tmp_path, ["data-cold"])


def test_a_disk_without_room_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 10**9))
    with pytest.raises(Failed, match=rf"^\d\d GB are needed in {tmp_path}, and 3 are free: .*--directory DIR"):
        check_needs(tmp_path, ["api-cold"])


def test_the_heavy_set_needs_more() -> None:
    assert most_disk(["data-cold", "ml-cold"]) > most_disk(["data-cold", "growth-packages", "matrix"])
