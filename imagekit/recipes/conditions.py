"""``debian>=11,<13``: which distributions something is for, by ID and VERSION_ID of os-release."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from imagekit.errors import InvalidConfig

# ID as os-release(5) has it. Versions of distributions are numbers with dots.
_CONDITION = re.compile(r"\s*(?P<id>[a-z0-9][a-z0-9._-]*)\s*(?P<versions>[<>=!].*)?", re.DOTALL)
_CLAUSE = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(\d+(?:\.\d+)*)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """A distribution, and which versions of it."""

    id: str
    versions: SpecifierSet

    @classmethod
    def parse(cls, text: str, where: str) -> Condition:
        """``InvalidConfig``, which begins with ``where``, for what is no condition."""
        found = _CONDITION.fullmatch(text)
        clauses = found["versions"].split(",") if found and found["versions"] else []
        if found is None or not all(_CLAUSE.fullmatch(clause) for clause in clauses):
            raise InvalidConfig(
                f"{where}: {text!r} is no distribution",
                hint='write its ID, and versions where they matter: "debian", "debian>=12", "ubuntu>=22.04,<24.04"',
            )
        try:
            return cls(found["id"], SpecifierSet(",".join(clauses)))
        except InvalidSpecifier:
            raise InvalidConfig(f"{where}: {text!r} is no distribution", hint='write "debian>=12"') from None

    def holds(self, distribution_id: str, version: str | None) -> bool:
        """Whether it takes that distribution; without a ``version`` it is newer than any."""
        if distribution_id != self.id:
            return False
        return self.versions.contains(version or "9999", prereleases=True)

    def __str__(self) -> str:
        return f"{self.id}{self.versions}"
