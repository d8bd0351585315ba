"""What a package's metadata says of its licence, as SPDX has it where that is sure.

In the order of trust: ``License-Expression`` (PEP 639), classifiers that mean one licence, the older ``License``
field where it holds an SPDX expression. Anything else is a name, and no name where it is a whole text.
Sources: PEP 639, the SPDX license list (by license-expression), trove classifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from imagekit.attest.packages import PythonPackage

_LONGEST_NAME = 100
# Identifiers that SPDX had before "-only" and "-or-later", and what they mean in its list ("deprecated identifiers").
_DEPRECATED = re.compile(r"(a|l)?gpl-\d\.\d\+?|gfdl-\d\.\d\+?")
# Classifiers that mean one licence. "BSD License" and "Apache Software License" may mean several, and are names.
_MEANT = {
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "zlib/libpng License": "Zlib",
}


@dataclass(frozen=True, slots=True)
class Licence:
    """One of the two, or neither where nothing is said."""

    expression: str = ""  # of SPDX identifiers
    name: str = ""  # as the package has it


def licence_of(package: PythonPackage) -> Licence:
    """The licence that ``package`` says it has."""
    if package.license_expression and (found := _expression(package.license_expression)):
        return Licence(expression=found)
    words = [c.rpartition(" :: ")[2] for c in package.classifiers if c != "License :: OSI Approved"]
    meant = sorted({_MEANT[word] for word in words if word in _MEANT})
    text = package.license_text or package.license_expression
    if text and "\n" not in text and (found := _expression(text)):
        # The field may say which one of those that the classifier may mean.
        return Licence(expression=found)
    if meant and len(meant) == len(set(words)):
        # Several classifiers leave open whether one may choose among them.
        return Licence(expression=meant[0]) if len(meant) == 1 else Licence(name=" and ".join(sorted(words)))
    if text and "\n" not in text and len(text) <= _LONGEST_NAME:
        return Licence(name=text)
    return Licence(name=" and ".join(sorted(set(words))))


def licence_named(text: str) -> Licence:
    """The licence that ``text``, a field of another kind of package, says."""
    found = _expression(text) if text else ""
    return Licence(expression=found) if found else Licence(name=text[:_LONGEST_NAME].replace("\n", " "))


@lru_cache(maxsize=1024)
def _expression(text: str) -> str:
    """``text`` in SPDX's own spelling; empty where it is no expression of known identifiers."""
    from license_expression import ExpressionError, get_spdx_licensing

    licensing = get_spdx_licensing()
    sure = {key.lower() for key in licensing.known_symbols}
    words = [word for word in re.findall(r"[^\s()]+", text.lower()) if word not in ("and", "or", "with")]
    if not all(word in sure or _DEPRECATED.fullmatch(word) for word in words):
        return ""  # the library also knows nicknames: it takes "GPL" for any version of it
    try:
        parsed = licensing.parse(text, validate=True)
    except (ExpressionError, ValueError, AttributeError, TypeError):
        return ""
    found = "" if parsed is None else str(parsed.render("{symbol.key}"))
    # The library's own list has keys that SPDX lacks.
    return "" if "LicenseRef-" in found else found
