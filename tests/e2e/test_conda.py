"""An image with conda's packages, built from a channel of this machine: a Python that runs, and wheels on top."""

from __future__ import annotations

import json
import secrets
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import find_image
from imagekit.oci.content import ImageContent
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.recall.look import Recalled, recall
from imagekit.stages.layer_stream import layer_tar
from imagekit.stages.probe import find_base

from ..base_blobs import base_blobs
from ..conda.channel import PLACEHOLDER, Link, Package, module_package, python_package, write_channel
from ..conftest import BuildImage
from .conftest import Imagekit, Inside, WriteProject, own_flow

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("conda")

MATRIX = """
name = "{name}"
python = ["3.11"]
flavor = ["conda"]
[framework]
package = "alpha"
versions = ["1.0", "1.1"]
[[category]]
name = "full"
requirements = ["{{framework}}", "beta"]
[conda]
channels = ["{channel}"]
packages = ["{native}", "{module}"]
[[tag]]
name = "{{version}}-python{{python}}{{-flavor}}"
"""


class Channel:
    """A channel with a Python, a package with a prefix in it, and a noarch one; the names are nobody else's."""

    def __init__(self, directory: Path, python: Package) -> None:
        self.directory, self.python = directory, python
        self.native, self.module = (f"{kind}{secrets.token_hex(4)}" for kind in ("native", "module"))
        self.url = self.write("1.0")

    def write(self, *versions: str) -> str:
        native = Package(
            name=self.native,
            version="2.0",
            files={
                f"bin/{self.native}": f"#!{PLACEHOLDER}/bin/python\nimport sys\nprint(sys.prefix)\n",
                f"lib/{self.native}.so": b"\x7fELF" + PLACEHOLDER.encode() + b"/lib\0" + self.native.encode(),
                f"lib/{self.native}-link.so": Link(f"{self.native}.so"),
                f"bin/.{self.native}-post-link.sh": "exit 1\n",
                "share/both.txt": "native's\n",
            },
            executable=frozenset({f"bin/{self.native}"}),
            prefixed={f"bin/{self.native}": "text", f"lib/{self.native}.so": "binary"},
            depends=("python",),
            legacy=True,
        )
        modules = [module_package(self.module, version, files={"share/both.txt": "module's\n"}) for version in versions]
        return write_channel(self.directory, [self.python, native, *modules])

    def derived(self, engine: Engine) -> list[str]:
        """The bases that have been made of its packages, by their IDs."""
        found = []
        for image in engine.api.images(name="imagekit/derived"):
            history = " ".join(entry["CreatedBy"] for entry in engine.api.history(image["Id"]))
            if self.native in history or self.module in history:
                found.append(image["Id"])
        return found


@pytest.fixture(scope="session")
def conda_python(engine: Engine, python_image: str) -> Package:
    return python_package(python_image)


@pytest.fixture
def channel(tmp_path: Path, conda_python: Package, engine: Engine) -> Iterator[Channel]:
    found = Channel(tmp_path / "channel", conda_python)
    yield found
    for image in found.derived(engine):
        engine.remove_image(image, force=True)


def test_a_cell_of_the_conda_flavor(
    imagekit: Imagekit, engine: Engine, channel: Channel, wheels: Path, tmp_path: Path, inside: Inside
) -> None:
    """Labelled, built, run, its check passed; and nothing is made the second time."""
    matrix = tmp_path / "alpha.toml"
    matrix.write_text(
        MATRIX.format(name=imagekit.name(), channel=channel.url, native=channel.native, module=channel.module)
    )
    imagekit.env |= {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1"}
    one = ("--select", "1.1-python3.11-conda-full")
    # To plan it, nothing is made of conda's packages.
    (planned,) = imagekit.json("matrix", "plan", matrix, *one)["cells"]
    assert not channel.derived(engine)
    built = imagekit.json("matrix", "build", matrix, *one)
    (cell,) = built["cells"]
    assert (cell["state"], cell["tags"]) == ("built", ["1.1-python3.11-conda"]), cell["error"]
    assert (planned["state"], planned["packages"]) == ("ready", cell["packages"])
    reference = f"{built['name']}:1.1-python3.11-conda"
    image = engine.image(reference)
    assert image is not None
    assert image.labels["imagekit.matrix.cell"] == "1.1-python3.11-conda-full"
    program = (
        f"import sys, alpha, beta, {channel.module} as m; print(sys.prefix, alpha.__file__, m.__cached__, m.VERSION)"
    )
    site = "/opt/conda/lib/python3.11/site-packages"
    assert inside(reference, "python", "-c", program).split() == [
        *("/opt/conda", f"{site}/alpha/__init__.py"),
        *(f"{site}/__pycache__/{channel.module}.cpython-311.pyc", "1.0"),
    ]
    assert inside(reference, channel.native).strip() == "/opt/conda"
    assert inside(reference, channel.module).split() == [channel.module, "1.0"]
    assert inside(reference, "sh", "-c", "echo $CONDA_PREFIX; id -u; cat /opt/conda/share/both.txt").split() == [
        *("/opt/conda", "1000", "module's")
    ]
    again = imagekit.json("matrix", "build", matrix, *one)
    assert again["cells"][0]["state"] == "unchanged"
    assert channel.derived(engine)
    # The other release lies on the same packages of conda's.
    other = imagekit.json("matrix", "build", matrix, "--select", "1.0-*")["cells"][0]
    assert other["state"] == "built", other["error"]
    below = [engine.image(f"{built['name']}:{version}-python3.11-conda") for version in ("1.0", "1.1")]
    first, second = (each.diff_ids for each in below if each is not None)
    assert [a == b for a, b in zip(first, second, strict=True)].count(False) == 1


def test_a_project(imagekit: Imagekit, channel: Channel, wheels: Path, project: WriteProject, inside: Inside) -> None:
    """What locks, plans, bills of materials and ``why`` tell of conda's packages, and what is said of them."""
    root = project(
        {
            "environment.yml": f"name: {imagekit.name()}\nchannels: ['{channel.url}', nodefaults]\ndependencies:\n"
            f"  - python=3.11\n  - {channel.native}\n  - {channel.module}\n"
            f"  - pip:\n    - alpha==1.1\n    - --no-index\n    - --find-links {wheels}\n",
            "flow.py": f"def etl():\n    import alpha, {channel.module} as m\n    return [alpha.VERSION, m.VERSION]\n",
        }
    )
    tag = imagekit.name()
    done = imagekit("build", root, "--tag", f"{tag}:1", "--verbose")
    assert done.returncode == 0, done.stderr
    assert (
        f"share/both.txt in {channel.native}=2.0=0 and {channel.module}=1.0=py_0: the latter's is used" in done.stderr
    )
    assert f"bin/.{channel.native}-post-link.sh): it is not run here" in done.stderr
    planned = imagekit.json("plan", root)
    pins = [f"{channel.module}=1.0=py_0", f"{channel.native}=2.0=0", "python=3.11.2=0_cpython"]
    assert planned["base"]["conda"] == sorted(pins)
    assert planned["prefix"] == "/opt/conda"
    layers = imagekit.json("inspect", f"{tag}:1")["layers"]
    assert {pin for layer in layers for pin in layer["packages"]} >= {*pins, "alpha==1.1"}
    assert imagekit.json("run", "flow.py:etl", "--image", f"{tag}:1", cwd=root)["result"] == ["1.1", "1.0"]
    bill = imagekit.json("sbom", f"{tag}:1")
    purls = {each.get("purl") for each in bill["components"]}
    assert f"pkg:conda/{channel.native}@2.0?build=0&channel=channel&subdir=linux-64&type=tar.bz2" in purls
    # conda's own record of what is there.
    listed = inside(f"{tag}:1", "sh", "-c", "cd /opt/conda/conda-meta && ls *.json && head -c 3 history").split()
    assert listed == [*sorted(f"{pin.replace('=', '-')}.json" for pin in pins), "==>"]

    locked = imagekit.json("lock", root)
    assert [f"{p['name']}={p['version']}={p['build']}" for p in locked["conda"]] == sorted(pins)
    assert imagekit("lock", root, "--check").returncode == 0
    channel.write("1.0", "2.0")
    assert [p["version"] for p in imagekit.json("lock", root)["conda"]] == [p["version"] for p in locked["conda"]]
    imagekit.json("lock", root, "--upgrade")
    why = imagekit.json("why", root, "--tag", f"{tag}:1")
    moved = [change for change in why["inputs"] if change["input"] == "conda"]
    assert moved == [
        {"input": "conda", "name": channel.module, "change": "changed", "before": "1.0 py_0", "after": "2.0 py_0"}
    ]
    stale = (root / "environment.yml").read_text().replace(f"  - {channel.native}\n", "")
    (root / "environment.yml").write_text(stale)
    refused = imagekit.refused("build", root)
    assert (refused["error"], "another environment" in refused["message"]) == ("StaleLock", True)


def test_the_same_again(
    imagekit: Imagekit,
    engine: Engine,
    channel: Channel,
    wheels: Path,
    python_image: str,
    build_image: BuildImage,
    project: WriteProject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Remembered as other builds are, until anything that decides it is another."""
    base = build_image(f"FROM {python_image}\nENV IT={secrets.token_hex(8)}\n", {})
    root = project(
        {
            "environment.yml": f"channels: ['{channel.url}', nodefaults]\ndependencies:\n  - python=3.11\n"
            f"  - {channel.module}\n  - pip:\n    - alpha==1.1\n    - --no-index\n    - --find-links {wheels}\n",
            "imagekit.toml": f'base-image = "{base}"\nconda-channel-priority = "strict"\n',
            "flow.py": own_flow(),
        }
    )
    imagekit.json("lock", root)
    words = ["build", str(root), "--tag", f"{imagekit.name()}:1", "--json"]
    monkeypatch.chdir(imagekit.cwd)

    def build() -> tuple[Any, bool]:
        """What it came to, and whether the project was read for it."""
        # What is younger than the clock's tick when a build begins is not remembered.
        time.sleep(0.05)
        done = imagekit(*words, env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), "imagekit.spec.read" in done.stderr

    def recalled() -> Recalled | None:
        return recall(words, {**imagekit.env, "PYTHONPROFILEIMPORTTIME": "1"})

    first, _ = build()
    again, has_read = build()
    assert not has_read
    assert (again["image_id"], again["up_to_date"]) == (first["image_id"], True)
    (root / "flow.py").write_text(own_flow())
    edited, has_read = build()
    assert not has_read
    assert [layer["title"] for layer in edited["layers"] if not layer["cached"]] == ["source"]
    assert edited["lock_digest"] == first["lock_digest"]

    known = recalled()
    assert known is not None
    # Of each of these any change at all ends it: tests/recall.
    names = ("environment.yml", "pylock.toml", "imagekit.toml")
    assert {str(root / name) for name in names} <= set(known.record.sights.files)
    # What conda's packages lie on, and what stands with them.
    (derived,) = (name for name in known.record.bases if name != base)
    assert derived.startswith("imagekit/derived:")
    for name in (base, derived):
        there = engine.image(name)
        assert there is not None
        engine.tag(python_image, name)
        assert recalled() is None
        engine.tag(there.id, name)
        assert recalled() is not None

    (root / "imagekit.toml").write_text(f'base-image = "{base}"\nconda-channel-priority = "flexible"\n')
    assert imagekit.refused(*words[:-1])["error"] == "StaleLock"
    (root / "pylock.toml").unlink()
    channel.write("1.0", "2.0")
    (root / "environment.yml").write_text(
        (root / "environment.yml").read_text().replace(channel.module, f"{channel.module}=2.0")
    )
    moved, has_read = build()
    assert has_read
    assert moved["lock_digest"] != first["lock_digest"]


@pytest.mark.soak
def test_a_base_without_a_python(
    imagekit: Imagekit,
    engine: Engine,
    channel: Channel,
    python_image: str,
    build_image: BuildImage,
    project: WriteProject,
    inside: Inside,
) -> None:
    base = build_image(
        f"FROM {python_image}\nRUN rm -rf /usr/bin/python* /usr/lib/python3* /usr/local/bin/python*\n", {}
    )
    root = project({"flow.py": own_flow()})
    table = f'base-image = "{base}"\nconda-channels = ["{channel.url}"]\n'
    (root / "imagekit.toml").write_text(f'{table}conda = ["python=3.11", "{channel.module}"]\n')
    built = imagekit.json("build", root, "--name", imagekit.name())
    program = f"import sys, {channel.module} as m; print(sys.executable, m.__cached__.rpartition('/')[2])"
    pyc = f"{channel.module}.cpython-311.pyc"
    assert inside(built["reference"], "python", "-c", program).split() == ["/opt/conda/bin/python", pyc]
    assert built["base"] == base
    # What the modules were compiled in is gone: all that stands has them.
    below = engine.image(base)
    assert below is not None
    standing = [found for tag in engine.tags("imagekit/derived") if (found := engine.image(tag)) is not None]
    on_it = [found for found in standing if found.diff_ids[: len(below.diff_ids)] == below.diff_ids]
    assert [len(found.diff_ids) - len(below.diff_ids) for found in on_it] == [3]
    (root / "imagekit.toml").write_text(f'{table}conda = ["tool"]\n')
    write_channel(channel.directory, [Package("tool")])
    refused = imagekit.refused("build", root, "--name", imagekit.name())
    assert (refused["error"], "has a Python" in refused["message"]) == ("BaseUnusable", True), refused


def test_without_an_engine(
    imagekit: Imagekit,
    engine: Engine,
    channel: Channel,
    python_image: str,
    project: WriteProject,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The same in a layout, on a base of a layout: the environment's Python compiles without a container."""
    found = find_base(engine, python_image, "", Platform.host(), tmp_path / "cache", SilentReporter())
    blobs = engine_base_blobs(engine, found, base_blobs(tmp_path_factory))
    write_layout([ImageContent(config=found.config, layers=blobs)], tmp_path / "base", "team/base:1")
    root = project({"flow.py": own_flow()})
    (root / "imagekit.toml").write_text(
        f'base-image = "oci:{tmp_path / "base"}"\nconda = ["python=3.11", "{channel.module}"]\n'
        f'conda-channels = ["{channel.url}"]\n'
    )
    dead = {"IMAGEKIT_ENGINE": "unix:///nowhere.sock", "DOCKER_HOST": "unix:///nowhere.sock"}
    out = tmp_path / "out"
    words = ("build", root, "--output", f"oci:{out}", "--tag", "conda:1")
    digests = [imagekit.json(*words, env=dead)["written"][0]["digest"] for _ in range(2)]
    assert digests[0] == digests[1]
    image = find_image(out, None, Platform.host())
    assert f"imagekit conda: {channel.module}=1.0=py_0" in [step["created_by"] for step in image.content.config.history]
    assert image.content.config.env["CONDA_PREFIX"] == "/opt/conda"
    site = "opt/conda/lib/python3.11/site-packages"
    last = image.content.config.history.index(
        next(step for step in image.content.config.history if channel.module in str(step["created_by"]))
    )
    blob = image.content.layers[last]
    with (
        layer_tar(blob, image.content.config.diff_ids[last], "it") as stream,
        tarfile.open(fileobj=stream, mode="r|") as layer,
    ):
        assert f"{site}/__pycache__/{channel.module}.cpython-311.pyc" in layer.getnames()
