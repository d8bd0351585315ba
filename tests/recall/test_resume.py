"""What a record keeps of a build comes back as it was, and names all that the build lies on."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.building.planned import Resolved
from imagekit.codec import decode, encode
from imagekit.lock.values import Artifact, BuildTool, GitCommit, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.recall.resume import bases_of, known_classes
from imagekit.spec.base import AppliedRecipe
from imagekit.spec.conda import CondaLine, CondaWanted
from imagekit.spec.image import ImageSpec

from ..layers.bases import base

SHA256 = "0" * 64


def _dataclasses(kind: Any, found: set[type]) -> set[type]:
    """``kind`` and every dataclass that one of it may hold."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union) or typing.get_args(kind):
        for each in typing.get_args(kind):
            _dataclasses(each, found)
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind not in found:
        found.add(kind)
        for hint in typing.get_type_hints(kind).values():
            _dataclasses(hint, found)
    return found


def test_whatever_a_record_may_hold_can_be_read_again() -> None:
    needed = _dataclasses(Resolved, _dataclasses(ImageSpec, set()))
    assert {BuildTool, GitCommit, CondaLine} < needed
    known = known_classes()
    assert {kind.__name__ for kind in needed if known.get(kind.__name__) is not kind} == set()


def test_there_and_back() -> None:
    ground = base()
    on_it = replace(base(layers=3), image_id=f"sha256:{2:064x}", found_at="imagekit/derived:1", ground=ground)
    recipe = AppliedRecipe(name="git-ssh", digest=Digest(f"sha256:{SHA256}"), diff_id=None)
    made = replace(on_it, image_id=f"sha256:{3:064x}", found_at="imagekit/recipes:1", origin=on_it, recipes=(recipe,))
    commit = GitCommit(url="https://example.com/a", commit="a" * 40)
    package = LockedPackage(
        name="a",
        version="1",
        artifact=Artifact(filename="a-1-py3-none-any.whl", url="file:///a-1-py3-none-any.whl", sha256=SHA256),
        built_from=Artifact.of_commit("a", commit),
        built_with=(BuildTool(name="flit-core", version="3", filename="flit_core-3.whl", sha256=SHA256),),
    )
    lock = Lock(
        packages=(package,),
        inputs=Digest(f"sha256:{SHA256}"),
        python="3.11.2",
        platform="linux/amd64",
        extra={"conda": {"packages": ({"name": "tool", "version": "1", "build": "0", "sha256": SHA256},)}},
    )
    wanted = CondaWanted(packages=(CondaLine(text="tool=1", origin="conda"),), channels=("file:///srv/channel",))
    spec = ImageSpec(context=Path("/project"), conda=wanted)
    resolved = Resolved(base=made, lock=lock)
    kept = json.loads(json.dumps(encode([spec, resolved])))
    spec_again, again = decode(kept, known_classes())
    assert (spec_again, again.lock.packages, again.lock.digest) == (spec, lock.packages, lock.digest)
    # Lists come back as tuples, which JSON does not tell apart.
    assert encode([spec_again, again]) == kept


@pytest.mark.parametrize("with_recipes", [False, True])
@pytest.mark.parametrize("with_conda", [False, True])
def test_each_image_that_it_lies_on_is_named(with_recipes: bool, with_conda: bool) -> None:
    made, names = base(), {"base:1": f"sha256:{1:064x}"}
    if with_conda:
        made = replace(made, image_id=f"sha256:{2:064x}", found_at="imagekit/derived:1", ground=made)
        names["imagekit/derived:1"] = made.image_id
    if with_recipes:
        made = replace(made, image_id=f"sha256:{3:064x}", found_at="imagekit/recipes:1", origin=made, ground=None)
        names["imagekit/recipes:1"] = made.image_id
    assert bases_of(made) == names
    assert made.lowest.place == "base:1"
