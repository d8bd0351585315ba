"""A base image that is held by its digest, and one whose tag moves."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import find_image
from imagekit.oci.config import ImageConfig
from imagekit.oci.platform import Platform

from ..own_registry import OwnRegistry
from .conftest import Imagekit, WriteProject
from .test_outputs import NO_ENGINE, base_layout, skopeo

__all__ = ["base_layout"]


@pytest.fixture
def move(shared_registry: OwnRegistry, base_layout: str, tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    """``move(WORD)``: a tag names a base with the label ``generation=WORD`` from now on; its name and digest."""
    directory = Path(base_layout.removeprefix("oci:").partition(":")[0])
    found = find_image(directory, None, Platform.host())
    name = f"{shared_registry.name}/bases/{secrets.token_hex(4)}:1"

    def put(word: str) -> tuple[str, str]:
        document = {**found.config.document}
        document["config"] = {**document["config"], "Labels": {"generation": word}}
        content = replace(found.content, config=ImageConfig(document))
        layout = tmp_path / f"base-{word}"
        digest = write_layout([content], layout, "base")
        skopeo("copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:base", f"docker://{name}")
        return name, digest

    return put


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": f"WORD = {secrets.token_hex(8)!r}\n"})


def labels_of(layout: Path) -> Mapping[str, Any]:
    labels: Mapping[str, Any] = skopeo("inspect", "--config", f"oci:{layout}")["config"]["Labels"]
    return labels


def test_a_moved_tag_is_told_refused_when_frozen_and_taken(
    imagekit: Imagekit, move: Callable[[str], tuple[str, str]], root: Path, tmp_path: Path
) -> None:
    name, first = move("first")
    words = ("build", root, "--base-image", name, "--tag", f"{imagekit.name()}:1")
    frozen = (*words, "--frozen", "-o", f"oci:{tmp_path / 'frozen'}")

    without = imagekit.refused(*frozen, env=NO_ENGINE)
    assert (without["error"], without["exit_code"]) == ("StaleLock", 4)
    assert "there is no lock" in without["message"]

    assert imagekit("lock", root, "--base-image", name, env=NO_ENGINE).returncode == 0
    lock = (root / "pylock.toml").read_text()
    assert f'image = "{name}"' in lock
    assert f'digest = "{first}"' in lock
    still = imagekit(*frozen, env=NO_ENGINE)
    assert still.returncode == 0
    assert "moved since" not in still.stderr

    _, second = move("second")
    line = f"{name} moved since the lock: {first} → {second}; imagekit lock --upgrade-base takes it"
    told = imagekit(*words, "-o", f"oci:{tmp_path / 'told'}", env=NO_ENGINE)
    assert told.returncode == 0
    assert line in told.stderr.splitlines()
    assert labels_of(tmp_path / "told")["generation"] == "second"
    refused = imagekit.refused(*frozen, env=NO_ENGINE)
    assert (refused["error"], refused["message"]) == ("StaleLock", line)
    by_setting = imagekit.refused(*words, "-o", f"oci:{tmp_path / 'x'}", env={**NO_ENGINE, "IMAGEKIT_FROZEN": "true"})
    assert by_setting["message"] == line

    taken = imagekit("lock", root, "--base-image", name, "--upgrade-base", env=NO_ENGINE)
    assert f"{name} moved since the lock: {first} → {second}" in taken.stderr
    assert f'digest = "{second}"' in (root / "pylock.toml").read_text()
    assert imagekit(*frozen, env=NO_ENGINE).returncode == 0


def test_a_pinned_digest_wins_over_its_tag_without_an_engine(
    imagekit: Imagekit, move: Callable[[str], tuple[str, str]], root: Path, tmp_path: Path
) -> None:
    name, first = move("first")
    (root / "imagekit.toml").write_text(f'# ours\nbase-image = "{name}" # the team\'s\nenv = {{ TZ = "UTC" }}\n')
    pinned = imagekit.json("base", "pin", root, env=NO_ENGINE)
    assert pinned == {"base_image": f"{name}@{first}", "file": str(root / "imagekit.toml")}
    text = f'# ours\nbase-image = "{name}@{first}" # the team\'s\nenv = {{ TZ = "UTC" }}\n'
    assert (root / "imagekit.toml").read_text() == text
    assert imagekit.json("base", "pin", root, env=NO_ENGINE)["file"] is None

    move("second")
    for out in ("registry", "again"):
        words = ("build", root, "--tag", f"{imagekit.name()}:1", "-o", f"oci:{tmp_path / out}")
        made = imagekit.json(*words, env=NO_ENGINE)
        assert labels_of(tmp_path / out)["generation"] == "first"
        assert made["images"][0]["base"] == f"{name}@{first}"
    statement = json.loads(imagekit("provenance", root, env=NO_ENGINE).stdout)
    (base, *_) = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert base["digest"]["sha256"] == first.removeprefix("sha256:")
    assert base["annotations"]["digestOf"] == "manifest"


def test_a_pinned_digest_wins_in_the_engine(
    imagekit: Imagekit, engine: Engine, move: Callable[[str], tuple[str, str]], root: Path
) -> None:
    name, first = move("first")
    (root / "pyproject.toml").write_text(
        f'[project]\nname = "x"\nversion = "1"\n\n# what we are on\n[tool.imagekit]\nbase-image = "{name}"\n'
        'workdir = "/srv"\n'
    )
    tag = f"{imagekit.name()}:1"
    imagekit.json("build", root, "--tag", tag)
    assert imagekit.json("base", "pin", root)["base_image"] == f"{name}@{first}"
    assert "# what we are on\n[tool.imagekit]" in (root / "pyproject.toml").read_text()

    _, second = move("second")
    subprocess.run(["docker", "pull", "--quiet", name], check=True, capture_output=True)
    imagekit.json("build", root, "--tag", tag)
    found = engine.image(tag)
    assert found is not None
    assert found.labels["generation"] == "first"
    # Whom the engine does not know any more, it pulls by the digest.
    engine.remove_image(tag, force=True)
    engine.remove_image(f"{name.rpartition(':')[0]}@{first}", force=True)
    imagekit.json("build", root, "--tag", tag, "--no-cache")
    found = engine.image(tag)
    assert found is not None
    assert found.labels["generation"] == "first"

    newest = imagekit.json("base", "pin", root, "--base-image", name, "--newest")
    assert newest["base_image"] == f"{name}@{second}"
    for digest in (first, second):
        engine.remove_image(f"{name.rpartition(':')[0]}@{digest}", force=True)
    engine.remove_image(name, force=True)


def test_the_newest_is_what_the_registry_has(
    imagekit: Imagekit, engine: Engine, move: Callable[[str], tuple[str, str]], root: Path
) -> None:
    name, first = move("first")
    assert imagekit("lock", root, "--base-image", name).returncode == 0
    subprocess.run(["docker", "pull", "--quiet", name], check=True, capture_output=True)
    _, second = move("second")
    # The engine's is taken, until it is asked for more.
    assert imagekit("lock", root, "--base-image", name).returncode == 0
    assert first in (root / "pylock.toml").read_text()
    assert imagekit("lock", root, "--base-image", name, "--upgrade-base").returncode == 0
    assert second in (root / "pylock.toml").read_text()
    engine.remove_image(name, force=True)


def test_what_is_in_no_registry_has_no_digest(
    imagekit: Imagekit, engine: Engine, python_image: str, root: Path
) -> None:
    own = f"{imagekit.name()}:1"
    found = engine.image(python_image)
    assert found is not None
    engine.tag(found.id, own)
    error = imagekit.refused("base", "pin", root, "--base-image", own)
    assert error["error"] == "BaseNotFound"
    assert "has no digest" in error["message"]
    # Its lock knows it all the same.
    assert imagekit("lock", root, "--base-image", own).returncode == 0
    assert f'image = "{own}"\nconfig = "sha256:' in (root / "pylock.toml").read_text()
