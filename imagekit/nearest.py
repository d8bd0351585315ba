"""The known name that somebody most likely meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that looks most like ``name``, or ``None`` where none does."""
    # difflib is wanted for errors only, and is slow to import.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1)), None)


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """``did you mean X?``, or the list of what is known."""
    names = sorted(known)
    found = nearest(name, names)
    if found is not None:
        return f"did you mean {found!r}?"
    return "known are " + ", ".join(names) if names else "there are none"
