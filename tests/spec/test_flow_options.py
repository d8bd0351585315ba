"""What a decorator says of a flow is read and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagekit.spec.entrypoint import Entrypoint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def etl(): ...", {}),
        ("@flow\ndef etl(): ...", {}),
        ("@flow()\ndef etl():\n    '''Nightly work.'''", {"description": "Nightly work."}),
        ("@flow(name='nightly etl', version='2')\nasync def etl(): ...", {"name": "nightly etl", "version": "2"}),
        ("@prefect.flow(name='a')\ndef etl(): ...", {"name": "a"}),
        ("@imagekit.flow(name='a', retries=3, log_prints=True)\ndef etl(): ...", {"name": "a"}),
        (
            "@flow(timeout_seconds=1.5, validate_parameters=False)\ndef etl(): ...",
            {"timeout_seconds": 1.5, "validate_parameters": False},
        ),
        ("NAME = 'old'\nNAME = 'of ' 'a constant'\n@flow(name=NAME)\ndef etl(): ...", {"name": "of a constant"}),
        ("@flow(description='said')\ndef etl():\n    'a docstring'", {"description": "said"}),
        # What is no literal, or of another kind, is as if it were not there.
        ("@flow(name=f'a-{x}', version=1, timeout_seconds=True)\ndef etl(): ...", {}),
        ("@flow(name=open('/etc/passwd').read())\ndef etl(): ...", {}),
        ("@flow(**{'name': 'a'})\ndef etl(): ...", {}),
        ("@task(name='a')\ndef etl(): ...", {}),
        ("@flow(name='other')\ndef other(): ...\n@flow(name='own')\ndef etl(): ...", {"name": "own"}),
        ("etl = make()", {}),
        ("from flows import *", {}),
    ],
)
def test_options(tmp_path: Path, text: str, found: dict[str, Any]) -> None:
    (tmp_path / "flow.py").write_text(text)
    assert Entrypoint.parse("flow.py:etl").read(tmp_path)[1] == found
