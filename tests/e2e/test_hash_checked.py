"""Whatever is installed is the file that was locked: on every way in, or the build ends."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from .conftest import Imagekit, WriteProject

# A build backend without requirements of its own.
BACKEND = """
import zipfile

INFO = "sourced-1.0.dist-info"
METADATA = "Metadata-Version: 2.1\\nName: sourced\\nVersion: 1.0\\n"


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    import os
    os.makedirs(os.path.join(directory, INFO))
    open(os.path.join(directory, INFO, "METADATA"), "w").write(METADATA)
    return INFO


def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "sourced-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory + "/" + name, "w") as archive:
        archive.writestr("sourced.py", open("sourced.py").read())
        archive.writestr(INFO + "/METADATA", METADATA)
        archive.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(INFO + "/RECORD", "")
    return name
"""


def write_sdist(directory: Path, word: str) -> Path:
    files = {
        "pyproject.toml": '[project]\nname = "sourced"\nversion = "1.0"\n[build-system]\nrequires = ["alpha==1.0"]\n'
        'build-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        "sourced.py": f"WORD = {word!r}\n",
        "PKG-INFO": "Metadata-Version: 2.2\nName: sourced\nVersion: 1.0\n",
    }
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"sourced-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "sourced-1.0.tar.gz"
    path.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    return path


@pytest.fixture
def places(tmp_path: Path, wheels: Path) -> Path:
    shutil.copytree(wheels, tmp_path / "places")
    return tmp_path / "places"


@pytest.fixture
def own_cache(tmp_path: Path) -> dict[str, str]:
    """Nothing was fetched before."""
    return {"IMAGEKIT_CACHE_DIR": str(tmp_path / "cache")}


def test_a_wheel_that_is_not_the_locked_one_ends_the_build(
    imagekit: Imagekit, project: WriteProject, places: Path, own_cache: dict[str, str]
) -> None:
    root = project({"requirements.txt": f"--no-index\n--find-links {places}\nalpha==1.0\n"})
    assert imagekit("lock", root).returncode == 0
    with (places / "alpha-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"\0")
    error = imagekit.refused("build", root, env=own_cache)
    assert (error["error"], error["exit_code"]) == ("HashMismatch", 4)
    assert "alpha" in error["message"]


def test_a_source_distribution_is_held_to_its_hash_built_only_where_allowed_and_told(
    imagekit: Imagekit, project: WriteProject, places: Path, own_cache: dict[str, str]
) -> None:
    sdist = write_sdist(places, "first")
    root = project({"requirements.txt": f"--no-index\n--find-links {places}\nsourced==1.0\n"})
    refused = imagekit.refused("build", root)
    assert refused["error"] in ("NoWheel", "Unsatisfiable")
    assert "--allow-source-build sourced" in refused["hint"] or "source-builds" in refused["hint"]

    allowed = (root, "--allow-source-build", "sourced")
    name = imagekit.name()
    imagekit.json("build", *allowed, "--tag", f"{name}:1")
    assert imagekit("lock", *allowed).returncode == 0
    lock = (root / "pylock.toml").read_text()
    statement = json.loads(imagekit("provenance", f"{name}:1").stdout)
    found = {d["name"]: d for d in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    told = found["sourced-1.0.tar.gz"]
    assert told["digest"]["sha256"] in lock
    filename, sha256 = told["annotations"]["builtInto"].split()
    assert filename == "sourced-1.0-py3-none-any.whl"
    # And what it was built with, each by its hash.
    (tool,) = (d for d in found.values() if filename in d.get("annotations", {}).get("builtWithIt", ()))
    assert tool["name"] == "alpha-1.0-py3-none-any.whl"
    wheel = (places / tool["name"]).read_bytes()
    assert tool["digest"]["sha256"] == hashlib.sha256(wheel).hexdigest()
    (component,) = (c for c in json.loads(imagekit("sbom", f"{name}:1").stdout)["components"] if c["name"] == "sourced")
    assert component["hashes"] == [{"alg": "SHA-256", "content": sha256}]

    write_sdist(places, "other")
    assert sdist.exists()
    error = imagekit.refused("build", *allowed, env=own_cache)
    assert (error["error"], error["exit_code"]) == ("HashMismatch", 4)


def test_hashes_of_some_requirements_are_hashes_of_all(imagekit: Imagekit, project: WriteProject, places: Path) -> None:
    some = f"--no-index\n--find-links {places}\nalpha==1.0 --hash=sha256:{'0' * 64}\nbeta==1.0\n"
    error = imagekit.refused("build", project({"requirements.txt": some}), env={"IMAGEKIT_ENGINE": "unix:///nowhere"})
    assert "hash" in error["message"]


def test_a_hash_that_no_file_has_is_a_mismatch(imagekit: Imagekit, project: WriteProject, places: Path) -> None:
    wrong = f"--no-index\n--find-links {places}\nalpha==1.0 --hash=sha256:{'0' * 64}\n"
    error = imagekit.refused("build", project({"requirements.txt": wrong}))
    assert error["error"] == "HashMismatch"


def test_a_kept_file_that_was_changed_is_not_used(
    imagekit: Imagekit, project: WriteProject, places: Path, own_cache: dict[str, str]
) -> None:
    root = project({"requirements.txt": f"--no-index\n--find-links {places}\nalpha==1.0\n"})
    words = ("build", root, "--tag", f"{imagekit.name()}:1")
    first = imagekit.json(*words, env=own_cache)
    cache = Path(own_cache["IMAGEKIT_CACHE_DIR"])
    changed = [path for path in (cache / "wheels").rglob("*.whl") if path.is_file()]
    assert changed
    for path in changed:
        path.write_bytes(path.read_bytes()[:-1] + b"\1")
    shutil.rmtree(cache / "layers")
    again = imagekit.json(*words, "--no-cache", env=own_cache)
    # From the locked file, and never of what lay there.
    assert [layer["digest"] for layer in again["layers"]] == [layer["digest"] for layer in first["layers"]]
