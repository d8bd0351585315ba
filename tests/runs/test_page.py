"""docs/runs.md is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from imagekit.cli.run import exit_code
from imagekit.runs.settings import NAMES

from .test_settings import WORKER_VARIABLES

PAGE = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()


def rows(head: str) -> list[list[str]]:
    table = PAGE.partition(f"\n{head}\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_every_variable_of_the_worker_is_on_the_page() -> None:
    named = [name for row in rows("| variable | here |") for name in re.findall(r"`([a-z_]+)`", row[0])]
    assert sorted(named) == sorted(WORKER_VARIABLES)
    assert set(named) <= set(NAMES)


# Which test brings it about, on a real engine.
ENDS = {
    ("completed", ""): ("test_recording.py", "test_a_run_is_recorded_with_all_that_is_known_of_it"),
    ("failed", ""): ("test_recording.py", "test_each_end_is_recorded"),
    ("failed", "oom"): ("test_recording.py", "test_each_end_is_recorded"),
    ("timed-out", "timeout"): ("test_recording.py", "test_each_end_is_recorded"),
    ("cancelled", "interrupt"): ("test_command.py", "test_one_signal_is_a_wish"),
    ("cancelled", "terminate"): ("test_command.py", "test_one_signal_is_a_wish"),
    ("cancelled", "signal"): ("test_faults.py", "test_a_container_stopped_from_outside"),
    ("crashed", "oom"): ("test_recording.py", "test_each_end_is_recorded"),
    ("crashed", "signal"): ("test_recording.py", "test_each_end_is_recorded"),
    ("crashed", "exit"): ("test_recording.py", "test_each_end_is_recorded"),
    ("crashed", "removed"): ("test_faults.py", "test_a_container_removed_from_outside"),
    ("crashed", "engine"): ("test_faults.py", "test_an_engine_that_is_killed_and_stays_away"),
    ("crashed", "worker"): ("test_recording.py", "test_a_run_whose_process_was_killed_is_stopped_and_recorded"),
}


def test_every_end_is_on_the_page_with_what_the_command_ends_with() -> None:
    ends = rows("| state | cause | what happened | exit code |")
    assert {(state.strip("`"), cause.strip("`")) for state, cause, _, _ in ends} == set(ENDS)
    for state, cause, _, code in ends:
        assert exit_code({"state": state.strip("`"), "cause": cause.strip("`") or None}) == int(code), (state, cause)
    for file, test in ENDS.values():
        assert f"def {test}(" in (Path(__file__).parent / file).read_text()
