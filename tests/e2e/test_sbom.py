"""Bills of materials that are equal to what an image has installed, and provenance, wherever the image is."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from ..own_registry import OwnRegistry
from . import bases
from .conftest import Imagekit, Inside, WriteProject
from .test_outputs import NO_ENGINE, base_layout, skopeo
from .wheels import write_wheel

__all__ = ["base_layout"]
SEEN = (
    "import importlib.metadata as m, re, sys\n"
    "for d in m.distributions(path=[p for p in sys.path if p.startswith('/usr') or p.startswith('/opt')]):\n"
    "    print(re.sub(r'[-_.]+', '-', d.metadata['Name']).lower(), d.version)\n"
)
DPKG = "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version} ${db:Status-Status}\\n"


def requirements(root: Path, no_index: str, *lines: str) -> Path:
    (root / "requirements.txt").write_text(no_index + "".join(f"{line}\n" for line in lines))
    (root / "flow.py").write_text(f"WORD = {secrets.token_hex(8)!r}\n")
    return root


def sbom(imagekit: Imagekit, *words: object, **more: Any) -> Any:
    done = imagekit("sbom", *words, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def python_packages(document: Any) -> set[tuple[str, str]]:
    return {(c["name"], c["version"]) for c in document["components"] if c.get("purl", "").startswith("pkg:pypi/")}


def installed(inside: Inside, image: str, *pythons: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for python in pythons:
        for line in inside(image, python, "-I", "-c", SEEN).splitlines():
            name, _, version = line.partition(" ")
            found.add((name, version))
    return found


def test_it_is_equal_to_what_is_installed(
    imagekit: Imagekit, inside: Inside, project: WriteProject, no_index: str, tmp_path: Path
) -> None:
    root = project(
        {
            "pyproject.toml": '[project]\nname = "Own.Orders"\nversion = "0.3"\nlicense = "MIT"\n'
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
            "own_orders.py": f"WORD = {secrets.token_hex(8)!r}\n",
        }
    )
    requirements(root, no_index, "beta==1.0")
    name = imagekit.name()
    imagekit.json("build", root, "-r", root / "requirements.txt", "--tag", f"{name}:1")
    document = sbom(imagekit, f"{name}:1")
    pythons = installed(inside, f"{name}:1", "python", "/usr/bin/python3")
    assert python_packages(document) == pythons
    assert {("own-orders", "0.3"), ("beta", "1.0")} <= pythons

    lines = inside(f"{name}:1", "dpkg-query", "--show", f"--showformat={DPKG}").splitlines()
    system = {tuple(line.split()[:5]) for line in lines if line.endswith(" installed")}
    found = set()
    for component in document["components"]:
        if component.get("purl", "").startswith("pkg:deb/"):
            architecture = component["purl"].partition("arch=")[2].partition("&")[0]
            (source,) = component["properties"]
            found.add((component["name"], component["version"], architecture, *source["value"].split()))
    assert found == system

    (python,) = (c for c in document["components"] if c["name"] == "python" and c["type"] == "application")
    assert (
        python["version"]
        == inside(f"{name}:1", "python", "-c", "import platform as p; print(p.python_version())").strip()
    )
    (distro,) = (c for c in document["components"] if c["type"] == "operating-system")
    release = dict(line.split("=", 1) for line in inside(f"{name}:1", "cat", "/etc/os-release").splitlines())
    assert (distro["name"], distro["version"]) == (release["ID"], release["VERSION_ID"].strip('"'))

    spdx = sbom(imagekit, f"{name}:1", "--format", "spdx")
    purls = {ref["referenceLocator"] for p in spdx["packages"] for ref in p.get("externalRefs") or ()}
    assert purls >= {c["purl"] for c in document["components"] if c.get("purl")}
    # The same again, by another process and of a file.
    file = tmp_path / "orders.cdx.json"
    said = imagekit("sbom", f"{name}:1", "--output", file)
    assert json.loads(file.read_text()) == document
    assert f"{len(pythons)} Python packages" in said.stdout


def test_wheels_are_told_with_their_hashes(imagekit: Imagekit, project: WriteProject, no_index: str) -> None:
    root = requirements(project({"a.txt": ""}), no_index, "beta==1.1")
    name = imagekit.name()
    imagekit.json("build", root, "--tag", f"{name}:1")
    assert imagekit("lock", root).returncode == 0
    lock = (root / "pylock.toml").read_text()
    found = {c["name"]: c for c in sbom(imagekit, f"{name}:1")["components"]}
    for package in ("alpha", "beta"):
        ((entry),) = found[package]["hashes"]
        assert entry["content"] in lock
        # A wheel of this machine is nowhere that others could look.
        assert "externalReferences" not in found[package]


def test_what_a_base_brings_is_there_and_what_is_replaced_is_not(
    imagekit: Imagekit, inside: Inside, engine: Engine, wheels: Path, project: WriteProject, no_index: str,
    python_image: str, tmp_path: Path,
) -> None:  # fmt: skip
    write_wheel(tmp_path / "more", "gamma", "7", {"gamma.py": "", "other/_vendor/delta-1.0.dist-info/METADATA": "x"})
    for wheel in wheels.glob("*.whl"):
        (tmp_path / "more" / wheel.name).write_bytes(wheel.read_bytes())
    base = bases.build(
        engine.address, f"FROM {python_image}\n{bases.install('alpha==1.0', 'gamma')}", tmp_path / "more", tmp_path
    )
    root = requirements(project({"a.txt": ""}), no_index, "alpha==2.0")
    name = imagekit.name()
    imagekit.json("build", root, "--tag", f"{name}:1", "--base-image", base)
    found = python_packages(sbom(imagekit, f"{name}:1"))
    assert found == installed(inside, f"{name}:1", "python3")
    assert ("alpha", "2.0") in found
    assert ("gamma", "7") in found
    assert not {("alpha", "1.0"), ("delta", "1.0")} & found
    engine.remove_image(base, force=True)


def test_a_project_s_is_its_image_s(imagekit: Imagekit, project: WriteProject, no_index: str) -> None:
    root = requirements(project({"a.txt": ""}), no_index, "beta==2.0")
    before = sbom(imagekit, root)
    built = imagekit.json("build", root)
    assert sbom(imagekit, built["reference"]) == before
    assert before["metadata"]["component"]["version"] == built["digest"]


def test_attached_documents_leave_the_image_as_it_is(
    imagekit: Imagekit, shared_registry: OwnRegistry, project: WriteProject, no_index: str, tmp_path: Path
) -> None:
    root = requirements(project({"a.txt": ""}), no_index, "beta==1.0")
    plain, attested = (f"{shared_registry.name}/{imagekit.name(word)}:v1" for word in ("plain", "attested"))
    built = imagekit.json("build", root, "--tag", attested)
    engine_sbom = sbom(imagekit, attested)
    subprocess.run(["docker", "tag", attested, plain], check=True)
    first, second = imagekit.json("push", plain), imagekit.json("push", attested, "--attest")
    assert first["digest"] == second["digest"]
    assert first["attached"] == []
    assert second["attached"] == ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]
    # Once more changes nothing.
    assert imagekit.json("push", attested, "--attest")["digest"] == first["digest"]
    skopeo("copy", "--src-tls-verify=false", f"docker://{attested}", f"oci:{tmp_path / 'copied'}:v1")

    subprocess.run(["docker", "rmi", "--force", attested, plain], check=True, capture_output=True)
    empty = {"IMAGEKIT_CACHE_DIR": str(tmp_path / "cache")}
    plain_sbom = sbom(imagekit, plain, env=empty)
    assert python_packages(plain_sbom) == python_packages(engine_sbom)
    assert all("hashes" not in c for c in plain_sbom["components"])
    read = sbom(imagekit, attested, env=empty)
    assert read["metadata"]["component"]["version"] == first["digest"]
    assert read["components"] == engine_sbom["components"]
    statement = json.loads(imagekit("provenance", attested, env=empty).stdout)
    assert statement["subject"][0]["digest"] == {"sha256": first["digest"].removeprefix("sha256:")}
    lock = statement["predicate"]["buildDefinition"]["internalParameters"]["lockDigest"]
    assert lock == built["lock_digest"]
    refused = imagekit.refused("provenance", plain, env=empty)
    assert "not known here" in refused["message"]


@pytest.mark.soak
def test_without_an_engine_into_a_registry_and_a_layout(
    imagekit: Imagekit, shared_registry: OwnRegistry, project: WriteProject, no_index: str, base_layout: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    root = requirements(project({"a.txt": ""}), no_index, "alpha==1.1")
    plain, attested = (f"{shared_registry.name}/{imagekit.name(word)}:v1" for word in ("plain", "attested"))
    words = ("build", root, "--base-image", base_layout, "-o", "registry")
    one = imagekit.json(*words, "-o", f"oci:{tmp_path / 'plain'}", "--tag", plain, env=NO_ENGINE)
    two = imagekit.json(*words, "-o", f"oci:{tmp_path / 'with'}", "--tag", attested, "--attest", env=NO_ENGINE)
    assert {each["digest"] for each in (*one["written"], *two["written"])} == {one["written"][0]["digest"]}

    layout = tmp_path / "with"
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    assert [entry.get("artifactType") for entry in entries] == [
        None, "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"
    ]  # fmt: skip
    skopeo("copy", f"oci:{layout}:{attested}", f"oci:{tmp_path / 'copied'}:v1")
    # It can be built on, and named by nothing but its directory.
    documents = [sbom(imagekit, f"oci:{layout}", env=NO_ENGINE), sbom(imagekit, attested, env=NO_ENGINE)]
    assert documents[0] == documents[1]
    assert ("alpha", "1.1") in python_packages(documents[0])
    assert python_packages(sbom(imagekit, f"oci:{tmp_path / 'plain'}", env=NO_ENGINE)) == python_packages(documents[0])
    statements = [imagekit("provenance", where, env=NO_ENGINE).stdout for where in (f"oci:{layout}", attested)]
    assert statements[0] == statements[1] != ""
    # Written again it is the same, and no more.
    imagekit.json(*words, "-o", f"oci:{layout}", "--tag", attested, "--attest", env=NO_ENGINE)
    assert json.loads((layout / "index.json").read_text())["manifests"] == entries


def test_provenance_tells_the_commit_and_whether_it_is_all(
    imagekit: Imagekit, project: WriteProject, no_index: str
) -> None:
    root = requirements(project({".gitignore": "*.pyc\n"}), no_index, "alpha==1.0")
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    secret = secrets.token_hex(8)

    def repository() -> Any:
        done = imagekit("provenance", root, env={"IMAGEKIT_BUILD_NOTE": secret})
        assert done.returncode == 0, done.stderr
        assert secret not in done.stdout
        assert str(root) not in done.stdout
        found = json.loads(done.stdout)["predicate"]["buildDefinition"]["resolvedDependencies"]
        return next(each for each in found if each["name"] == "repository")

    assert repository() == {
        "name": "repository",
        "digest": {"gitCommit": commit},
        "annotations": {"workingTree": "clean", "isExact": True},
    }
    (root / "flow.py").write_text("CHANGED = 1\n")
    assert repository()["annotations"] == {"workingTree": "dirty", "isExact": False}


def test_arguments_are_told_by_name(imagekit: Imagekit, project: WriteProject, no_index: str) -> None:
    root = requirements(project({"settings.yml": secrets.token_hex(8)}), no_index, "alpha==1.0")
    name, canary = imagekit.name(), secrets.token_hex(12)
    imagekit.json(
        "build", root, "--tag", f"{name}:1", "--env", f"PLACE={canary}", "--label", f"team={canary}",
        "--file", "settings.yml=/etc/orders/settings.yml",
    )  # fmt: skip
    text = imagekit("provenance", f"{name}:1").stdout
    parameters = json.loads(text)["predicate"]["buildDefinition"]["externalParameters"]["parameters"]
    assert {"env:PLACE", "label:team", "file:/etc/orders/settings.yml"} <= set(parameters)
    assert canary not in text + imagekit("sbom", f"{name}:1").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sbom", "--format", "spd", "x:1"), "--format 'spd' is unknown"),
        (("sbom", "orders:a b"), "not an image reference"),
        (("sbom", "x:1", "--package", "rich"), "--package goes with a project, and x:1 is an image"),
        (("sbom", "x:1", "--allow-source-build", "rich"), "--allow-source-build goes with a project"),
        (("sbom", "oci:/nowhere/layout"), "is no OCI image layout"),
        (("sbom", "127.0.0.1:1/x:1"), "127.0.0.1:1/x:1 can be asked of no engine; reading the manifest"),
    ],
)
def test_what_cannot_be_meant_is_refused(imagekit: Imagekit, words: tuple[str, ...], said: str) -> None:
    assert said in imagekit.refused(*words, env=NO_ENGINE)["message"]
