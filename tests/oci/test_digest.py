"""Digests of what is read in pieces."""

from __future__ import annotations

import io

import pytest

from imagekit.oci.digest import digest_of, digest_of_stream


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_stream_has_the_digest_of_its_bytes(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert digest_of_stream(io.BytesIO(data)) == digest_of(data)
