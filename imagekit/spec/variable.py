"""How environment variables are called."""

from __future__ import annotations


def variable_of(key: str) -> str:
    """The variable that stands for a key of configuration: ``IMAGEKIT_BASE_IMAGE`` for ``base-image``."""
    return f"IMAGEKIT_{key.upper().replace('-', '_')}"
