"""What a run is given in secret: its container has it, and what is shown and kept of the run has ``***`` in its place.

That is every variable whose value is a ``Secret``, and every other one whose value is a credential by its form, or by
its name and looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from imagekit.runs.values import RunProblem
    from imagekit.secrets.needles import Needles
    from imagekit.store.values import RunEnd, RunRecord

CONCEALED = "***"


class Holder(Protocol):
    """Something that holds a value, such as a ``Secret`` or Prefect's block of that name."""

    def get(self) -> str: ...


Variables: TypeAlias = "Mapping[str, str | Holder | None]"


def is_held(value: object) -> TypeGuard[Holder]:
    return not isinstance(value, (str, Mapping, type)) and callable(getattr(value, "get", None))


def revealed(env: Variables) -> dict[str, str | None]:
    """``env`` as the container gets it."""
    return {name: value if value is None or isinstance(value, str) else _value(value) for name, value in env.items()}


def _value(value: Holder) -> str:
    # What is neither is told by whoever checks.
    return value.get() if is_held(value) else value  # type: ignore[return-value]


def needles_of(env: Variables, given: Iterable[str] = ()) -> Needles | None:
    """What is to be concealed of the values of ``env``; those of the names ``given`` in any case."""
    if not any(env.values()):
        return None
    from imagekit.secrets.needles import needles
    from imagekit.secrets.telling import credential

    known = frozenset(given)
    values = {name: value for name, value in revealed(env).items() if value}
    secret = [
        value
        for name, value in values.items()
        if name in known or is_held(env[name]) or credential(name, value) is not None
    ]
    return needles(value.encode("utf-8", "surrogateescape") for value in secret) or None


def concealed(value: Any, needles: Needles | None) -> Any:
    """``value``, which JSON can hold, without what ``needles`` find in its texts."""
    if needles is None:
        return value
    if isinstance(value, str):
        return needles.concealed(value)
    if isinstance(value, Mapping):
        return {concealed(name, needles): concealed(item, needles) for name, item in value.items()}
    return [concealed(item, needles) for item in value] if isinstance(value, (list, tuple)) else value


def held(env: Variables) -> str:
    """The names of those that are held in secret, with ``,`` between."""
    return ",".join(sorted(name for name, value in env.items() if is_held(value)))


def concealed_problem(problem: RunProblem | None, needles: Needles | None) -> RunProblem | None:
    if problem is None or needles is None:
        return problem
    return replace(problem, **concealed(problem.to_json(), needles))


def concealed_record(record: RunRecord, needles: Needles | None) -> RunRecord:
    if needles is None:
        return record
    names = ("parameters", "settings", "source", "extras")
    return replace(record, **{name: concealed(getattr(record, name), needles) for name in names})


def concealed_end(end: RunEnd, needles: Needles | None) -> RunEnd:
    if needles is None:
        return end
    return replace(end, error=concealed(end.error, needles), result=concealed(end.result, needles))


def without_credentials(value: Any, name: str = "") -> Any:
    """A setting as it is written down: a command, a label or an argument that shows a credential does not."""
    from imagekit.secrets.command_text import in_pair, in_words

    if isinstance(value, str):
        return CONCEALED if in_pair(name, value) is not None else value
    if isinstance(value, Mapping):
        return {key: without_credentials(item, str(key)) for key, item in value.items()}
    if isinstance(value, Sequence):
        found = [without_credentials(item, name) for item in value]
        words = [item for item in found if isinstance(item, str)]
        # Two words together may say what none does: --password hunter22.
        if len(words) == len(found) and CONCEALED not in words and in_words(words) is not None:
            return [*words[:1], CONCEALED]
        return found
    return value


class Masking:
    """Takes what ``needles`` find out of streams that come in pieces.

    What may be the beginning of a finding is held back until the next piece says: of a line that has ended, nothing.
    """

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._held: dict[int, bytes] = {}
        self._inside = frozenset(byte for form in needles.forms for byte in form[:-1])

    def passed(self, stream: int, data: bytes) -> bytes:
        """What of ``data``, and of what was held back before, can be shown."""
        data = self._held.pop(stream, b"") + data
        cut = self._cut(data)
        if cut < len(data):
            self._held[stream] = data[cut:]
        return self._needles.taken_out(data[:cut])

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """What is held back, at the end."""
        while self._held:
            stream, data = self._held.popitem()
            yield stream, self._needles.taken_out(data)

    def _cut(self, data: bytes) -> int:
        """Where that begins in ``data`` which may go on as a finding."""
        if not data or data[-1] not in self._inside:
            return len(data)
        cut = len(data)
        for form in self._needles.forms:
            for size in range(min(len(form) - 1, len(data)), len(data) - cut, -1):
                if data.endswith(form[:size]):
                    cut = len(data) - size
                    break
        return self._before_findings(data, cut)

    def _before_findings(self, data: bytes, cut: int) -> int:
        """No finding is cut in two."""
        for form in self._needles.forms:
            at = data.find(form, max(0, cut - len(form) + 1), cut + len(form) - 1)
            if 0 <= at < cut:
                return self._before_findings(data, at)
        return cut
