"""What recipes put on a base, in the record of an image, in locks and in a Dockerfile: values alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagekit.codec import decode, encode
from imagekit.lock.locked_base import moved, with_base
from imagekit.lock.values import Lock
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest
from imagekit.plan.record import Record, record_of
from imagekit.spec import base as base_values
from imagekit.spec import installed
from imagekit.spec.base import AppliedRecipe, BaseImage
from imagekit.spec.image import ImageSpec
from imagekit.stages.in_base import InBase
from imagekit.stages.source_build import wheel_key

from ..layers.bases import base

PLAIN = base()
SPEC = ImageSpec(context=Path("/project"))


def sha(text: str) -> Digest:
    return Digest(f"sha256:{text * 64}")


def with_recipes(*, layer: str = "2", says: str = "1", build: tuple[str, ...] = ()) -> BaseImage:
    config = PLAIN.config.extended(
        layers=[(sha(layer), History("recipe one"))], settings={}, env={"A": "1"}, labels={}, created=None
    )
    applied = AppliedRecipe(name="one", digest=sha(says), diff_id=sha(layer))
    more = AppliedRecipe(name="two", digest=sha("3"), diff_id=None)
    return replace(
        PLAIN, config=config, image_id=sha("9"), found_at="imagekit/recipes:x", recipes=(applied, more), origin=PLAIN,
        build_packages=build,
    )  # fmt: skip


def record(on: BaseImage) -> Record:
    return record_of(SPEC, on, "/opt/venv", (), file_digests={}, source_digest=None)


def test_an_image_says_which_and_its_base_is_the_one_that_is_named() -> None:
    plain, made = record(PLAIN), record(with_recipes())
    assert (made.base, made.base_layers) == (plain.base, 2)
    assert list(made.recipes) == ["one", "two"]
    assert Record.from_label(made.to_label()) == made
    assert "recipes" not in plain.to_label()
    # Another content, and the same one made of other packages, are both changes.
    assert record(with_recipes(says="4")).recipes["one"] != made.recipes["one"]
    assert record(with_recipes(layer="5")).recipes["one"] != made.recipes["one"]
    assert record(with_recipes(layer="5")).base == made.base


def test_a_lock_is_of_the_base_that_is_named() -> None:
    lock = with_base(Lock(packages=(), inputs=sha("7"), platform="linux/amd64", python="3.11.2"), with_recipes())
    assert lock.extra["base"]["config"] == PLAIN.config.digest
    assert moved(lock, with_recipes(layer="6")) is None
    assert moved(lock, PLAIN) is None


def test_what_builds_had_at_hand_decides_a_wheel() -> None:
    keys = {wheel_key("x", InBase(base=with_recipes(build=packages))) for packages in ((), ("g++",), ("g++", "make"))}
    assert len(keys) == 3


def test_a_wheel_is_kept_where_recipes_were_made_anew_and_came_to_the_same() -> None:
    made = with_recipes()
    key = wheel_key("x", InBase(base=made))
    assert wheel_key("x", InBase(base=replace(made, image_id=sha("8")))) == key
    assert wheel_key("x", InBase(base=with_recipes(layer="5"))) != key
    # Of a base that is named, the engine's ID is all that tells.
    assert wheel_key("x", InBase(base=PLAIN)) != wheel_key("x", InBase(base=replace(PLAIN, image_id=sha("8"))))


def test_it_is_kept_whole() -> None:
    values = [*vars(base_values).values(), *vars(installed).values(), ImageConfig]
    classes = {each.__name__: each for each in values if hasattr(each, "__dataclass_fields__")}
    made = with_recipes(build=("g++",))
    found = decode(encode(made), classes)
    assert found.recipes == made.recipes
    assert found.origin.config.digest == PLAIN.config.digest
    assert found.named.place == "base:1"
    assert found.named is found.origin
    assert found.place == "imagekit/recipes:x"
