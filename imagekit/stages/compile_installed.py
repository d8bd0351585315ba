"""Runs in a build: compiles the modules of the packages that a file names, and of no others.

Where packages join those of a base, the base's own keep their bytecode. It uses the standard library alone,
and keeps to the syntax of Python 3.8. Unchecked-hash files (PEP 552) are the same bytes on any day.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import os
import py_compile
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor


def compile_one(path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compileall.compile_file(
            path, force=True, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )


def modules(names: str) -> list[str]:
    found = []
    with open(names, encoding="utf-8") as stream:
        for name in stream.read().split():
            for file in importlib.metadata.distribution(name).files or ():
                path = os.path.abspath(str(file.locate()))
                if path.endswith(".py") and any(path.startswith(f"{place}/") for place in sys.path if place):
                    found.append(path)
    return found


def main() -> None:
    with ProcessPoolExecutor() as pool:
        list(pool.map(compile_one, modules(sys.argv[1]), chunksize=32))


if __name__ == "__main__":
    main()
