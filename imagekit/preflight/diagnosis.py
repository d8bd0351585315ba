"""Why a package's build failed, read from what its build backend said, and what mends it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagekit.preflight.mends import Mend, mend_of
from imagekit.preflight.names import LINK, PKG_CONFIG, PROGRAM, package_of
from imagekit.preflight.signs import FATAL, LACKS, OTHERS, Sign
from imagekit.preflight.values import Remedy, System

MISSING = "missing"
_CALLED = {PKG_CONFIG: "{}.pc (pkg-config)", LINK: "library to link with -l{}"}
_CROSS = re.compile(r"^.*-linux-(?:gnu|musl)[a-z0-9_]*-|-\d+(?:\.\d+)?$")
# Build systems try several compilers, and name all that are not there: the first of a language is meant.
_SAME = {
    **dict.fromkeys(("cc", "clang", "cpp"), "gcc"),
    **dict.fromkeys(("c++", "clang++"), "g++"),
    **dict.fromkeys(("f95", "flang", "flang-new"), "gfortran"),
}
# What comes with Python's own headers and its compilers is not missing because a list of ours lacks it.
_OTHERS_OWN = re.compile(r"^(?:numpy|pybind11|pythran|nanobind)/|^config\.h$|^pyconfig\.h$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause of a failed build."""

    kind: str  # missing; disk, memory, network, tls, python-too-new, cython, setuptools, distutils, rust-too-old …
    said: str  # the cause in words
    advice: str  # what to do
    wants: tuple[tuple[str, str], ...] = ()  # of what is missing: kind (header, program …) and name
    mend: Mend = field(default_factory=Mend)

    @property
    def hint(self) -> str:
        return f"{self.said}: {self.advice}"

    def to_json(self) -> dict[str, Any]:
        wants = [{"kind": kind, "name": name} for kind, name in self.wants]
        return {
            "kind": self.kind,
            "said": self.said,
            "advice": self.advice,
            "wants": wants,
            "mend": self.mend.to_json(),
        }


def diagnose(
    words: str, package: str, system: System | None = None, remedies: Sequence[Remedy] = (), *, python: str = ""
) -> tuple[Cause, ...]:
    """The causes that ``words``, the output of the build of ``package`` in ``system``, tell of; the likeliest first.

    ``remedies`` are the recipes at hand; ``python`` is the base's, as 3.12.
    """
    system = system or System()
    facts = {"package": package, "python": python or "this"}
    found = list(_told(FATAL, words, facts))
    wants = tuple(_wants(words, system, remedies))
    if wants:
        found.append(_missing(wants, package, system, remedies))
    found += _told(OTHERS, words, facts)
    return tuple(found)


def hint_of(
    words: str, package: str, system: System | None = None, remedies: Sequence[Remedy] = (), *, python: str = ""
) -> str:
    """What to do about a build that ended with ``words``, in one line."""
    causes = diagnose(words, package, system, remedies, python=python)
    if causes:
        return causes[0].hint
    return f"the details are the build's own last words; a version of {package} that has a wheel needs no build"


def _missing(wants: tuple[tuple[str, str], ...], package: str, system: System, remedies: Sequence[Remedy]) -> Cause:
    mend = mend_of(wants, system, remedies, package=package)
    names = list(dict.fromkeys(_CALLED.get(kind, "{}").format(name) for kind, name in wants))
    said = f"the base has no {' and no '.join(names[:3])}"
    line = mend.line if mend.recipes else f"{mend.line}, or a version of {package} that has a wheel"
    return Cause(kind=MISSING, said=said, advice=line, wants=wants, mend=mend)


def _wants(words: str, system: System, remedies: Sequence[Remedy]) -> Iterator[tuple[str, str]]:
    """What ``words`` say is not there, each once, in the order of the table."""
    seen = set()
    for lack in LACKS:
        for match in lack.pattern.finditer(words):
            name = lack.name or match[1]
            if lack.kind == PROGRAM:
                # Cross names are of the same package: x86_64-linux-gnu-gcc, aarch64-linux-gnu-g++-12.
                name = _CROSS.sub("", name)
                name = _SAME.get(name, name)
                # Whatever a build cannot open is named so; only programs that somebody knows are meant.
                known = package_of(PROGRAM, name, System()) or any(name in each.programs for each in remedies)
                if not known:
                    continue
            elif _OTHERS_OWN.search(name):
                continue
            if (lack.kind, name) not in seen:
                seen.add((lack.kind, name))
                yield lack.kind, name


def _told(signs: Iterable[Sign], words: str, facts: dict[str, str]) -> Iterator[Cause]:
    kinds = set()
    for sign in signs:
        match = sign.pattern.search(words)
        if match is not None and sign.kind not in kinds:
            kinds.add(sign.kind)
            filled = {**facts, "what": next(filter(None, match.groups()), "")}
            yield Cause(kind=sign.kind, said=sign.said.format(**filled), advice=sign.advice.format(**filled))
