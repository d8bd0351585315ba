"""From what the bootstrap wrote and what the engine says to how the run ended. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagekit.runs.values import CANCELLED, COMPLETED, CRASHED, FAILED, TIMED_OUT, RunProblem, SerializedResult

_LONE = re.compile("[\ud800-\udfff]")
_WROTE = "imagekit flow-run logs RUN shows what it wrote (imagekit flow-run ls lists runs)"
_LEAVE = f"{_WROTE}; imagekit run --keep leaves the container"
_MORE_MEMORY = (
    "give the run more: --memory 2g (mem_limit='2g'); where it has no limit, the engine's machine has too little"
)
_SIGNALS = {2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a container that is no longer running.

    ``stopped`` is why it was asked to stop (``interrupt``, ``terminate``, ``timeout``), if it was.
    ``state`` is the engine's own ``State`` object; ``None`` where the container is gone.
    """

    exit_code: int | None  # the engine's word
    outcome: bytes | None = None
    end: bytes | None = None  # what process 1 measured when all was over
    data: bytes | None = None  # what the flow returned, where it is no JSON
    own_command: bool = False  # the settings' own command ran instead of ours
    demoted: bool = False  # the image's user is root, and the flow's was another
    stopped: str | None = None
    state: Mapping[str, Any] | None = None
    engine_lost: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The part of a ``RunResult`` that is judged."""

    state: str
    cause: str | None = None
    exit_code: int | None = None
    result: Any = None
    error: RunProblem | None = None
    python: str | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    oom_kills: int = 0


def judge(facts: Facts) -> Verdict:
    """The flow's own word comes first, then why it was stopped, then what the engine says."""
    document, end = _document(facts.outcome), _document(facts.end)
    code = _whole(end.get("exit_code"))
    return replace(
        _judged(facts, document),
        exit_code=facts.exit_code if code is None else code,
        python=_text(document.get("python")),
        cpu_seconds=_number(end.get("cpu_seconds")),
        peak_memory=_whole(end.get("peak_memory")),
        oom_kills=_whole(document.get("oom_kills")) or 0,
    )


def _judged(facts: Facts, document: Mapping[str, Any]) -> Verdict:
    state = document.get("state")
    if state == COMPLETED:
        name = document.get("serializer")
        if not isinstance(name, str):
            return Verdict(state=COMPLETED, result=document.get("result"))
        return Verdict(state=COMPLETED, result=SerializedResult(serializer=name, data=facts.data or b""))
    error = RunProblem.from_json(document["error"]) if isinstance(document.get("error"), dict) else None
    if facts.stopped == "timeout":
        message = f"the flow was still running after {facts.timeout:g} s" if facts.timeout else "the flow ran too long"
        problem = RunProblem(kind="timeout", message=message, traceback=error.traceback if error else None)
        return Verdict(state=TIMED_OUT, cause="timeout", error=problem)
    if facts.stopped:
        problem = error or RunProblem(kind="cancelled", message="the run was cancelled")
        return Verdict(state=CANCELLED, cause=facts.stopped, error=problem)
    if state == FAILED:
        cause = "oom" if document.get("oom_kills") else None
        return Verdict(state=FAILED, cause=cause, error=_with_hint(error, document, demoted=facts.demoted))
    if state == CANCELLED and not facts.engine_lost:
        return Verdict(state=CANCELLED, cause="signal", error=error)
    if facts.own_command and not facts.engine_lost and facts.state is not None and _ended_by_itself(facts):
        return _of_command(facts)
    cause, problem = _crash(facts, document)
    return Verdict(state=CRASHED, cause=cause, error=problem)


def _ended_by_itself(facts: Facts) -> bool:
    code = facts.exit_code
    return code is not None and code <= 128 and not (facts.state or {}).get("OOMKilled")


def _of_command(facts: Facts) -> Verdict:
    if facts.exit_code == 0:
        return Verdict(state=COMPLETED)
    problem = RunProblem(kind="exit", message=f"the command ended with exit code {facts.exit_code}")
    return Verdict(state=FAILED, error=problem)


def _document(data: bytes | None) -> dict[str, Any]:
    """What JSON may be, that can be written again: finite, and text that is Unicode."""
    try:
        found = _parsed(data or b"{}")
        if data and b"\\ud" in data.lower():
            text = json.dumps(found, ensure_ascii=False)
            # What is half of a character is told as Python writes it.
            found = _parsed(_LONE.sub(lambda match: rf"\\u{ord(match[0]):x}", text))
    except (ValueError, RecursionError):
        # A flow can write what it likes where its outcome goes.
        return {}
    return found if isinstance(found, dict) else {}


def _parsed(data: bytes | str) -> Any:
    return json.loads(data, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, float) or _whole(value) is not None
    return float(value) if is_number else None  # type: ignore[arg-type]


def _whole(value: object) -> int | None:
    # SQLite's integers have 64 bits.
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return value if is_whole else None  # type: ignore[return-value]


def _with_hint(error: RunProblem | None, document: Mapping[str, Any], *, demoted: bool) -> RunProblem:
    problem = error or RunProblem(kind="flow", message="the flow failed and did not say how")
    hint = None
    if document.get("oom_kills"):
        hint = f"a process in the container was killed for want of memory; {_MORE_MEMORY}"
    elif problem.module and problem.type == "ModuleNotFoundError":
        hint = f"add the distribution that provides {problem.module} to the image's requirements"
    elif problem.type == "PermissionError" and demoted:
        hint = "the image's user is root, and runs are not: --user root (user='root') runs it as root"
    elif problem.kind == "result-not-serializable" and "are the most" in problem.message:
        hint = "write it to a volume or a store, and return where it is"
    elif problem.kind == "result-not-serializable":
        hint = "return strings, numbers, lists and dicts, or name another serializer: pickle"
    return replace(problem, hint=hint)


def _crash(facts: Facts, document: Mapping[str, Any]) -> tuple[str, RunProblem]:
    state = facts.state or {}
    if document.get("cause") == "oom" or (not document and state.get("OOMKilled")):
        return "oom", _crashed("the flow was killed for want of memory", _MORE_MEMORY)
    if document.get("cause") == "signal":
        return "signal", _crashed(f"the flow's process was killed by {document.get('signal')}", _LEAVE)
    if document.get("cause") == "exit":
        code = document.get("exit_code")
        return "exit", _crashed(
            f"the flow's process ended with exit code {code} and without a result",
            "os._exit ends a process without a word: use sys.exit, or return",
        )
    if facts.engine_lost:
        # Without live-restore, an engine that starts again stops what it finds running.
        return "engine", _crashed("the Docker Engine went away during the run", "start it, and run the flow again")
    if facts.outcome is not None and facts.state is None:
        return "exit", _crashed("the flow's process ended, and the outcome that it left cannot be read", _LEAVE)
    if facts.state is None or state.get("Status") in ("removing", "dead"):
        return "removed", _crashed("the container was removed by somebody else during the run", _WROTE)
    code = facts.exit_code
    if code is not None and code > 128:
        name = _SIGNALS.get(code - 128, f"signal {code - 128}")
        return "signal", _crashed(f"the container was killed by {name}", _LEAVE)
    return "exit", _crashed(f"the container ended with exit code {code} and without a result", _LEAVE)


def _crashed(message: str, hint: str | None = None) -> RunProblem:
    return RunProblem(kind="crash", message=message, hint=hint)
