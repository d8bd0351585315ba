"""Extra packages get bytecode, and their own tests none."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from imagekit.extras.bytecode import WithoutTests, is_test

SITE = "/opt/venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{SITE}/numpy/_core/tests/test_array.py", True),
        (f"{SITE}/sklearn/tests/__init__.py", True),
        ("/usr/local/lib/python3.11/dist-packages/scipy/linalg/tests/a/b.py", True),
        (f"{SITE}/tests/helpers.py", False),  # a package of that name
        (f"{SITE}/numpy/testing/tests.py", False),
        (f"{SITE}/numpy/mytests/a.py", False),
        ("/home/tests/lib/python3.11/site-packages/plug.py", False),
    ],
)
def test_which_are_tests(path: str, expected: bool) -> None:
    assert is_test(path) is expected


class Compiling:
    """Answers with the source reversed; ``error`` instead, where it has one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[list[str]] = []
        self.error = error

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        self.asked.append([path for path, _ in sources])
        answer: Future[list[bytes | None]] = Future()
        if self.error is not None:
            answer.set_exception(self.error)
        else:
            answer.set_result([source[::-1] for _, source in sources])
        return answer


def test_answers_stay_with_their_sources() -> None:
    compiler = Compiling()
    plain, test = (f"{SITE}/a/b.py", b"12"), (f"{SITE}/a/tests/b.py", b"34")
    other = (f"{SITE}/a/c.py", b"56")
    got = WithoutTests(compiler)
    assert got.submit([test, plain, test, other]).result(0) == [None, b"21", None, b"65"]
    assert got.submit([plain, other]).result(0) == [b"21", b"65"]
    assert got.submit([test, test]).result(0) == [None, None]
    assert got.submit([]).result(0) == []
    # Of tests alone nobody is asked.
    assert compiler.asked == [[plain[0], other[0]], [plain[0], other[0]], []]
    with pytest.raises(ValueError, match="broken"):
        WithoutTests(Compiling(ValueError("broken"))).submit([test, plain]).result(0)
