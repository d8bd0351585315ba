"""Which modules a program imports when it starts, as far as the text of each tells.

What is imported in functions, or by names that are put together, is not seen: this is for who would like to have the
bytecode of what is needed at once, and can do without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Grammar: https://docs.python.org/3/reference/simple_stmts.html#import
_IMPORT = (
    rb"(?:from[ \t]+(?P<dots>\.*)[ \t]*(?P<module>[\w.]*)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n;]+)"
    rb"|import[ \t]+(?P<modules>[^\n;]+))"
)
_AT_THE_TOP = re.compile(rb"^" + _IMPORT, re.MULTILINE)
_ANYWHERE = re.compile(rb"^[ \t]*" + _IMPORT, re.MULTILINE)
_COMMENT = re.compile(rb"#[^\n]*")
_NAME = re.compile(rb"([\w.]+)(?:\s+as\s+\w+)?")
# Of larger packages not all is kept in memory; the rest is not looked at.
_MOST = 128 << 20


class Imported:
    """The modules of packages that come one after the other, in any order; ``take`` gives those that are needed.

    ``program``: the text of the program, whose functions count, too; ``names`` of modules that it surely imports.
    """

    def __init__(self, program: bytes) -> None:
        self._texts: dict[str, tuple[str, bytes, bool]] = {}  # by name: path, text, whether it is a package
        self._wanted: set[str] = set()
        self._ready: list[str] = []
        self._held = 0
        for name in imports(program, anywhere=True):
            self.want(name)

    def add(self, path: str, relative: str, text: bytes) -> None:
        """The module at ``path``, ``relative`` to the directory that modules are imported from."""
        self._held += len(text)
        if self._held > _MOST:
            return
        parts = relative.removesuffix(".py").split("/")
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        self._texts[name] = (path, text, is_package)
        if name in self._wanted:
            self._ready.append(name)

    def want(self, name: str) -> None:
        """Take ``name``, and what it lies in, for needed."""
        parts = name.split(".")
        for number in range(1, len(parts) + 1):
            above = ".".join(parts[:number])
            if above not in self._wanted:
                self._wanted.add(above)
                if above in self._texts:
                    self._ready.append(above)

    def take(self) -> Iterator[tuple[str, bytes]]:
        """``(path, text)`` of those that are needed and here, each once."""
        while self._ready:
            name = self._ready.pop()
            path, text, is_package = self._texts[name]
            package = name if is_package else name.rpartition(".")[0]
            for each in imports(text, package):
                self.want(each)
            yield path, text


def imports(text: bytes, package: str = "", *, anywhere: bool = False) -> Iterable[str]:
    """Names of what a module in ``package`` imports where it is imported itself, or ``anywhere`` in it.

    Of ``from a import b`` both ``a`` and ``a.b``: only the module knows which one is meant.
    """
    for found in (_ANYWHERE if anywhere else _AT_THE_TOP).finditer(text):
        if found["modules"] is not None:
            for part in _COMMENT.sub(b"", found["modules"]).split(b","):
                if (name := _NAME.match(part.strip())) is not None:
                    yield name[1].decode("ascii", "replace")
            continue
        above = package.split(".") if package else []
        up = len(found["dots"])
        if up:
            above = above[: len(above) - up + 1] if up <= len(above) else []
        module = found["module"].decode("ascii", "replace")
        place = ".".join([*(above if up else ()), *([module] if module else ())])
        if not place:
            continue
        yield place
        for name in _NAME.finditer(_COMMENT.sub(b"", found["names"])):
            yield f"{place}.{name[1].decode('ascii', 'replace')}"
