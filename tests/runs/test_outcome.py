"""What a flow may write where its outcome goes. Nothing is asked of an engine here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.runs.outcome import Facts, judge

DONE = b'{"state": "completed", "result": 1}'


@pytest.mark.parametrize(
    "outcome",
    [
        b'{"state": "completed", "result": NaN}',
        b'{"state": "completed", "result": [-Infinity]}',
        b'{"state": "completed", "result": 1e999}',
        b'{"state": "completed", "result": ' + b"[" * 100000,
        b'{"state": "completed", "result": "\xff"}',
        b"[]",
    ],
)
def test_an_outcome_that_json_cannot_hold_is_none(outcome: bytes) -> None:
    verdict = judge(Facts(exit_code=0, outcome=outcome, state={"Status": "exited"}))
    assert (verdict.state, verdict.cause) == ("crashed", "exit")


@pytest.mark.parametrize("number", ["1e999", "NaN", "1" + "0" * 30, "1" + "0" * 400, "true", "[]", '"1"'])
def test_a_measure_that_is_no_number_the_record_can_hold_is_none(number: str) -> None:
    end = f'{{"exit_code": {number}, "cpu_seconds": {number}, "peak_memory": {number}}}'.encode()
    verdict = judge(Facts(exit_code=3, outcome=DONE, end=end))
    assert verdict.exit_code == 3
    assert verdict.cpu_seconds is None
    assert verdict.peak_memory is None


def test_half_a_character_is_told_as_python_writes_it() -> None:
    outcome = rb"""{"state": "failed", "error": {"message": "caf\udce9 \ud83d\ude00", "kind": "flow"}}"""
    verdict = judge(Facts(exit_code=1, outcome=outcome))
    assert verdict.error is not None
    assert verdict.error.message == "caf\\udce9 \U0001f600"


@pytest.mark.parametrize(
    ("facts", "cause", "message", "next_step"),
    [
        (Facts(exit_code=0, outcome=b"NaN"), "exit", "cannot be read", "imagekit run --keep"),
        (Facts(exit_code=3, state={}), "exit", "exit code 3 and without a result", "imagekit run --keep"),
        (Facts(exit_code=139, state={}), "signal", "killed by SIGSEGV", "imagekit run --keep"),
        (Facts(exit_code=None), "removed", "removed by somebody else", "imagekit flow-run logs RUN"),
        (Facts(exit_code=137, state={"OOMKilled": True}), "oom", "want of memory", "--memory 2g"),
        (
            Facts(exit_code=1, outcome=b'{"cause": "signal", "signal": "SIGABRT"}', state={}),
            "signal",
            "killed by SIGABRT",
            "imagekit run --keep",
        ),
    ],
)
def test_every_crash_says_what_to_do_next(facts: Facts, cause: str, message: str, next_step: str) -> None:
    verdict = judge(facts)
    assert (verdict.state, verdict.cause) == ("crashed", cause)
    assert verdict.error is not None
    assert message in verdict.error.message
    assert next_step in (verdict.error.hint or "")


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(st.characters()), st.lists, max_leaves=3))
def test_whatever_it_is_can_be_written_again(value: object) -> None:
    outcome = json.dumps({"state": "completed", "result": value}).encode()
    verdict = judge(Facts(exit_code=0, outcome=outcome, end=outcome, state={}))
    json.dumps(verdict.result, ensure_ascii=False, allow_nan=False).encode()
