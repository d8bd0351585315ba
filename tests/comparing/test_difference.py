"""What is different between two sides, from values alone."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from imagekit.comparing.difference import difference
from imagekit.comparing.values import ImageSide, Side
from imagekit.store.values import RunEnd, RunRecord, StoredRun

IMAGE = ImageSide(
    reference="orders:v1",
    image_id="sha256:1",
    python="3.11.2",
    base="imagekit/python:3.11",
    base_digest="aaa",
    lock="sha256:l1",
    commit="c1",
    packages={"rich": "13.0", "six": "1.16"},
    system={"libc6:amd64": "2.36"},
    conda={"gdal": "3.8 h1_0"},
    source="s1",
    files={"/app/flow.py": "d1", "/app/old.py": "d2"},
    env={"TZ": "UTC", "TOKEN": "hunter2"},
    settings={"user": "1000", "platform": "linux/amd64"},
)


def run(end: RunEnd | None = None, state: str | None = None, **fields: Any) -> StoredRun:
    record = RunRecord(**{"name": "a", "entrypoint": "flow.py:etl", "reference": "orders:v1", **fields})
    end = end or RunEnd(state="completed", cpu_seconds=1.0, peak_memory=10, ended="2026-01-01T00:00:03.000+00:00")
    return StoredRun(
        record=record,
        state=state or end.state,
        started="2026-01-01T00:00:00.000+00:00",
        container_id=None,
        owner="",
        machine="",
        end=end,
    )


def changes(before: Side, after: Side) -> list[tuple[str, str, str, str | None, str | None]]:
    return [(c.input, c.name, c.change, c.before, c.after) for c in difference(before, after).changes]


def test_a_bases_name_is_not_compared_with_a_distribution() -> None:
    theirs = {"base": "", "base_digest": "", "distro": "Debian 12"}
    assert of_images(**theirs) == []
    ours = dataclasses.replace(IMAGE, distro="Debian 11")
    other = dataclasses.replace(ours, image_id="sha256:2", **theirs)
    assert changes(Side(name="a", image=ours), Side(name="b", image=other)) == [
        ("base", "base", "changed", "Debian 11", "Debian 12")
    ]


def of_images(**fields: Any) -> list[tuple[str, str, str, str | None, str | None]]:
    other = dataclasses.replace(IMAGE, image_id="sha256:2", **fields)
    return changes(Side(name="a", image=IMAGE), Side(name="b", image=other))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"python": "3.12.1"}, [("python", "python", "changed", "3.11.2", "3.12.1")]),
        (
            {"packages": {"rich": "14.0", "tzdata": "2026"}},
            [
                ("package", "rich", "changed", "13.0", "14.0"),
                ("package", "six", "removed", "1.16", None),
                ("package", "tzdata", "added", None, "2026"),
            ],
        ),
        ({"base": "debian"}, [("base", "base", "changed", "imagekit/python:3.11", "debian")]),
        ({"base_digest": "bbb"}, [("base", "imagekit/python:3.11", "changed", "aaa", "bbb")]),
        ({"base_digest": ""}, []),
        ({"commit": ""}, [("commit", "commit", "removed", "c1", None)]),
        ({"lock": "sha256:l2"}, [("lock", "lock", "changed", "sha256:l1", "sha256:l2")]),
        (
            {"source": "s2", "files": {"/app/flow.py": "d9", "/app/new.py": "d3"}},
            [
                ("file", "/app/flow.py", "changed", None, None),
                ("file", "/app/new.py", "added", None, None),
                ("file", "/app/old.py", "removed", None, None),
            ],
        ),
        ({"source": "s2", "files": None}, [("source", "source", "changed", "s1", "s2")]),
        # Their values may be secret.
        ({"env": {"TZ": "UTC", "TOKEN": "other"}}, [("variable", "TOKEN", "changed", None, None)]),
        ({"system": {}}, [("system", "libc6:amd64", "removed", "2.36", None)]),
        ({"conda": {"gdal": "3.9 h1_0"}}, [("conda", "gdal", "changed", "3.8 h1_0", "3.9 h1_0")]),
        ({"conda": None}, []),
        ({"system": None}, []),
        ({"settings": {"user": "0"}}, [
            ("setting", "platform", "removed", "linux/amd64", None),
            ("setting", "user", "changed", "1000", "0"),
        ]),
    ],
)  # fmt: skip
def test_images(fields: dict[str, Any], expected: list[Any]) -> None:
    assert of_images(**fields) == expected


def test_what_cannot_be_compared_is_said() -> None:
    other = dataclasses.replace(IMAGE, image_id="sha256:2", reference="x:2", packages=None, files=None, source="s2")
    found = difference(Side(name="a", image=IMAGE), Side(name="b", image=other))
    assert [text.partition(":")[0] for text in found.unknown] == [
        "the packages of x",
        "which files of the source changed",
    ]
    gone = difference(
        Side(name="a", run=run(), why="it is gone from the engine"), Side(name="b", run=run(), image=IMAGE)
    )
    assert gone.unknown == ("the image of a: it is gone from the engine",)
    assert gone.same


def test_runs() -> None:
    before = run(
        parameters={"n": 1, "day": "x"},
        settings={"memory": 1, "network": None, "name": "a", "image": "orders:v1"},
        env_names=("TZ", "TOKEN"),
        source={"kind": "git", "commit": "a"},
    )
    failed = RunEnd(
        state="failed",
        error={"type": "ValueError", "message": "no\nmore"},
        cpu_seconds=2.0,
        ended="2026-01-01T00:00:01.000+00:00",
    )
    after = run(
        failed,
        parameters={"n": 2, "day": "x"},
        settings={"memory": 1, "cpus": 2, "image": "sha256:1"},
        env_names=("TZ",),
        source={"kind": "git", "commit": "b"},
        extras={"requirements": ["rich"]},
    )
    sides = Side(name="a", run=before, image=IMAGE), Side(name="b", run=after, image=IMAGE)
    assert changes(*sides) == [
        ("parameter", "n", "changed", "1", "2"),
        ("run setting", "cpus", "added", None, "2"),
        ("environment", "TOKEN", "removed", None, None),
        ("run source", "commit", "changed", '"a"', '"b"'),
        ("extra", "requirements", "added", None, '["rich"]'),
        ("state", "state", "changed", "completed", "failed"),
        ("error", "error", "added", None, "ValueError: no"),
    ]
    found = difference(*sides)
    assert found.resources == {"seconds": (3.0, 1.0), "cpu_seconds": (1.0, 2.0), "peak_memory": (10, None)}
    document = found.to_json()
    assert json.loads(json.dumps(document)) == document
    assert "hunter2" not in json.dumps(document)
    assert difference(sides[0], sides[0]).same
