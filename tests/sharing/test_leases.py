"""What is in use is not taken away, and nothing is held for those who are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagekit.sharing import leases
from imagekit.sharing.flock import LocksUnavailable, acquire
from imagekit.sharing.leases import GRACE, LEASES, MARKED_EVERY, Busy, closed_gate, in_use, mark_used

HOLDS = """
import sys, time
from pathlib import Path
from imagekit.sharing.leases import in_use
with in_use(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, root], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def free(root: Path, marked: float) -> bool:
    with closed_gate(root) as gate:
        return gate.is_free(marked)


def test_without_leases_everything_is_free(tmp_path: Path) -> None:
    assert free(tmp_path, time.time())
    with in_use(tmp_path):
        assert not free(tmp_path, time.time())
    assert free(tmp_path, time.time())
    assert list((tmp_path / LEASES).iterdir()) == []


def test_what_was_used_long_before_a_lease_is_free(tmp_path: Path) -> None:
    with in_use(tmp_path):
        assert free(tmp_path, time.time() - GRACE - 60)
        # What its holder uses was marked within the hour before it began, and clocks are set.
        assert not free(tmp_path, time.time() - MARKED_EVERY)


def test_the_oldest_lease_counts(tmp_path: Path) -> None:
    with in_use(tmp_path):
        (old,) = (tmp_path / LEASES).iterdir()
        begun = time.time() - 10 * 3600
        os.utime(old, (begun, begun))
        with in_use(tmp_path):
            assert not free(tmp_path, begun)
        assert not free(tmp_path, begun)


def test_the_lease_of_a_killed_process_is_none(tmp_path: Path) -> None:
    process = holder(tmp_path)
    assert not free(tmp_path, time.time())
    ended(process)
    assert free(tmp_path, time.time())
    assert list((tmp_path / LEASES).iterdir()) == []


def test_the_lease_of_a_stopped_process_counts(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert not free(tmp_path, time.time())
    ended(process)


def test_a_mark_is_renewed_once_an_hour(tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_text("{}")
    now = time.time()
    os.utime(path, (now - 600, now - 600))
    mark_used(path, tmp_path)
    assert path.stat().st_mtime == pytest.approx(now - 600, abs=1)
    os.utime(path, (now - MARKED_EVERY - 1, now - MARKED_EVERY - 1))
    mark_used(path, tmp_path)
    assert path.stat().st_mtime >= now - 1


def test_no_mark_is_renewed_while_the_gate_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is being taken away would look used only once it is gone."""
    monkeypatch.setattr(leases, "_GATE_SECONDS", 0.1)
    path = tmp_path / "entry.json"
    path.write_text("{}")
    os.utime(path, (0, 0))
    seen = []
    with closed_gate(tmp_path):
        program = "import sys; from pathlib import Path; from imagekit.sharing.leases import mark_used\n"
        program += "mark_used(Path(sys.argv[1]), Path(sys.argv[2])); print(Path(sys.argv[1]).stat().st_mtime)"
        process = subprocess.Popen(
            [sys.executable, "-c", program, path, tmp_path], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        time.sleep(1.0)
        seen.append(path.stat().st_mtime)
    out, _ = process.communicate()
    assert seen == [0.0]
    assert float(out) > 0


def test_one_prunes_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_GATE_SECONDS", 0.05)
    with closed_gate(tmp_path), pytest.raises(Busy), closed_gate(tmp_path):
        raise AssertionError("two at once")


def test_a_stopped_pruner_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_GATE_SECONDS", 0.05)
    path = tmp_path / "entry.json"
    path.write_text("{}")
    os.utime(path, (0, 0))
    with closed_gate(tmp_path):
        mark_used(path, tmp_path)
        with in_use(tmp_path):
            pass
    assert path.stat().st_mtime > 0


def test_where_nothing_can_be_locked_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "below"
    with in_use(nowhere):
        mark_used(nowhere / "x", nowhere)
    with pytest.raises(LocksUnavailable), closed_gate(nowhere):
        pass


def test_a_lock_is_one_descriptors(tmp_path: Path) -> None:
    path = tmp_path / "a" / "lock"
    first = acquire(path)
    assert first is not None
    assert acquire(path) is None
    assert acquire(path, shared=True, seconds=0.05) is None
    os.close(first)
    shared = [acquire(path, shared=True) for _ in range(2)]
    assert None not in shared
    assert acquire(path) is None
    for descriptor in shared:
        os.close(descriptor or 0)
