"""Results on a stream that cannot hold every character."""

from __future__ import annotations

import io
import json

import pytest

from imagekit.cli.output import put_json


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_written_whatever_is_in_it(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    value = {"name": "caf\udce9 é \U0001f600", "\ud800": 1}
    put_json(value)
    assert json.loads(stream.buffer.getvalue()) == value  # type: ignore[attr-defined]
