"""Debian's control stanzas."""

from __future__ import annotations

from imagekit.stanzas import stanzas

STATUS = """\
Package: libc6
Status: install ok installed
Version: 2.36-9
SHA256: ab
Description: GNU C Library
 Shared libraries: and more.
\tVersion: 9
 A line that ends elsewhere\u2028Version: 9
Version: 9

Conffiles:
 /etc/x

Package: bash

"""


def test_fields_are_read_without_their_continuation_lines() -> None:
    first, second = stanzas(STATUS)
    assert first == {
        "Package": "libc6",
        "Status": "install ok installed",
        "Version": "2.36-9",
        "SHA256": "ab",
        "Description": "GNU C Library",
    }
    assert second == {"Package": "bash"}


def test_what_names_no_package_is_none() -> None:
    assert list(stanzas("")) == []
    assert list(stanzas("\n\n\nVersion: 1\n\nno field at all\n")) == []
