"""A run's end as an exception, for callers that want one."""

from __future__ import annotations

from imagekit.errors import FlowFailed, ResultNotSerializable, RunCrashed
from imagekit.runs.values import CANCELLED, COMPLETED, FAILED, RunResult


def raise_for(result: RunResult) -> None:
    """Raise what fits a run that did not complete; nothing for one that did."""
    if result.state == COMPLETED:
        return
    problem = result.error
    message = problem.message if problem else result.state
    hint, details = (problem.hint, problem.traceback) if problem else (None, None)
    if result.state == CANCELLED:
        raise KeyboardInterrupt(message)
    if result.state != FAILED:
        raise RunCrashed(message, hint=hint, details=details)
    if problem and problem.kind == "result-not-serializable":
        raise ResultNotSerializable(message, hint=hint)
    kind = problem.type.rpartition(".")[2] if problem and problem.type else ""
    line = f"{kind}: {message}" if kind and message else message or kind
    raise FlowFailed(line.partition("\n")[0], hint=hint, details=details)
