"""The known name that somebody most likely meant."""

from __future__ import annotations

from collections.abc import Iterable

# By difflib's measure. Below it names have some letters in common and nothing else: nope, openmp.
_ALIKE = 0.7
_SHORTEST = 3  # letters by which a name that begins with them is meant


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that looks most like ``name``, or ``None`` where none does."""
    # difflib is wanted for errors only, and is slow to import.
    from difflib import get_close_matches

    names = list(known)
    begun = [each for each in names if len(name) >= _SHORTEST and each.startswith(name)]
    if begun:
        return min(begun, key=len)
    alike = get_close_matches(name, names, n=1, cutoff=_ALIKE)
    # Two letters in the wrong order: elt, etl. The measure does not see it where there are few.
    return next(iter(alike), None) or next((each for each in names if sorted(each) == sorted(name)), None)


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """``did you mean X?``, or the list of what is known."""
    names = sorted(known)
    found = nearest(name, names)
    if found is not None:
        return f"did you mean {found!r}?"
    return "known are " + ", ".join(names) if names else "there are none"
