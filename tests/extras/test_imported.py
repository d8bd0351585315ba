"""What a module imports, as its text tells."""

from __future__ import annotations

import pytest

from imagekit.extras.imported import Imported, imports


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import a", ["a"]),
        ("import a.b as c, d # e, f", ["a.b", "d"]),
        ("from a import b, c as d", ["a", "a.b", "a.c"]),
        ("from . import b", ["here.sub", "here.sub.b"]),
        ("from .. import b", ["here", "here.b"]),
        ("from .x.y import z", ["here.sub.x.y", "here.sub.x.y.z"]),
        ("from .... import b", []),
        ("from a import (  # why\n    b,\n    c as d,\n)\nx = 1", ["a", "a.b", "a.c"]),
        ("def f():\n    import a", []),
        ("important = 1\nfrom_ = 2\n'''\nimport: a\n'''", []),
        ("x = 1; import a", []),
        ("import \xe9", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert list(imports(text.encode("latin-1"), "here.sub")) == names


def test_of_a_flow_functions_count() -> None:
    assert list(imports(b"def f():\n    import a.b\n", anywhere=True)) == ["a.b"]


def test_what_is_needed_is_given_once_in_whatever_order_it_comes() -> None:
    found = Imported(b"import a.b")
    found.add("site/c.py", "c.py", b"")
    assert list(found.take()) == []
    found.add("site/a/b.py", "a/b.py", b"from .d import x\nimport c")
    found.add("site/a/unused.py", "a/unused.py", b"")
    assert [path for path, _ in found.take()] == ["site/a/b.py", "site/c.py"]
    # What it lies in is imported first; and what came to be needed before it was here.
    found.add("site/a/__init__.py", "a/__init__.py", b"import a.b")
    found.add("site/a/d.py", "a/d.py", b"")
    assert sorted(path for path, _ in found.take()) == ["site/a/__init__.py", "site/a/d.py"]
    found.want("a.unused.more")
    assert [path for path, _ in found.take()] == ["site/a/unused.py"]
    assert list(found.take()) == []
