"""What an image's ``.pyc`` files mean, asked of its own interpreter in one container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import CheckFailed
from imagekit.runs.own_directory import DIRECTORY, OUT, put_files
from imagekit.runs.start import PYTHONS, SAFE_DEFAULTS, NoSuchProgram, start

_TAIL = 4000


def meanings(engine: Engine, image_id: str, paths: Sequence[str]) -> dict[str, str]:
    """A digest for each of ``paths``: equal where two files come to the same code objects and header (PEP 552)."""
    files = {"bytecode_program.py": _source(), "paths.json": json.dumps(list(paths)).encode()}
    for python in PYTHONS:
        spec = ContainerSpec(
            image=image_id,
            command=[python, f"{DIRECTORY}/bytecode_program.py", f"{DIRECTORY}/paths.json", f"{OUT}/report.json"],
            entrypoint=(),
            kind="check",
            # Files that only their owner reads are files of the image, too.
            user="0:0",
            network="none",
            host_config={**SAFE_DEFAULTS, "CapAdd": ["DAC_READ_SEARCH"]},
        )
        with suppress(NoSuchProgram), Container.create(engine, spec) as container:
            put_files(container, SAFE_DEFAULTS, files)
            streams = container.attach()
            words = b""
            try:
                start(container, image_id, python)
                for _, data in streams.frames():
                    words = (words + data)[-_TAIL:]
            finally:
                streams.close()
            code = container.wait()
            report = container.get(f"{OUT}/report.json")
            if report is None:
                raise CheckFailed(
                    f"the comparison of bytecode ended with exit code {code} and without a report",
                    hint="the image's Python may be damaged: try it with docker run",
                    details=words.decode("utf-8", "replace") or None,
                )
            found: dict[str, str] = json.loads(report)
            return found
    raise AssertionError("start raises for the last one")


@cache
def _source() -> bytes:
    return (Path(__file__).parent / "bytecode_program.py").read_bytes()
