"""From what the bootstrap wrote and what the engine says to how the run ended. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagekit.runs.values import CANCELLED, COMPLETED, CRASHED, FAILED, TIMED_OUT, RunProblem

_SIGNALS = {2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a container that is no longer running.

    ``stopped`` is why it was asked to stop (``interrupt``, ``terminate``, ``timeout``), if it was.
    ``state`` is the engine's own ``State`` object; ``None`` where the container is gone.
    """

    outcome: bytes | None
    exit_code: int | None
    stopped: str | None = None
    state: Mapping[str, Any] | None = None
    engine_lost: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The part of a ``RunResult`` that is judged."""

    state: str
    cause: str | None = None
    result: Any = None
    error: RunProblem | None = None
    python: str | None = None


def judge(facts: Facts) -> Verdict:
    """The flow's own word comes first, then why it was stopped, then what the engine says."""
    document = _document(facts.outcome)
    python = document.get("python")
    state = document.get("state")
    if state == COMPLETED:
        return Verdict(state=COMPLETED, result=document.get("result"), python=python)
    error = RunProblem.from_json(document["error"]) if isinstance(document.get("error"), dict) else None
    if facts.stopped == "timeout":
        message = f"the flow was still running after {facts.timeout:g} s" if facts.timeout else "the flow ran too long"
        problem = RunProblem(kind="timeout", message=message, traceback=error.traceback if error else None)
        return Verdict(state=TIMED_OUT, cause="timeout", error=problem, python=python)
    if facts.stopped:
        problem = error or RunProblem(kind="cancelled", message="the run was cancelled")
        return Verdict(state=CANCELLED, cause=facts.stopped, error=problem, python=python)
    if state == FAILED:
        return Verdict(state=FAILED, error=_with_hint(error, document), python=python)
    if state == CANCELLED and not facts.engine_lost:
        return Verdict(state=CANCELLED, cause="signal", error=error, python=python)
    cause, problem = _crash(facts, document)
    return Verdict(state=CRASHED, cause=cause, error=problem, python=python)


def _document(data: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        # A flow can write what it likes where its outcome goes.
        return {}
    return found if isinstance(found, dict) else {}


def _with_hint(error: RunProblem | None, document: Mapping[str, Any]) -> RunProblem:
    from dataclasses import replace

    problem = error or RunProblem(kind="flow", message="the flow failed and did not say how")
    hint = None
    if document.get("oom_kills"):
        hint = "a process in the container was killed for want of memory: give the run more"
    elif problem.module and problem.type == "ModuleNotFoundError":
        hint = f"add the distribution that provides {problem.module} to the image's requirements"
    elif problem.kind == "result-not-serializable":
        hint = "return strings, numbers, lists and dicts, or write the value to a file and return its path"
    return replace(problem, hint=hint)


def _crash(facts: Facts, document: Mapping[str, Any]) -> tuple[str, RunProblem]:
    state = facts.state or {}
    if document.get("cause") == "oom" or (not document and state.get("OOMKilled")):
        return "oom", _crashed("the flow was killed for want of memory", "give the run more memory")
    if document.get("cause") == "signal":
        return "signal", _crashed(f"the flow's process was killed by {document.get('signal')}")
    if document.get("cause") == "exit":
        code = document.get("exit_code")
        return "exit", _crashed(
            f"the flow's process ended with exit code {code} and without a result",
            "os._exit ends a process without a word: use sys.exit, or return",
        )
    if facts.engine_lost:
        # Without live-restore, an engine that starts again stops what it finds running.
        return "engine", _crashed("the Docker Engine went away during the run", "start it, and run the flow again")
    if facts.state is None or state.get("Status") in ("removing", "dead"):
        return "removed", _crashed("the container was removed by somebody else during the run")
    code = facts.exit_code
    if code is not None and code > 128:
        return "signal", _crashed(f"the container was killed by {_SIGNALS.get(code - 128, f'signal {code - 128}')}")
    return "exit", _crashed(f"the container ended with exit code {code} and without a result")


def _crashed(message: str, hint: str | None = None) -> RunProblem:
    return RunProblem(kind="crash", message=message, hint=hint)
