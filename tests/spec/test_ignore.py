"""Ignore rules: skipping whole directories never changes the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InvalidProject
from imagekit.spec.ignore import IgnoreRules

PARTS = st.sampled_from(["a", "b", "ab", "*", "**", "?", "a*", "[ab]", "c.py", "*.py"])
PATTERNS = st.builds(
    lambda bang, slash, parts: bang + slash + "/".join(parts),
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(PARTS, min_size=1, max_size=4),
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "c.py", "abc"]), min_size=1, max_size=4).map("/".join)


def test_the_line_is_named() -> None:
    with pytest.raises(InvalidProject) as caught:
        IgnoreRules.parse("fine\n!\nfine\n[")
    assert caught.value.details is not None
    assert ".dockerignore:2: '!'" in caught.value.details
    assert ".dockerignore:4: '['" in caught.value.details


@pytest.mark.parametrize(
    ("text", "path", "excluded"),
    [
        ("abc/**", "abc", False),
        ("abc/**", "abc/d", True),
        ("*.py", "a/x.py", False),
        ("**/*.py", "x.py", True),
        ("a\n!a/b", "a/b/c", False),
        ("a\n!a/b", "a/c", True),
        ("a\n!a/b\na/b/c", "a/b/c", True),
        ("x\n", "y\nx", False),
        ("a*", "ab\n", True),
    ],
)
def test_excludes(text: str, path: str, excluded: bool) -> None:
    assert IgnoreRules.parse(text).excludes(path) is excluded


@given(st.lists(PATTERNS, max_size=5), PATHS)
def test_a_directory_that_may_be_skipped_holds_nothing_included(patterns: list[str], path: str) -> None:
    rules = IgnoreRules.parse("\n".join(patterns))
    parts = path.split("/")
    for n in range(1, len(parts)):
        directory = "/".join(parts[:n])
        if rules.excludes(directory) and not rules.may_include_below(directory):
            assert rules.excludes(path)


@given(st.text(max_size=40))
def test_any_text_is_rules_or_refused(text: str) -> None:
    try:
        rules = IgnoreRules.parse(text)
    except InvalidProject:
        return
    assert rules.excludes("some/path.py") in (True, False)
