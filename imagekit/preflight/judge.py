"""Wheels' compiled files beside what a base offers: what will not load. Pure.

A library counts as found where any wheel of the image has one of that name, because packages load those of others
before they are needed (torch does so with ``nvidia-*``), and no file says so. What is missing counts by who asks: a
module that can be imported, and whatever such a module is linked to, is a warning; a plug-in that is only opened when
somebody wants it (Qt's, NVSHMEM's transports), or a test's file, is a note.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from imagekit.preflight.compiled import release_key
from imagekit.preflight.optional import is_of_driver, is_optional
from imagekit.preflight.values import ERROR, NOTE, WARNING, CompiledFile, Finding, Offer, WheelFiles

_MODULE = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\.(?P<tag>cpython-\d+)[\w-]*|\.(?P<abi3>abi3))?\.so")
_TESTS = frozenset({"test", "tests", "testing", "_tests", "example", "examples"})
_ORIGIN = re.compile(r"^\$(?:ORIGIN|\{ORIGIN\})(?=/|$)")
_GLIBC, _MUSL = re.compile(r"libc\.so\.6|ld-linux.*"), re.compile(r"libc\.musl-.*")
_NAMED = 3  # modules that a finding names
_ORDER = (ERROR, WARNING, NOTE)

_Place = tuple[int, CompiledFile]  # the wheel's number, and the file


def findings(wheels: Sequence[WheelFiles], offer: Offer) -> list[Finding]:
    """What of ``wheels``, all of one image, will not load on the base; the graver first."""
    if not offer.libraries:
        return []  # of such a base nothing is known
    image = _Image(wheels, offer)
    wanted: dict[tuple[int, str, str], dict[str, list[CompiledFile]]] = defaultdict(lambda: defaultdict(list))
    for number, file, rule, want in image.unmet():
        severity = image.severity(number, file, rule)
        wanted[number, severity, rule][want].append(file)
    found = [
        _finding(wheels[number], severity, rule, wants, image) for (number, severity, rule), wants in wanted.items()
    ]
    return sorted(found, key=lambda f: (_ORDER.index(f.severity), f.package, f.rule))


def _finding(
    wheel: WheelFiles, severity: str, rule: str, wants: dict[str, list[CompiledFile]], image: _Image
) -> Finding:
    hit = {file.path: file for files in wants.values() for file in files}
    names = dict.fromkeys(image.asked_by(file) for _, file in sorted(hit.items()))
    texts = [max(wants, key=release_key)] if rule == "glibc-too-old" else sorted(wants)
    return Finding(
        severity=severity,
        rule=rule,
        package=wheel.name,
        version=wheel.version,
        wants=tuple(texts),
        needed_by=tuple(sorted(names, key=lambda name: (name.count("."), name))[:_NAMED]),
        count=len(names),
    )


class _Image:
    """The compiled files of an image, and who is linked to whom."""

    def __init__(self, wheels: Sequence[WheelFiles], offer: Offer) -> None:
        self._wheels = wheels
        self._offer = offer
        # Of another processor's files nothing is loaded here.
        self._files: list[_Place] = [
            (number, file)
            for number, wheel in enumerate(wheels)
            for file in wheel.files
            if file.machine == offer.machine
        ]
        self._by_path = {file.path: (number, file) for number, file in self._files}
        self._by_name: dict[str, list[_Place]] = defaultdict(list)
        for number, file in self._files:
            for name in {file.name, file.soname or file.name}:
                self._by_name[name].append((number, file))
        self._missing: list[tuple[int, CompiledFile, str]] = []
        self._links: dict[str, list[_Place]] = {}
        for number, file in self._files:
            self._links[file.path] = list(self._linked(number, file))
        self._root_of = self._reached()

    def unmet(self) -> Iterator[tuple[int, CompiledFile, str, str]]:
        """Each wheel's number, file, rule, and what it is that the file wants."""
        other: set[str] = set()  # files of another C library: whatever else they miss comes with that
        for number, file, name in self._missing:
            libc = "glibc" if _GLIBC.fullmatch(name) else "musl" if _MUSL.fullmatch(name) else None
            if libc is not None and libc != self._offer.libc:
                other.add(file.path)
                yield number, file, "other-libc", libc
        for number, file, name in self._missing:
            if file.path not in other:
                yield number, file, "host-library" if is_of_driver(name) else "library-missing", name
        if self._offer.libc == "glibc":
            has = release_key(self._offer.libc_version)
            for number, file in self._files:
                if file.glibc is not None and release_key(file.glibc) > has:
                    yield number, file, "glibc-too-old", file.glibc

    def severity(self, number: int, file: CompiledFile, rule: str) -> str:
        if rule == "host-library" or file.path not in self._root_of:
            return NOTE
        return ERROR if rule == "glibc-too-old" else WARNING

    def asked_by(self, file: CompiledFile) -> str:
        """The module through which ``file`` is loaded, as it is imported; else its own path."""
        root = self._root_of.get(file.path, file)
        module = _MODULE.fullmatch(root.name)
        if module is None or root.name.startswith("lib") or root.path.startswith("../"):
            return root.name if root.path.startswith("../") else root.path
        directory = root.path.rpartition("/")[0].replace("/", ".")
        return f"{directory}.{module['name']}".lstrip(".")

    def _linked(self, number: int, file: CompiledFile) -> Iterator[_Place]:
        """The files of wheels that ``file`` is linked to; what is nowhere goes to those that are missing."""
        directory = posixpath.dirname(file.path)
        places = [_ORIGIN.sub(lambda _: directory or ".", path) for path in file.search if _ORIGIN.match(path)]
        for name in file.needed:
            beside = (self._by_path.get(posixpath.normpath(f"{place}/{name}")) for place in places)
            if (exact := next(filter(None, beside), None)) is not None:
                yield exact
            elif name in self._offer.libraries:
                continue
            elif name in self._by_name:
                there = self._by_name[name]
                yield from [place for place in there if place[0] == number] or there
            else:
                self._missing.append((number, file, name))

    def _reached(self) -> dict[str, CompiledFile]:
        """Every file that is loaded when something is imported or started → the file that begins it."""
        reached: dict[str, CompiledFile] = {}
        waiting = deque((root, root) for root in self._roots())
        while waiting:
            file, root = waiting.popleft()
            if file.path in reached:
                continue
            reached[file.path] = root
            waiting.extend((next_file, root) for _, next_file in self._links[file.path])
        return reached

    def _roots(self) -> list[CompiledFile]:
        modules = {number for number, file in self._files if self._is_module(file)}
        linked, lent = self._linked_files()
        found = []
        for number, file in self._files:
            package = self._wheels[number].name
            if _TESTS.intersection(file.path.split("/")[:-1]) or is_optional(package, file.name):
                continue
            # A wheel without modules of its own is opened by ctypes (xgboost), or started (node): what is in it counts.
            # One that other wheels are linked to (PyQt6-Qt6, NVIDIA's) is theirs to open.
            alone = number not in modules | lent and file.path not in linked and not package.startswith("nvidia-")
            if alone or self._is_module(file) or (file.is_program and file.path.startswith("../")):
                found.append(file)
        return sorted(found, key=lambda file: (file.path.count("/"), file.path))

    def _linked_files(self) -> tuple[set[str], set[int]]:
        """The files that others are linked to, and the wheels that files of other wheels are linked to."""
        linked: set[str] = set()
        lent: set[int] = set()
        for number, file in self._files:
            for owner, each in self._links[file.path]:
                linked.add(each.path)
                if owner != number:
                    lent.add(owner)
        return linked, lent

    def _is_module(self, file: CompiledFile) -> bool:
        found = _MODULE.fullmatch(file.name)
        if found is None or file.path.startswith("../"):
            return False
        if found["tag"] is None and found["abi3"] is None and found["name"].startswith("lib"):
            return False  # a library: libfoo.so
        if found["tag"] is not None and found["tag"] != self._offer.cache_tag:
            return False  # of another Python
        return all(part.isidentifier() for part in file.path.split("/")[:-1])
