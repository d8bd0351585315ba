"""What is read of a base, once; and bases that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import LABEL_KIND, LABEL_OWNER, owner
from imagekit.errors import BaseNotFound, BaseUnusable
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.stages.probe import find_base, read_base

BuildImage = Callable[[str, Mapping[str, str]], str]


def _read(engine: Engine, image_id: str, cache: Path) -> Any:
    return read_base(engine, "the-base", image_id, cache, SilentReporter())


@pytest.fixture(autouse=True)
def _no_probe_is_left(engine: Engine) -> Iterator[None]:
    yield
    # Of this process: other workers of the tests may be reading a base.
    ours = [f"{LABEL_KIND}=probe", f"{LABEL_OWNER}={owner()}"]
    assert engine.api.containers(all=True, filters={"label": ours}) == []


def test_a_base_as_it_is(engine: Engine, python_image: str, build_image: BuildImage, tmp_path: Path) -> None:
    image_id = build_image(
        f"FROM {python_image}\nUSER 0\nRUN mkdir -m 1770 /special && chown 7:8 /special && ln -s special /linked\n", {}
    )
    base = _read(engine, image_id, tmp_path)
    image = engine.image(image_id)
    assert image is not None
    assert base.config.diff_ids == image.diff_ids
    assert ("/special", 0o1770, 7, 8) in base.directories
    assert ("/linked", "/special") in base.links
    assert base.passwd.startswith("root:")
    assert base.python.version.startswith(f"{base.python.minor}.")
    assert len(base.layers) == len(base.config.diff_ids)


def test_the_second_time_no_container_is_made(engine: Engine, python_image: str, tmp_path: Path) -> None:
    image = engine.image(python_image)
    assert image is not None
    first = _read(engine, image.id, tmp_path)
    dead = Engine("unix:///dead.sock")  # every call would fail
    assert _read(dead, image.id, tmp_path) == first


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 0}'])
def test_a_damaged_record_is_made_again(engine: Engine, python_image: str, damage: bytes, tmp_path: Path) -> None:
    image = engine.image(python_image)
    assert image is not None
    first = _read(engine, image.id, tmp_path)
    (kept,) = (tmp_path / "bases").glob("*.json")
    kept.write_bytes(damage)
    assert _read(engine, image.id, tmp_path) == first


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM scratch\nCOPY file /file\n", "no Python that starts"),
        ("FROM scratch\nCOPY --chmod=755 file /bin/python3\nENV PATH=/bin\n", "no Python that starts"),
        ("FROM {python}\nONBUILD RUN true\n", "ONBUILD"),
    ],
)
def test_bases_that_are_none(
    dockerfile: str, words: str, engine: Engine, python_image: str, build_image: BuildImage, tmp_path: Path
) -> None:
    image_id = build_image(
        dockerfile.replace("{python}", python_image).replace("--chmod=755 ", ""), {"file": "no program\n"}
    )
    with pytest.raises(BaseUnusable, match=words) as caught:
        _read(engine, image_id, tmp_path)
    assert caught.value.hint


def test_a_base_that_prints_when_python_starts(
    engine: Engine, python_image: str, build_image: BuildImage, tmp_path: Path
) -> None:
    image = engine.image(python_image)
    assert image is not None
    minor = _read(engine, image.id, tmp_path).python.minor
    talks = f"/usr/lib/python{minor}/sitecustomize.py"
    image_id = build_image(
        f"FROM {python_image}\nUSER 0\nRUN rm -f {talks}\nCOPY talks.py {talks}\n", {"talks.py": "print('{hello}')\n"}
    )
    assert _read(engine, image_id, tmp_path).python.minor == minor


def test_an_unknown_image(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BaseNotFound) as caught:
        find_base(engine, "localhost:1/no/such:image", "3.11", Platform.host(), tmp_path, SilentReporter())
    assert "base build" in (caught.value.hint or "")
