"""Choosing and taking away on both image stores: small images that say they are imagekit's."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.explaining.report import image_report
from imagekit.progress import SilentReporter
from imagekit.pruning import choose, prune
from imagekit.pruning.prune import prune_engine
from imagekit.pruning.values import PrunedEngine
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord

from ..own_engine import OwnEngine

pytestmark = pytest.mark.xdist_group("own_engine")
KB = 1000
OURS, OTHER = "imagekit source: the project", "RUN true # buildkit"


@pytest.fixture(params=[False, True], ids=["classic", "containerd"])
def own(request: pytest.FixtureRequest, own_engine: Callable[..., OwnEngine]) -> Iterator[tuple[OwnEngine, Engine]]:
    made = own_engine(containerd_store=request.param)
    with made.connect() as engine:
        yield made, engine


def layer(size: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        member = tarfile.TarInfo(secrets.token_hex(8))
        member.size = size
        archive.addfile(member, io.BytesIO(secrets.token_bytes(size)))
    return written.getvalue()


def load(engine: Engine, name: str, steps: Sequence[tuple[str, bytes]], *, history: bool = True) -> str:
    """An image of these layers, each with what made it, the lowest first; its ID."""
    config = {
        "architecture": engine.info.platform.architecture,
        "os": "linux",
        "config": {"Labels": {"imagekit.version": "0"}, "Cmd": ["/true"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for _, data in steps]},
        "history": [{"created_by": words} for words, _ in steps] if history else [],
    }
    files = {f"{n}.tar": data for n, (_, data) in enumerate(steps)}
    files["config.json"] = json.dumps(config).encode()
    listed = [{"Config": "config.json", "RepoTags": [name], "Layers": [f"{n}.tar" for n in range(len(steps))]}]
    files["manifest.json"] = json.dumps(listed).encode()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    engine.load([written.getvalue()])
    image = engine.image(name)
    assert image is not None
    return image.id


def ran(store: Store, *image_ids: str) -> None:
    for image_id in image_ids:
        run = RunRecord(
            name="r", entrypoint="f.py:f", reference="x:1", image_id=image_id, created="2020-01-01T00:00:00Z"
        )
        store.begin(run)
        store.end(run.id, RunEnd(state="completed", ended="2020-01-01T00:00:01.000+00:00"))


def pruned(
    engine: Engine, store: Store, cache: Path, *, dry_run: bool = False, elsewhere: bool = False
) -> PrunedEngine:
    since, say = time.time() + 60, SilentReporter()
    return prune_engine(engine, store, cache, say, since=since, keep_last=0, dry_run=dry_run, elsewhere=elsewhere)


def docker(own: OwnEngine, *words: str) -> str:
    done = subprocess.run(["docker", "--host", own.address, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_is_ours_goes_and_what_was_built_on_it_by_others_stays(
    own: tuple[OwnEngine, Engine], tmp_path: Path
) -> None:
    ours, engine = own
    name = f"prune-{secrets.token_hex(6)}"
    common, top, upper = layer(100 * KB), layer(300 * KB), layer(50 * KB)
    ids = {
        "old": load(engine, f"{name}:old", [(OURS, common), (OURS, top)]),
        "held": load(engine, f"{name}:held", [(OURS, common), (OURS, layer(10 * KB))]),
        "child": load(engine, f"{name}:child", [(OURS, layer(20 * KB)), (OTHER, upper)]),
        "unsure": load(engine, f"{name}:unsure", [(OTHER, layer(20 * KB))]),
        "untold": load(engine, f"{name}:untold", [(OURS, layer(20 * KB)), (OURS, layer(20 * KB))], history=False),
    }
    # One that lost its name to another.
    ids["nameless"] = load(engine, f"{name}:moved", [(OURS, layer(40 * KB))])
    ids["moved"] = load(engine, f"{name}:taker", [(OURS, layer(40 * KB))])
    engine.tag(ids["moved"], f"{name}:moved")
    engine.tag(ids["old"], f"{name}:another-name")
    # Of a history that is left out each layer is told all the same.
    assert [found.size for found in image_report(engine, f"{name}:untold").layers] == [0, 0]
    container = docker(ours, "create", f"{name}:held")
    try:
        with Store.open(tmp_path / "state") as store:
            ran(store, *ids.values())
            foretold = pruned(engine, store, tmp_path / "cache", dry_run=True)
            assert {each.id for each in foretold.images} == {ids["old"], ids["nameless"], ids["moved"]}
            assert foretold.kept[ids["held"]] == "a container has it"
            assert {ids["unsure"], ids["untold"]} <= {each for each, why in foretold.kept.items() if "elsewhere" in why}
            assert ids["child"] not in foretold.kept
            copies = 2 if engine.info.containerd_store else 1
            assert 300 * KB * copies <= foretold.sizes[ids["old"]] < 400 * KB * copies
            done = pruned(engine, store, tmp_path / "cache")
            assert (done.freed, done.in_use) == (foretold.freed, ())
            assert {key for key, each in ids.items() if engine.image(each) is not None} == {
                *("held", "child", "unsure", "untold")
            }
            docker(ours, "rm", container)
            # By their labels alone; of what somebody built on one of ours, never.
            rest = pruned(engine, store, tmp_path / "cache", elsewhere=True)
            assert {each.id for each in rest.images} >= {ids["held"], ids["unsure"], ids["untold"]}
            assert [key for key, each in ids.items() if engine.image(each) is not None] == ["child"]
    finally:
        engine.remove_image(f"{name}:child", force=True)


def test_what_is_used_meanwhile_keeps_all_its_names(
    own: tuple[OwnEngine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, engine = own
    name = f"prune-{secrets.token_hex(6)}"
    image_id = load(engine, f"{name}:a", [(OURS, layer(10 * KB))])
    for tag in ("b", "c"):
        engine.tag(image_id, f"{name}:{tag}")
    began: list[str] = []

    def chosen_and_then_used(*words: object, **options: object) -> object:
        found = choose.choose(*words, **options)  # type: ignore[arg-type]
        began.append(docker(ours, "create", f"{name}:b"))
        return found

    monkeypatch.setattr(prune, "choose", chosen_and_then_used)
    with Store.open(tmp_path / "state") as store:
        ran(store, image_id)
        done = pruned(engine, store, tmp_path / "cache")
        assert (done.in_use, image_id in {each.id for each in done.images}) == ((image_id,), False)
        image = engine.image(image_id)
        assert image is not None
        assert sorted(image.tags) == [f"{name}:{tag}" for tag in "abc"]
        docker(ours, "rm", *began)
        monkeypatch.setattr(prune, "choose", choose.choose)
        assert [each.id for each in pruned(engine, store, tmp_path / "cache").images] == [image_id]
        assert engine.image(image_id) is None
