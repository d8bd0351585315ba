"""Poetry's dependency declarations, read by poetry-core, which defines what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import InvalidRequirement

if TYPE_CHECKING:
    from poetry.core.packages.dependency import Dependency


def poetry_dependency(name: str, constraint: Any, root: Path | None, origin: str) -> Dependency:
    """``name = constraint`` of a Poetry table; ``InvalidRequirement`` names ``origin``."""
    # Importing it takes a tenth of a second, and only Poetry's projects need it.
    from poetry.core.factory import Factory

    if not isinstance(constraint, (str, Mapping)):
        raise InvalidRequirement(f"{origin}: {name} is {constraint!r}, no version", hint=f'write {name} = "^1.2"')
    try:
        return Factory.create_dependency(name, constraint, root_dir=root)
    except (ValueError, TypeError, AttributeError, AssertionError, RuntimeError) as problem:
        words = " ".join(str(problem).split()) or "not a dependency that Poetry knows"
        raise InvalidRequirement(f"{origin}: {name}: {words}", hint=f'write {name} = "^1.2"') from None
