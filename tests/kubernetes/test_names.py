"""Names as Kubernetes takes them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from imagekit.kubernetes.names import check_labels, object_name

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@given(st.text(max_size=120))
def test_any_text_makes_a_name(text: str) -> None:
    found = object_name(text)
    assert LABEL.fullmatch(found)
    # A pod's name is the Job's and six more.
    assert len(found) <= 57


@given(st.lists(st.text("abAB/_. -0", min_size=1, max_size=70), unique=True))
def test_other_texts_make_other_names(texts: list[str]) -> None:
    assert len({object_name(text) for text in texts}) == len(texts)


def test_what_is_a_name_stays() -> None:
    assert object_name("imagekit-run-etl-0a1b2c") == "imagekit-run-etl-0a1b2c"


def test_labels_as_the_documentation_has_them() -> None:
    assert check_labels({"example.com/team": "data", "a": "", "A_b.c-1": "x" * 63}) == []
    for key, value in (
        ("/a", "b"),
        ("a/", "b"),
        ("a" * 64, ""),
        ("a", "x" * 64),
        ("A B/c", "d"),
        ("-a", ""),
        ("a", "b-"),
    ):
        assert len(check_labels({key: value})) == 1, key
