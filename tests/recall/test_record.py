"""Records of builds, of which the newest stay."""

from __future__ import annotations

import os
from pathlib import Path

from imagekit.cache.kinds import KINDS
from imagekit.recall.record import MOST, write_record


def test_the_newest_stay_wherever_they_lie(tmp_path: Path) -> None:
    assert [kind.most for kind in KINDS if kind.name == "builds"] == [MOST]
    directory = tmp_path / "builds"
    for number in range(MOST + 48):
        write_record(directory / f"{number:064x}.json", {})
        os.utime(directory / f"{number:064x}.json", (number, number))
    (directory / "mine").write_text("")
    write_record(directory / "a.json", {"format": 0})
    assert len(list(directory.iterdir())) == MOST + 50
    write_record(directory / "b.json", {"format": 0})
    left = {path.stem for path in directory.iterdir()}
    assert left == {"mine", "a", "b", *(f"{number:064x}" for number in range(50, MOST + 48))}
