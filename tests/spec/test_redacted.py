"""No login and no query of a URL is shown, wherever it stands; all else of it is."""

from __future__ import annotations

import pytest

from imagekit.spec.url import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://example.com/simple", None),
        ("https://example.com:8443/simple/@scope", None),
        ("git+https://example.com:8443/r@v1", None),
        ("git+https://example.com/r@v1", None),
        ("https://[::1]:8443/r@v1", None),
        ("https://[::1]/r@v1", None),
        ("write to me@example.com", None),
        ("https://user:canary@example.com/x", "https://***@example.com/x"),
        ("https://canary@example.com/x", "https://***@example.com/x"),
        ("https://:canary@example.com/x", "https://***@example.com/x"),
        ("https://user:can@ry@example.com/x", "https://***@example.com/x"),
        ("https://user:can/ary@example.com/x", "https://***@example.com/x"),
        ("https://user:can?ary#canary@example.com/x", "https://***@example.com/x"),
        ("https://user:canary@[::1]:5000/x", "https://***@[::1]:5000/x"),
        ("git+ssh://git:canary@example.com/r@v1", "git+ssh://***@example.com/r@v1"),
        ("https://example.com/x?token=canary", "https://example.com/x?***"),
        ("https://example.com/x?token=canary#sha256=ab", "https://example.com/x?***#sha256=ab"),
        ("no `https://u:canary@a.example.com/x?k=canary` and https://canary@b.example.com",
         "no `https://***@a.example.com/x?***` and https://***@b.example.com"),
    ],
)  # fmt: skip
def test_shown(text: str, shown: str | None) -> None:
    assert redacted(text) == (text if shown is None else shown)
