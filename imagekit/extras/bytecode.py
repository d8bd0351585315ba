"""Which modules of extra packages get bytecode: all but packages' own tests.

Of large packages tests are half of the compiling (numpy, scipy and scikit-learn: 7 of 14 seconds of a core). One that
is imported all the same is compiled then, as Python does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.layers.bytecode import Compiler

# Part of the keys of layers that are made so: with all bytecode they are others.
KIND = "without bytecode of tests"
# The top of the path is where packages lie; one that is called so may be the flow's own.
_TESTS = "/tests/"


def is_test(path: str) -> bool:
    """Whether the module at ``path``, absolute in the image, is one of a package's tests."""
    _, found, below = path.partition("-packages/")
    return bool(found) and _TESTS in below


class WithoutTests:
    """A ``layers.bytecode.Compiler`` that makes none for them."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        wanted = [source for source in sources if not is_test(source[0])]
        if len(wanted) == len(sources):
            return self._compiler.submit(sources)
        outcome: Future[list[bytes | None]] = Future()

        def complete(compiled: Future[list[bytes | None]]) -> None:
            error = compiled.exception()
            if error is not None:
                outcome.set_exception(error)
                return
            found = iter(compiled.result())
            outcome.set_result([None if is_test(path) else next(found) for path, _ in sources])

        if wanted:
            self._compiler.submit(wanted).add_done_callback(complete)
        else:
            outcome.set_result([None] * len(sources))
        return outcome


@contextmanager
def without_tests(compiling: Callable[[], AbstractContextManager[Compiler | None]]) -> Iterator[Compiler | None]:
    """What ``compiling`` gives, but for tests."""
    with compiling() as compiler:
        yield None if compiler is None else WithoutTests(compiler)
