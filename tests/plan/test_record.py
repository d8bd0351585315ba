"""The record of an image's inputs: what it holds, what it leaves out, and what it never holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.plan.record import LABEL, Record, record_of
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine

from ..layers.bases import base
from .test_make import SPEC, _plan

_LINES = (
    RequirementLine(text="rich==13.9.4", origin="requirements.txt:3", hashes=("sha256:" + "1" * 64,)),
    RequirementLine(text="pandas>=2", origin="requirements.txt:1"),
    RequirementLine(text="six", origin="packages"),
)


def _record(spec: ImageSpec, **changes: Any) -> Record:
    given = {"file_digests": {}, "source_digest": None, **changes}
    return record_of(spec, base(), "/opt/venv", (), **given)


def test_it_comes_back_from_its_label() -> None:
    plan = _plan(replace(SPEC, requirements=_LINES, source_builds=("docopt",), lock_file=Path("/project/pylock.toml")))
    record = Record.from_label(plan.labels[LABEL])
    assert record is not None
    assert record.to_label() == plan.labels[LABEL]
    assert record.requirements == {"packages": ("six",), "requirements.txt": ("pandas>=2", "rich==13.9.4")}
    assert all(layer.key.startswith(f"sha256:{key}") for layer, key in zip(plan.layers, record.layers, strict=True))
    assert (record.lock_file, record.options) == ("pylock.toml", {"source-builds": ["docopt"]})
    assert (record.python, record.base_layers, record.source) == ("3.11.2", 1, "3" * 12)


def test_where_a_line_stands_is_no_part_of_it() -> None:
    moved = [replace(line, origin=line.origin.replace(":1", ":99")) for line in reversed(_LINES)]
    assert _record(replace(SPEC, requirements=tuple(moved))) == _record(replace(SPEC, requirements=_LINES))


def test_nothing_of_one_machine_is_in_it(tmp_path: Path) -> None:
    """Or the same project in two directories would be two images."""

    def label(context: Path) -> str:
        links = (str(context / "wheels"), f"file://{context}/more")
        indexes = Indexes(default="https://example.com/simple", find_links=links)
        lock, ignore = context / "pylock.toml", context / "other.dockerignore"
        spec = replace(SPEC, context=context, requirements=_LINES, indexes=indexes, lock_file=lock, dockerignore=ignore)
        return _record(spec, file_digests={"/etc/x": "-:" + "2" * 64}).to_label()

    assert label(tmp_path / "here") == label(tmp_path / "there")
    assert str(tmp_path) not in label(tmp_path)


@pytest.mark.parametrize(
    "url", ["https://user:s3cret@example.com/a-1.0.whl", "https://example.com/a-1.0.whl?token=s3cret"]
)
def test_no_credential_is_in_it(url: str) -> None:
    indexes = Indexes(default="https://user:s3cret@example.com/simple", extra=("https://s3cret@example.com/",))
    lines = (RequirementLine(text=f"a @ {url}", origin="packages"),)
    spec = replace(SPEC, requirements=lines, indexes=indexes, env=(("TOKEN", "s3cret"),))
    text = _record(spec).to_label()
    assert "s3cret" not in text
    assert "example.com/a-1.0.whl" in text


def test_many_requirements_and_files_are_digests() -> None:
    lines = tuple(RequirementLine(text=f"package-{n}==1.{n}", origin=f"requirements.txt:{n}") for n in range(500))
    files = {f"/etc/{n}": f"-:{n:064x}" for n in range(500)}
    record = _record(replace(SPEC, requirements=lines), file_digests=files)
    assert len(record.to_label()) < 1000
    assert record != _record(replace(SPEC, requirements=lines[1:]), file_digests=files)
    assert record != _record(replace(SPEC, requirements=lines), file_digests={**files, "/etc/1": "-:" + "f" * 64})


def test_it_is_small() -> None:
    lines = tuple(RequirementLine(text=f"package-{n}==1.{n}", origin=f"requirements.txt:{n}") for n in range(60))
    record = replace(_record(replace(SPEC, requirements=lines)), layers=tuple(f"{n:012x}" for n in range(119)))
    assert len(record.to_label()) < 4096


@given(
    st.one_of(st.none(), st.text(), st.recursive(st.integers() | st.text(), st.lists).map(json.dumps))
    | st.dictionaries(st.sampled_from(["v", "format", "base", "files", "layers"]), st.integers(0, 2)).map(json.dumps)
)
def test_what_is_no_record_is_none(text: str | None) -> None:
    assert Record.from_label(text) is None
