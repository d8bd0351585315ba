"""The public projects' dependencies, resolved against the real index and built into images by the real engine.

Each row of ``table.py`` says what it ends with. An image that is built has passed imagekit's own check, which looks at
it from inside; here it is compared with what the project asked for. The cache is the user's own, so that rows share
layers and a second ``make corpus`` downloads little.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import ImagekitError
from imagekit.oci.reference import Reference
from imagekit.pipeline import Pipeline
from imagekit.settings import Settings
from imagekit.spec.image import ImageSpec
from tests.corpus.declarations import laid_out, tell_addresses
from tests.corpus.row import BUILT, End, Row, Unless
from tests.corpus.table import ROWS

TRIED = [row for row in ROWS if row.refused is None and row.ends is not None]


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with Pipeline(Settings.load()) as pipeline:
        yield pipeline


@cache
def versions(name: str) -> tuple[str, ...]:
    """What this machine's index has, asked by pip without its configuration: uv is given no further indexes, either."""
    command = [sys.executable, "-m", "pip", "--isolated", "index", "versions", "--json", "--pre", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout)["versions"])


@cache
def reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=10).close()
    except OSError:
        return False
    return True


def lacks(unless: Unless) -> bool:
    if unless.host is not None:
        return not reachable(unless.host)
    wanted = Requirement(unless.requirement)
    return not any(wanted.specifier.contains(version, prereleases=True) for version in versions(wanted.name))


def expected(row: Row) -> End:
    assert row.ends is not None
    return next((unless.ends for unless in row.unless if lacks(unless)), row.ends)


def wanted(row: Row, pipeline: Pipeline, scratch: Path) -> ImageSpec:
    spec = pipeline.spec(laid_out(row, scratch), python=row.python, **row.arguments)
    if spec.builds_project:
        # What it is built from is not here: its dependencies are, and they make the image.
        spec = replace(spec, project=None, include_source=False)
    tell_addresses(pipeline, spec)
    return spec


def installed(row: Row, pipeline: Pipeline, spec: ImageSpec, name: str) -> dict[str, str]:
    """The packages of the row's image by their normalized names, or, of one that ``weighs``, of its lock."""
    if row.weighs:
        return {package.name: package.version for package in pipeline.lock(spec).packages}
    result = pipeline.build(spec, Reference.parse(name))
    pairs = [package.partition("==") for layer in result.layers for package in layer.packages]
    own = canonicalize_name(spec.project.name) if spec.project is not None else None
    return {found: version for package, _, version in pairs if (found := canonicalize_name(package)) != own}


def check(row: Row, pipeline: Pipeline, scratch: Path) -> None:
    end = expected(row)
    name = f"imagekit-corpus/{secrets.token_hex(6)}:1"
    try:
        if end.built:
            spec = wanted(row, pipeline, scratch)
            matches(row, spec, installed(row, pipeline, spec, name))
            return
        assert end.error is not None
        with pytest.raises(end.error) as caught:
            installed(row, pipeline, wanted(row, pipeline, scratch), name)
        assert type(caught.value) is end.error
        told(caught.value, end)
    finally:
        if pipeline.engine.image(name) is not None:
            pipeline.engine.remove_image(name, force=True)


def told(error: ImagekitError, end: End) -> None:
    assert error.message.startswith(end.says[0]), error.message
    for words in end.says[1:]:
        assert words in "\n".join(filter(None, (error.message, error.details, error.hint)))
    assert error.hint


def matches(row: Row, spec: ImageSpec, found: dict[str, str]) -> None:
    """All that the project asked for is there, each in a version that it asked for, and what its lock says."""
    full = f"{row.python}.99"
    environment = {**default_environment(), "python_version": row.python, "python_full_version": full}
    for line in (*spec.requirements, *spec.constraints):
        asked = Requirement(line.text)
        name = canonicalize_name(asked.name)
        is_absent = name not in found and line in spec.constraints
        if is_absent or (asked.marker is not None and not asked.marker.evaluate({**environment, "extra": ""})):
            continue
        assert asked.url or asked.specifier.contains(found[name], prereleases=True), (line, found[name])
    for text in row.versions:
        name, _, version = text.partition("==")
        assert version in ("", found[canonicalize_name(name)]), (text, found)
    assert set(row.members) <= set(found)
    if row.locked is not None:
        assert len(found) == row.locked + len(row.members)


@pytest.mark.soak
@pytest.mark.parametrize("row", [row for row in TRIED if not row.quick], ids=str)
def test_it_ends_as_the_table_says(row: Row, pipeline: Pipeline, tmp_path: Path) -> None:
    check(row, pipeline, tmp_path)


@pytest.mark.parametrize("row", [row for row in TRIED if row.quick], ids=str)
def test_a_small_one_ends_as_the_table_says(row: Row, pipeline: Pipeline, tmp_path: Path) -> None:
    check(row, pipeline, tmp_path)


def test_rows_that_are_not_tried_are_few() -> None:
    # Four of them have packages of conda's, whose channels are not at hand everywhere.
    assert len([row for row in ROWS if row.refused is None and row.ends is None]) <= 6
    assert len({row.project for row in TRIED if row.ends == BUILT}) >= 20
