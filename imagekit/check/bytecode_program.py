"""Runs inside an image: what its ``.pyc`` files mean, as digests.

Sent as text to the image's own interpreter, so it uses the standard library alone and keeps to the
syntax of Python 3.8. Two files of the same meaning may differ: marshal writes a mark at every object that
something else refers to, which depends on what else the compiling process held. Written anew in marshal's
second version, which has no such marks, they are the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import sys
from types import CodeType

HEADER = 16  # magic, flags, hash or time (PEP 552)


def meaning(data: bytes) -> str:
    code = marshal.loads(data[HEADER:])  # noqa: S302 (in a container, with the interpreter that would import it)
    return hashlib.sha256(data[:HEADER] + marshal.dumps(plain(code), 2)).hexdigest()  # type: ignore[arg-type]


def plain(value: object) -> object:
    """``value`` without what marshal's second version cannot hold, and with its sets in one order."""
    if isinstance(value, CodeType):
        return value.replace(co_consts=tuple(plain(constant) for constant in value.co_consts))
    if isinstance(value, slice):
        return ("slice", plain(value.start), plain(value.stop), plain(value.step))
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, frozenset):
        return ("frozenset", *sorted((plain(part) for part in value), key=lambda part: (str(type(part)), repr(part))))
    return value


def main() -> None:
    asked, answer = sys.argv[1:3]
    with open(asked, encoding="utf-8", errors="surrogateescape") as stream:
        paths = json.load(stream)
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as stream:
                found[path] = meaning(stream.read())
        except Exception as error:
            found[path] = f"unreadable: {error!r}"
    with open(answer, "w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main()
