"""py-rattler, which is large and not installed with imagekit itself."""

from __future__ import annotations

from types import ModuleType

from imagekit.errors import ResolveError


def load_rattler() -> ModuleType:
    """The module ``rattler``; ``ResolveError`` with what to install where it is missing."""
    try:
        import rattler
    except ImportError as error:
        raise ResolveError(
            "conda's packages are solved by py-rattler, which is not installed",
            hint="install it: pip install 'py-rattler>=0.28'",
            details=str(error),
        ) from error
    return rattler
