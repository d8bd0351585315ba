"""Which images and containers may go, and what that frees: from values alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.oci.digest import Digest
from imagekit.pruning.choose import ORIGIN, choose
from imagekit.pruning.prune import is_building
from imagekit.pruning.values import Chosen, Found, FoundContainer, FoundImage
from imagekit.pruning.weigh import unique_sizes
from imagekit.sharing.leases import in_use
from imagekit.store.values import RunEnd, RunRecord, StoredRun

NOW = 1_800_000_000.0
OURS = {"imagekit.version": "1"}
_BASES = ("imagekit/laid-out", "imagekit/recipes")


def layers(text: str) -> tuple[Digest, ...]:
    return tuple(Digest(f"sha256:{letter}") for letter in text)


def image(name: str, diff_ids: str = "", *, tagged: float = 0.0, **fields: Any) -> FoundImage:
    given = {"id": name, "tags": (f"{name}:v1",), "labels": OURS, "is_known": True, **fields}
    return FoundImage(diff_ids=layers(diff_ids or name), tagged=tagged, **given)


def run(image_id: str, *, days: float = 100.0, ended: bool = True, **fields: Any) -> StoredRun:
    from datetime import datetime, timezone

    moment = datetime.fromtimestamp(NOW - days * 86400, timezone.utc).isoformat(timespec="milliseconds")
    given = {"name": "r", "entrypoint": "f.py:f", "reference": "x:1", "image_id": image_id, **fields}
    end = RunEnd(state="completed", ended=moment) if ended else None
    record = RunRecord(created=moment, **given)
    state = end.state if end else "running"
    return StoredRun(record=record, state=state, started=moment, container_id=None, owner="", machine="", end=end)


def chosen(images: list[FoundImage], runs: list[StoredRun] | None = None, **options: Any) -> Chosen:
    containers = tuple(options.pop("containers", ()))
    given = {"since": NOW - 30 * 86400, "keep_last": 0, **options}
    return choose(Found(images=tuple(images), containers=containers), runs or [], **given)


@pytest.mark.parametrize(
    ("images", "runs", "options", "gone"),
    [
        ([image("a")], [], {}, "a"),
        ([image("a", labels={})], [], {}, ""),  # none of ours
        ([image("a", tagged=NOW)], [], {}, ""),
        ([image("a", is_known=False)], [], {}, ""),
        ([image("a", is_known=False)], [], {"elsewhere": True}, "a"),
        ([image("a"), image("b")], [run("a", days=1)], {}, "b"),
        ([image("a"), image("b")], [run("a"), run("b")], {"keep_last": 1}, "b"),
        ([image("a")], [run("a", ended=False)], {}, ""),
        ([image("a")], [run(None, days=1, reference="a:v1")], {}, ""),  # type: ignore[arg-type]
        ([image("a")], [], {"needed": {"a"}}, ""),
        ([image("a")], [], {"containers": [FoundContainer(id="c", name="c", image_id="a", is_running=True)]}, ""),
        ([image("a")], [], {"containers": [FoundContainer(id="c", name="c", image_id="a", is_running=False)]}, ""),
        ([image("a", tags=("imagekit/loading:x", "a:v1"))], [], {}, ""),
        ([image("a", tags=("imagekit/laid-out:x",), labels={}, is_known=False)], [], {}, "a"),
        ([image("a", tags=("imagekit/derived:x",), is_known=False)], [], {}, "a"),
        ([image("a", tags=("imagekit/recipes:x",), labels={}, is_known=False)], [], {}, "a"),
        ([image("a", tags=("imagekit/recipes-build:x",), labels={})], [], {"builds_run": True}, ""),
        ([image("a", tags=("imagekit/laid-out:x",), labels={})], [], {"builds_run": True}, ""),
        ([image("a", tags=("imagekit/laid-out:x",), labels={}, tagged=NOW)], [], {}, ""),
        # What lies below an image that stays costs nothing, and is wanted when that is built again.
        ([image("a", "x"), image("b", "xy", tagged=NOW)], [], {}, ""),
        ([image("a", "x"), image("b", "xy"), image("c", "xyz", tagged=NOW)], [], {}, ""),
        ([image("a", "x"), image("b", "xy")], [], {}, "ab"),
        ([image("a", "x"), image("b", "x")], [run("a", days=1)], {}, "b"),
        ([image("a", "x"), image("b", "xy", is_child=True)], [], {"elsewhere": True}, ""),
        ([image("a", "x"), image("b", "x", is_child=True)], [], {}, ""),
        ([image("a", "x"), image("b", "y", labels={**OURS, ORIGIN: "a"}, tagged=NOW)], [], {}, ""),
    ],
)
def test_images(images: list[FoundImage], runs: list[StoredRun], options: dict[str, Any], gone: str) -> None:
    found = chosen(images, runs, **options)
    assert "".join(image.id for image in found.images) == gone
    ours = {each.id for each in images if (each.labels and not each.is_child) or each.tags[0].startswith(_BASES)}
    assert {*found.kept} == ours - set(gone)


def test_containers_of_runs_that_are_long_over_go_with_their_images() -> None:
    old, new = run("a"), run("b", days=1)
    containers = [
        FoundContainer(id="1", name="1", image_id="a", is_running=False, run_id=old.id, is_ours=True),
        FoundContainer(id="2", name="2", image_id="b", is_running=False, run_id=new.id, is_ours=True),
        FoundContainer(id="3", name="3", image_id="c", is_running=True, run_id="gone", is_ours=True),
        FoundContainer(id="4", name="4", image_id="d", is_running=False, run_id="theirs", is_ours=False),
        FoundContainer(id="5", name="5", image_id="e", is_running=False),
    ]
    found = chosen([image(name) for name in "abcde"], [new, old], containers=containers)
    assert [each.id for each in found.containers] == ["1"]
    assert [each.id for each in found.images] == ["a"]


def test_images_made_elsewhere_are_counted() -> None:
    assert chosen([image("a", is_known=False), image("b", is_known=False, tagged=NOW)]).elsewhere == 1


def test_shared_layers_do_not_count() -> None:
    stays, one, two = image("s", "abc"), image("o", "abd"), image("t", "abdx")
    sizes = {"o": [1, 10, 100], "t": [1, 10, 100, 1000]}
    assert unique_sizes([one, two], [stays], sizes, containerd_store=False) == {"o": 0, "t": 1100}
    assert unique_sizes([two, one], [stays], sizes, containerd_store=False) == {"t": 1000, "o": 100}
    # The same layer on another one is unpacked again, and is one blob.
    other = image("p", "xb")
    assert unique_sizes([other], [stays], {"p": [1, 10]}, containerd_store=False) == {"p": 11}
    assert unique_sizes([other], [stays], {"p": [1, 10]}, containerd_store=True) == {"p": 12}


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=6), st.integers(0, 6), st.booleans())
def test_what_all_free_together_is_what_only_they_have(stacks: list[str], cut: int, containerd: bool) -> None:
    images = [image(f"i{n}", text) for n, text in enumerate(stacks)]
    going, staying = images[:cut], images[cut:]
    weights = {f"sha256:{letter}": 10**n for n, letter in enumerate("abc")}
    sizes = {each.id: [weights[layer] for layer in each.diff_ids] for each in images}
    freed = unique_sizes(going, staying, sizes, containerd_store=containerd)

    def chains(some: list[FoundImage]) -> set[tuple[Digest, ...]]:
        return {each.diff_ids[: n + 1] for each in some for n in range(len(each.diff_ids))}

    expected = sum(weights[chain[-1]] for chain in chains(going) - chains(staying))
    if containerd:
        expected += sum(
            weights[layer]
            for layer in {x for each in going for x in each.diff_ids} - {x for each in staying for x in each.diff_ids}
        )
    assert sum(freed.values()) == expected
    assert list(freed) == [each.id for each in going]


def test_a_build_under_way_is_seen(tmp_path: Path) -> None:
    assert not is_building(tmp_path)
    with in_use(tmp_path):
        assert is_building(tmp_path)
    assert not is_building(tmp_path / "not there yet")
