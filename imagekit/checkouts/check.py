"""A flow in its source, looked at before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.checkouts.values import Checkout
from imagekit.errors import InvalidEntrypoint
from imagekit.spec.entrypoint import Entrypoint


def check_flow(checkout: Checkout, entrypoint: Entrypoint, parameters: Mapping[str, Any]) -> None:
    """``InvalidEntrypoint`` naming the source where the flow is not in it, ``InvalidParameters`` for what it does not
    take. Its file is read, and not run."""
    try:
        signature = entrypoint.signature(checkout.project)
    except InvalidEntrypoint as error:
        # A directory of the cache says nothing to anyone.
        hint = None if error.hint is not None and str(checkout.project) in error.hint else error.hint
        raise InvalidEntrypoint(
            f"{error.message} (source: {checkout.shown})", hint=hint or "name a file of the source, from its top"
        ) from None
    signature.check(dict(parameters))
