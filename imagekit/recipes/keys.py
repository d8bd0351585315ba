"""Keys of apt repositories: fetched once, and taken only where they are the ones whose fingerprints are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import BuildError, DiskFull
from imagekit.recipes.fitted import Fitted
from imagekit.recipes.openpgp import NotAKey, fingerprints, is_armored, only

# Of a key: keyrings of whole distributions have some hundred kilobytes.
LIMIT = 4 << 20
Fetch = Callable[[str, str], bytes]  # (URL, whose it is) → content


def signing_keys(recipes: Iterable[Fitted], cache: Path, fetch: Fetch) -> dict[str, bytes]:
    """The key of each repository, by fingerprint: that key alone, not armored.

    ``cache`` keeps what was fetched. Raises ``BuildError`` for a key that is another one, and what ``fetch`` raises.
    """
    found: dict[str, bytes] = {}
    for recipe in recipes:
        for repository in recipe.repositories:
            fingerprint = repository.fingerprint
            if not fingerprint or fingerprint in found:
                continue
            where = repository.where or f"the recipe {recipe.name}"
            if is_armored(repository.key):
                found[fingerprint] = _taken(where, repository.key.encode(), fingerprint, "the text")
                continue
            kept = cache / f"{fingerprint}.gpg"
            key = _kept(kept, fingerprint)
            if key is None:
                key = _taken(where, fetch(repository.key, recipe.name), fingerprint, repository.key)
                with suppress(OSError, DiskFull):
                    write_whole(kept, key)
            found[fingerprint] = key
    return found


def _kept(path: Path, fingerprint: str) -> bytes | None:
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
