"""The health check of a built image: one container, started once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from imagekit.check.judgement import findings, installed
from imagekit.check.values import CheckReport, Finding
from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import CheckFailed
from imagekit.runs.own_directory import DIRECTORY, OUT, put_files
from imagekit.runs.request import program_sources
from imagekit.runs.start import PYTHONS, SAFE_DEFAULTS, NoSuchProgram, start
from imagekit.spec.entrypoint import Entrypoint

# The slowest imports seen (cold, without bytecode, a busy machine) take tens of seconds.
IMPORT_SECONDS = 300.0
_TAIL = 4000


def check_image(
    engine: Engine,
    image_id: str,
    *,
    expected_python: str,
    entrypoints: Sequence[Entrypoint | str] = (),
    distributions: Mapping[str, str],
    base: Mapping[str, str] | None = None,
    workdir: str | None = None,
    env: Mapping[str, str] | None = None,
    network: str | None = "none",
    deadline: float = IMPORT_SECONDS,
) -> CheckReport:
    """Look at ``image_id`` from inside; the report where all is well, else ``CheckFailed``.

    ``expected_python`` is a version or its beginning (``3.11``, ``3.11.2``). ``distributions`` are the locked
    names and versions, ``base`` those that the base image has besides, and must still have. Entrypoints
    are imported as a run would, each in a process of its own, within ``deadline`` seconds.
    """
    report = examine(
        engine,
        image_id,
        expected_python=expected_python,
        entrypoints=entrypoints,
        distributions=distributions,
        base=base,
        workdir=workdir,
        env=env,
        network=network,
        deadline=deadline,
    )
    if report.findings:
        raise failure(report.findings)
    return report


def examine(
    engine: Engine,
    image_id: str,
    *,
    expected_python: str,
    entrypoints: Sequence[Entrypoint | str] = (),
    distributions: Mapping[str, str],
    base: Mapping[str, str] | None = None,
    workdir: str | None = None,
    env: Mapping[str, str] | None = None,
    network: str | None = "none",
    deadline: float = IMPORT_SECONDS,
    closely: bool = False,
    called: str | None = None,
) -> CheckReport:
    """As ``check_image``, with what is wrong in the report's ``findings`` and nothing raised for it.

    ``called``: the image's name in messages.

    With ``closely`` the report's ``answer`` tells more than builds are judged by: what entrypoints would import
    later, and console scripts that would not start.
    """
    began = time.monotonic()
    points = [Entrypoint.parse(e) if isinstance(e, str) else e for e in entrypoints]
    request = {"entrypoints": [[e.path, e.function] for e in points], "deadline": deadline, "closely": closely}
    data = json.dumps(request).encode()
    answer = _probe(engine, image_id, data, called=called, workdir=workdir, env=env or {}, network=network)
    return CheckReport(
        image=image_id,
        python=answer["python"],
        distributions={name: entry["version"] for name, entry in sorted(installed(answer).items())},
        entrypoints=tuple(
            (f"{e['path']}:{e['function']}", e["seconds"]) for e in answer["entrypoints"] if e["error"] is None
        ),
        findings=findings(answer, expected_python=expected_python, distributions=distributions, base=base or {}),
        seconds=time.monotonic() - began,
        answer=answer,
    )


def failure(found: Sequence[Finding]) -> CheckFailed:
    """One error for all findings: the first in its message, each in its details."""
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    lines = [f.message if f.hint is None else f"{f.message}\n  {f.hint}" for f in found]
    if len(found) == 1:
        lines = []
    lines += [f.details.rstrip() for f in found if f.details]
    return CheckFailed(
        f"the image fails its health check: {first.message}{more}", hint=first.hint, details="\n".join(lines) or None
    )


def _probe(
    engine: Engine,
    image_id: str,
    request: bytes,
    *,
    called: str | None,
    workdir: str | None,
    env: Mapping[str, str],
    network: str | None,
) -> Any:
    files = {**program_sources(), "probe_program.py": _probe_source(), "request.json": request}
    for python in PYTHONS:
        spec = ContainerSpec(
            image=image_id,
            called=called,
            command=[python, f"{DIRECTORY}/probe_program.py", f"{DIRECTORY}/request.json", f"{OUT}/report.json"],
            entrypoint=(),
            kind="check",
            env=env,
            workdir=workdir,
            network=network,
            host_config=SAFE_DEFAULTS,
        )
        with suppress(NoSuchProgram), Container.create(engine, spec) as container:
            put_files(container, SAFE_DEFAULTS, files)
            streams = container.attach()
            try:
                start(container, called or image_id, python)
                # The probe's own words, should it fail: the end of them.
                words = b""
                for _, data in streams.frames():
                    words = (words + data)[-_TAIL:]
            finally:
                streams.close()
            code = container.wait()
            report = container.get(f"{OUT}/report.json")
            if report is None:
                raise CheckFailed(
                    f"the health check's own program ended with exit code {code} and without a report",
                    hint="the image's Python may be damaged: try it with docker run",
                    details=words.decode("utf-8", "replace") or None,
                )
            return json.loads(report)
    raise AssertionError("start raises for the last one")


@cache
def _probe_source() -> bytes:
    return (Path(__file__).parent / "probe_program.py").read_bytes()
