"""What is said of a plan beside an image that was built: which inputs differ, which layers are made, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import LAYER_GZIP, Descriptor
from imagekit.plan import changes
from imagekit.plan.config import created_by, image_config
from imagekit.plan.cost import Cost, estimated, measured
from imagekit.plan.image_facts import ImageFacts, image_facts
from imagekit.plan.record import LABEL
from imagekit.plan.values import Plan
from imagekit.plan.why import Transfer, Why, explain, transfer
from imagekit.spec.image import FileMapping, RequirementLine

from ..layers.bases import base
from .test_make import LOCK, SPEC, _package, _plan
from .test_moved_versions import _package as other_package

_NOTHING = Transfer(layers=0, size=0, is_measured=True)


def _diff_ids(plan: Plan) -> list[Digest]:
    return [digest_of(layer.key.encode()) for layer in plan.layers]


def built(plan: Plan, reference: str = "orders:v1") -> ImageFacts:
    """The image that ``plan`` makes, as an engine tells of it."""
    config = image_config(plan, _diff_ids(plan))
    steps = [*(["step"] * len(plan.base.config.diff_ids)), *map(created_by, plan.layers)]
    return image_facts(reference, config.digest, config.diff_ids, steps, config.settings)


def why(old: Plan | ImageFacts | None, new: Plan, costs: Sequence[Cost] | None = None, **more: Any) -> Why:
    facts = built(old) if isinstance(old, Plan) else old
    given = {"load": _NOTHING, "push": _NOTHING, **more}
    known = costs or [measured(1000, digest) for digest in _diff_ids(new)]
    return explain("orders:v2", facts, new, known, **given)


def told(found: Why) -> list[tuple[str, str, str]]:
    return [(change.input, change.name, change.change) for change in found.inputs]


def made(found: Why) -> dict[str, str]:
    return {change.title: change.cause for change in found.made}


def test_nothing_changed() -> None:
    found = why(_plan(), _plan())
    assert found.is_up_to_date
    assert found.to_json()["up_to_date"] is True
    assert (found.inputs, found.made, found.unpacked, found.removed, found.uncached) == ((), (), (), (), ())


def test_the_first_build() -> None:
    found = why(None, _plan())
    assert not found.is_up_to_date
    assert {change.cause for change in found.made} == {"first"}
    assert len(found.made) == len(_plan().layers) == found.layers
    assert found.to_json()["since"] is None


def test_a_moved_pin() -> None:
    packages = tuple(_package("numpy", "2.5.0", 17_000_000) if p.name == "numpy" else p for p in LOCK.packages)
    asked = replace(SPEC, requirements=(RequirementLine(text="numpy==2.4.6", origin="requirements.txt:1"),))
    moved = replace(asked, requirements=(RequirementLine(text="numpy==2.5.0", origin="requirements.txt:2"),))
    found = why(_plan(asked), _plan(moved, replace(LOCK, packages=packages)))
    assert told(found) == [("requirements", "requirements.txt", "changed"), ("lock", "numpy", "changed")]
    assert (found.inputs[0].before, found.inputs[0].after) == ("numpy==2.4.6", "numpy==2.5.0")
    assert (found.inputs[1].before, found.inputs[1].after) == ("2.4.6", "2.5.0")
    assert made(found) == {"numpy==2.5.0": "package"}
    assert found.made[0].reason == "numpy 2.4.6 → 2.5.0"
    # All that lies above it: another layer below makes another chain.
    assert found.unpacked == tuple(layer.title for layer in _plan().layers[2:])


def test_packages_added_and_removed() -> None:
    packages = (*(p for p in LOCK.packages if p.name != "six"), _package("zipp", "3.1", 900))
    found = why(_plan(), _plan(lock=replace(LOCK, packages=packages)))
    assert told(found) == [("lock", "six", "removed"), ("lock", "zipp", "added")]
    assert made(found) == {"zipp==3.1": "package"}
    assert found.made[0].reason == "zipp is new"
    assert found.removed == ("six==1.17.0",)


def test_another_file_of_the_same_version() -> None:
    packages = tuple(other_package(p.name, p.version, 1, p.direct) if p.name == "six" else p for p in LOCK.packages)
    found = why(_plan(), _plan(lock=replace(LOCK, packages=packages)))
    assert made(found) == {"six==1.17.0": "package"}
    assert found.made[0].reason == "another file of the same version"
    assert not found.is_up_to_date


def test_group_mates() -> None:
    many = replace(LOCK, packages=tuple(other_package(f"p{n}", "1.0", 900, False) for n in range(150)))
    shared = next(layer for layer in _plan(lock=many).layers if len(layer.packages) > 2)
    name = shared.packages[0].partition("==")[0]
    moved = [other_package(p.name, "2.0", 900, False) if p.name == name else p for p in many.packages]
    found = why(_plan(lock=many), _plan(lock=replace(many, packages=tuple(moved))))
    (change,) = found.made
    assert (change.cause, change.reason) == ("package", f"{name} 1.0 → 2.0")
    assert len(change.packages) == len(shared.packages)
    gone = replace(many, packages=tuple(p for p in many.packages if p.name != name))
    reasons = [change.reason for change in why(_plan(lock=many), _plan(lock=gone)).made]
    assert any(f"{name} is gone" in reason for reason in reasons)


def test_source_files_env_labels_and_settings() -> None:
    changed = changes.FileChanges(changed=("flow.py",))
    found = why(_plan(), _plan(source_digest="sha256:" + "5" * 64), source=changed)
    assert (told(found), made(found)) == ([("source", "source", "changed")], {"source": "source"})
    assert found.to_json()["source"] == {"added": [], "changed": ["flow.py"], "removed": []}
    found = why(_plan(), _plan(source_digest=None))
    assert (told(found), made(found), found.removed) == ([("source", "source", "removed")], {}, ("source",))
    found = why(_plan(), _plan(file_digests={"/etc/orders/settings.yml": "x:" + "2" * 64}))
    assert told(found) == [("file", "/etc/orders/settings.yml", "changed")]
    assert made(found) == {"1 file": "file"}
    # The source lies above the files.
    assert found.unpacked == ("source",)
    found = why(_plan(), _plan(replace(SPEC, env=(("TZ", "s3cret"), ("A", "s3cret")), labels=())))
    assert told(found) == [("env", "A", "added"), ("env", "TZ", "changed"), ("label", "team", "removed")]
    assert "s3cret" not in str(found.to_json())
    assert (made(found), found.unpacked, found.is_up_to_date) == ({}, (), False)
    found = why(_plan(), _plan(replace(SPEC, workdir="/srv")))
    assert ("setting", "workdir", "changed") in told(found)
    assert set(made(found)) == {"environment", "orders==1.2", "source"}


def test_the_base() -> None:
    found = why(_plan(), _plan(on=base(layers=2)))
    assert told(found) == [("base", "base:1", "changed")]
    assert made(found) == {}
    assert found.unpacked == tuple(layer.title for layer in _plan().layers)
    named = replace(base(), reference="other:1")
    labels = {"org.opencontainers.image.base.name": "base:1"}
    found = why(_plan(labels=labels), _plan(on=named, labels={"org.opencontainers.image.base.name": "other:1"}))
    assert told(found) == [("base", "other:1", "changed")]
    assert (found.inputs[0].before, found.inputs[0].after) == ("base:1", "other:1")
    assert (made(found), found.unpacked) == ({}, ())
    found = why(_plan(), _plan(on=base(links=())))
    assert made(found) == {"environment": "base", "1 file": "base", "source": "base"}


def test_another_python() -> None:
    image = base()
    found = why(_plan(), _plan(on=replace(image, python=replace(image.python, version="3.11.9"))))
    assert ("python", "python", "changed") in told(found)
    assert {cause for title, cause in made(found).items() if "==" in title and "orders" not in title} == {"python"}


def test_another_imagekit() -> None:
    old = built(_plan())
    assert old.record is not None
    earlier = replace(old, record=replace(old.record, layer_format=1))
    found = why(earlier, _plan(source_digest="sha256:" + "5" * 64))
    assert ("imagekit", "layer format", "changed") in told(found)
    assert made(found) == {"source": "format"}


def test_an_image_from_before_there_were_records() -> None:
    """Then the digests tell, of layers that the cache has."""
    facts = built(_plan())
    labels = {k: v for k, v in facts.labels.items() if k != LABEL}
    config = ImageConfig({"config": {**facts.settings, "Labels": labels}})
    steps = ["step", *map(created_by, _plan().layers)]
    old = image_facts("orders:v1", "sha256:" + "a" * 64, facts.diff_ids, steps, config.settings)
    assert old.record is None
    assert why(old, _plan()).is_up_to_date
    found = why(old, _plan(), [estimated(1) for _ in _plan().layers])
    assert len(found.made) == len(_plan().layers)


def test_layers_that_the_cache_lost_are_made_again() -> None:
    found = why(_plan(), _plan(), [estimated(1), *(measured(1, digest) for digest in _diff_ids(_plan())[1:])])
    assert found.uncached == ("environment",)
    assert found.is_up_to_date


def test_a_base_that_imagekit_built() -> None:
    """The layers of ours that an image has are those on its base, which may itself be an image of ours."""
    plan = _plan(on=base(layers=3))
    config = image_config(plan, _diff_ids(plan))
    steps = ["imagekit environment: environment", "imagekit wheels: a==1", "step", *map(created_by, plan.layers)]
    facts = image_facts("orders:v1", "sha256:" + "a" * 64, config.diff_ids, steps, config.settings)
    assert [layer.title for layer in facts.layers] == [layer.title for layer in plan.layers]


def test_an_image_that_buildkit_made_of_the_same_plan() -> None:
    """It has the record and other layers."""
    plan = _plan()
    config = image_config(plan, _diff_ids(plan))
    steps = ["step"] * len(config.diff_ids)
    assert image_facts("a:1", "sha256:" + "a" * 64, config.diff_ids, steps, config.settings).layers == ()
    some = config.diff_ids[:3]
    assert image_facts("a:1", "sha256:" + "a" * 64, some, ["step"] * 3, config.settings).layers == ()


def test_transfers() -> None:
    blob = Descriptor(media_type=LAYER_GZIP, digest=Digest("sha256:" + "2" * 64), size=40)
    packed = replace(measured(100, Digest("sha256:" + "1" * 64)), blob=blob, blob_size=40)
    known = [packed, estimated(1000)]
    assert transfer(known, compressed=False).to_json() == {
        "to": None,
        "layers": 2,
        "bytes": 1100,
        "is_measured": False,
        "known": "asked",
    }
    sent = transfer(known[:1], compressed=True, to="example.com/a", known="pushed")
    assert (sent.size, sent.is_measured, sent.layers) == (40, True, 1)
    sent = transfer(known[:1], compressed=True, base=(2, 500))
    assert (sent.size, sent.is_measured, sent.layers) == (540, False, 3)


def test_files_asked_for() -> None:
    more = replace(SPEC, files=(*SPEC.files, FileMapping(source=SPEC.files[0].source, target="/etc/b")))
    digests = {"/etc/orders/settings.yml": "-:" + "2" * 64, "/etc/b": "-:" + "3" * 64}
    found = why(_plan(), _plan(more, file_digests=digests))
    assert told(found) == [("file", "/etc/b", "added")]
    assert made(found) == {"2 files": "file"}
