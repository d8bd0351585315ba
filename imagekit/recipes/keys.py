"""Keys of apt repositories: fetched once, and taken only where they are the ones whose fingerprints are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import BuildError, DiskFull
from imagekit.recipes.fitted import Fitted
from imagekit.recipes.openpgp import NotAKey, fingerprints, is_armored, only
from imagekit.sharing.leases import mark_used

# Of a key: keyrings of whole distributions have some hundred kilobytes.
LIMIT = 4 << 20
Fetch = Callable[[str, str], bytes]  # (URL, whose it is) → content


def signing_keys(recipes: Iterable[Fitted], cache: Path, fetch: Fetch) -> dict[str, bytes]:
    """The key of each repository, by fingerprint: that key alone, not armored.

    ``cache``, which lies in the cache directory, keeps what was fetched. Raises what ``fetch`` raises, and
    ``BuildError`` for keys that are other ones, all at once.
    """
    found: dict[str, bytes] = {}
    others: list[BuildError] = []
    for recipe in recipes:
        for repository in recipe.repositories:
            fingerprint = repository.fingerprint
            if not fingerprint or fingerprint in found:
                continue
            where = repository.where or f"the recipe {recipe.name}"
            kept = cache / f"{fingerprint}.gpg"
            if is_armored(repository.key):
                data, origin = repository.key.encode(), "the text"
            elif (key := _kept(kept, fingerprint)) is not None:
                found[fingerprint] = key
                continue
            else:
                data, origin = fetch(repository.key, recipe.name), repository.key
            try:
                found[fingerprint] = _taken(where, data, fingerprint, origin)
            except BuildError as error:
                others.append(error)
                continue
            if origin == repository.key:
                with suppress(OSError, DiskFull):
                    write_whole(kept, found[fingerprint])
    if others:
        raise _together(others)
    return found


def _together(errors: Sequence[BuildError]) -> BuildError:
    first = errors[0]
    if len(errors) == 1:
        return first
    lines = "\n".join(error.message for error in errors)
    return BuildError(f"{len(errors)} problems: {first.message}", hint=first.hint, details=lines)


def _kept(path: Path, fingerprint: str) -> bytes | None:
    mark_used(path, path.parents[1])
    try:
        return only(path.read_bytes(), fingerprint)
    except (OSError, NotAKey):
        return None


def _taken(where: str, data: bytes, fingerprint: str, origin: str) -> bytes:
    try:
        key = only(data, fingerprint)
        if key is not None:
            return key
        known = ", ".join(fingerprints(data))
    except NotAKey as problem:
        raise BuildError(
            f"{where}: what {origin} gives is no key: {problem}", hint="look at the URL in a browser"
        ) from None
    raise BuildError(
        f"{where}: {origin} gives the key {known}, and {fingerprint} is named",
        hint="the key was exchanged, or somebody is in between: ask its owner for the fingerprint",
    )
