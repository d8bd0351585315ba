"""``imagekit verify`` finds nothing on images that are as they should be, and says so where one is not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest

from imagekit.check.comparison import compare_images
from imagekit.engine.client import Engine
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.layout import write_layout
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.plan.prefix import Prefix
from imagekit.progress import SilentReporter
from imagekit.stages.probe import find_base, read_base
from imagekit.verifying.rebuild import Remade
from imagekit.verifying.verification import CIRCUMSTANCES, remade_differences

from ..base_blobs import base_blobs
from ..conftest import BuildImage
from .bases import build, install
from .conftest import Imagekit, clean_environment
from .wheels import write_wheel

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("verify")

TRICKY = {
    "tricky/__init__.py": "import sys\n\ndef main():\n    print('tricky', sys.argv[1:])\n",
    "tricky/sets.py": "WORDS = {'a', 'b', 'c'}\ndef f(x):\n    return x in {'alpha', 'beta', 'gamma', 1, 2.5}\n",
    "tricky/two.py": "print 'of another Python'\n",
    "tricky/data with space.txt": "x",
    "tricky-1.0.data/scripts/tricky-shell": "#!/bin/sh\necho shell\n",
    "tricky-1.0.data/scripts/tricky-python": "#!python\nprint('script')\n",
    "tricky-1.0.data/data/share/tricky/settings.ini": "[a]\n",
    "tricky-1.0.data/headers/tricky.h": "",
    "tricky-1.0.data/purelib/tricky/pure.py": "PURE = 1\n",
}
PYPROJECT = """
[project]
name = "orders"
version = "1.0"

[project.scripts]
orders = "orders:main"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.imagekit]
env = { ODD = 'a "b" $HOME it`s \\' }
labels = { team = "x $Y" }
files = { "run.sh" = "/etc/odd dir/run $x.sh", "settings.yml" = "/root/settings.yml" }
"""


@dataclass
class Tricky:
    """A project with everything that goes into an image, and its image made in both ways."""

    imagekit: Imagekit
    root: Path
    base: str

    def build(self, *options: str) -> str:
        name = f"{self.imagekit.name('tricky')}:1"
        done = self.imagekit("build", self.root, "-t", name, "--base-image", self.base, *options)
        assert done.returncode == 0, done.stderr
        return name

    @cached_property
    def assembled(self) -> str:
        return self.build()

    @cached_property
    def by_buildkit(self) -> str:
        return self.build("--builder", "buildkit")


@pytest.fixture(scope="module")
def tricky(
    engine: Engine,
    session_prefix: str,
    session_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
    wheels: Path,
    no_index: str,
    python_image: str,
) -> Tricky:
    root, more = tmp_path_factory.mktemp("tricky"), tmp_path_factory.mktemp("more")
    write_wheel(more, "tricky", "1.0", TRICKY, scripts={"tricky": "tricky:main"})
    for path, text in {
        "requirements.txt": f"{no_index}--find-links {more}\nbeta==1.1\ntricky\n",
        "orders/__init__.py": "def main(): pass\n",
        "orders/with space.txt": "x",
        "run.sh": "#!/bin/sh\n",
        "settings.yml": "a: 1\n",
        "pyproject.toml": PYPROJECT,
    }.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("orders")
    (root / "empty").mkdir()
    env = {
        **clean_environment(),
        "IMAGEKIT_ENGINE": engine.address,
        "IMAGEKIT_CACHE_DIR": str(session_directory / "cache"),
        "IMAGEKIT_CONFIG_FILE": str(more / "config.toml"),
    }
    return Tricky(Imagekit(env, session_prefix, more), root, python_image)


@pytest.fixture(scope="module")
def prefix(tricky: Tricky, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    image = engine.image(tricky.base)
    assert image is not None
    base = read_base(engine, tricky.base, image.id, tmp_path_factory.mktemp("bases"), SilentReporter())
    return Prefix.venv(base.python)


def test_nothing_differs(tricky: Tricky, engine: Engine) -> None:
    process = tricky.imagekit.start("verify", tricky.root, "--base-image", tricky.base, "--json")
    out, words = process.communicate()
    assert process.returncode == 0, out + words
    found = json.loads(out)
    assert found["differences"] == []
    assert found["ok"] is True
    assert found["not_done"] == []
    assert found["buildkit"]["files"] > 1000
    meant = {entry["name"]: entry["files"] for entry in found["buildkit"]["documented"]}
    assert meant["INSTALLER"] == 3
    assert meant["bytecode"] >= 4
    # Its images were for this alone.
    assert [tag for tag in engine.tags("imagekit/loading") if f"-{process.pid}-" in tag] == []


# A step, the path that it changes, and what is said of it.
CHANGES = [
    ("RUN sed -i s/VERSION/version/ {site}/beta.py", "{site}/beta.py", "other content"),
    ("RUN chmod 600 {site}/alpha/more.py", "{site}/alpha/more.py", "mode 0600 assembled, 0644 by BuildKit"),
    ("RUN chown 4711 {site}/tricky/two.py", "{site}/tricky/two.py", "owner 4711:0 assembled, 0:0 by BuildKit"),
    ("RUN rm {site}/tricky/pure.py", "{site}/tricky/pure.py", "by BuildKit only"),
    ("RUN touch {site}/more.py", "{site}/more.py", "in the assembled image only"),
    ("RUN mkdir {site}/more", "{site}/more", "a dir in the assembled image only"),
    ("RUN ln -sf /bin/sh /opt/venv/bin/python3", "/opt/venv/bin/python3", "a link to '/bin/sh' assembled"),
    ("RUN sed -i s/script/Script/ /opt/venv/bin/tricky-python", "/opt/venv/bin/tricky-python", "other content"),
    ("RUN sed -i s/gamma/GAMMA/ {site}/tricky/__pycache__/sets.*.pyc", "{site}/tricky/__pycache__/sets.", "other"),
    ("RUN sed -i s/,5/,6/ {site}/tricky-1.0.dist-info/RECORD", "{site}/tricky-1.0.dist-info/RECORD", "other content"),
    ("RUN chmod 700 /app/empty", "/app/empty", "mode 0700 assembled"),
    ("ENV ODD=other", "Env ODD", "'other' assembled"),
    ("LABEL team=other", "Label team", "'other' assembled"),
]


def test_what_was_changed_is_found(tricky: Tricky, engine: Engine, build_image: BuildImage, prefix: Prefix) -> None:
    steps = "\n".join(step.format(site=prefix.site_path) for step, _, _ in CHANGES)
    changed = build_image(f"FROM {tricky.assembled}\nUSER 0\n{steps}\nUSER app\n", {})
    found = compare_images(engine, changed, tricky.by_buildkit, prefix).differences
    for _, path, words in CHANGES:
        place = path.format(site=prefix.site_path)
        assert [d for d in found if d.path.startswith(place) and words in d.message], (place, list(map(str, found)))
    assert len(found) == len(CHANGES), list(map(str, found))


@pytest.mark.soak
def test_the_unchanged_have_no_difference(tricky: Tricky, engine: Engine, prefix: Prefix) -> None:
    found = compare_images(engine, tricky.assembled, tricky.by_buildkit, prefix)
    assert found.differences == ()
    assert found.files > 1000


@pytest.mark.soak
def test_a_layer_that_depends_on_circumstances_is_found(tricky: Tricky, tmp_path: Path) -> None:
    """What a layer writer that looks at the time zone, the umask or the hash seed would come to."""
    # A module before ours, in the way that the processes find the package.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "import imagekit.layers.project_files as files\n"
        "write = files.script\n"
        "files.script = lambda *a: write(*a) + f'# {time.tzname} {hash(\"x\")}'.encode()\n"
    )
    done = tricky.imagekit(
        "verify", tricky.root, "--base-image", tricky.base, "--json", env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 6, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is False
    said = [d["message"] for d in found["differences"] if d["path"] == "orders==1.0"]
    assert any("made first" in words and "made again" in words for words in said), found["differences"]


def test_without_an_engine_it_says_what_it_could_not_do(
    tricky: Tricky, engine: Engine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = find_base(engine, tricky.base, "", Platform.host(), tmp_path / "cache", SilentReporter())
    blobs = engine_base_blobs(engine, base, base_blobs(tmp_path_factory))
    write_layout([ImageContent(config=base.config, layers=blobs)], tmp_path / "layout", "base:1")
    nowhere = {"IMAGEKIT_ENGINE": f"unix://{tmp_path}/none.sock"}
    where = f"oci:{tmp_path / 'layout'}:base:1"
    found = tricky.imagekit.json("verify", tricky.root, "--base-image", where, env=nowhere)
    assert (found["ok"], found["buildkit"]) == (True, None)
    assert "no Docker Engine" in found["not_done"][0]
    assert found["layers"] > 4


@pytest.mark.soak
def test_a_base_that_holds_packages(tricky: Tricky, engine: Engine, wheels: Path, tmp_path: Path) -> None:
    """Packages beside the base's own: one is replaced, one stays, and no bytecode of the base's is touched."""
    base = build(engine.address, f"FROM {tricky.base}\n{install('alpha==1.0', 'beta==1.0')}", wheels, tmp_path)
    try:
        found = tricky.imagekit.json("verify", tricky.root, "--base-image", base)
        assert found["differences"] == []
        assert found["buildkit"]["files"] > 1000
    finally:
        engine.remove_image(base, force=True)


def test_digests_that_differ_are_differences() -> None:
    first = Remade(
        config=Digest("sha256:" + "1" * 64),
        settings={"Env": ["A=1"]},
        layers=(("six==1", Digest("sha256:" + "2" * 64)), ("source", Digest("sha256:" + "3" * 64))),
    )
    assert remade_differences(first, first) == []
    other = replace(first, config=Digest("sha256:" + "4" * 64))
    assert [d.path for d in remade_differences(first, other)] == ["configuration"]
    assert [d.path for d in remade_differences(first, replace(other, settings={"Env": ["A=2"]}))] == ["Env A"]
    fewer = replace(other, layers=first.layers[:1])
    assert [d.path for d in remade_differences(first, fewer)] == ["layers"]
    swapped = replace(other, layers=first.layers[::-1])
    assert [d.path for d in remade_differences(first, swapped)] == ["six==1", "source"]


@pytest.mark.soak
def test_a_layer_that_tells_who_made_it_is_found(tricky: Tricky, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "import imagekit.layers.project_files as files\n"
        "write = files.script\n"
        "files.script = lambda *a: write(*a) + f'# {os.getuid()} {os.stat(__file__).st_uid}'.encode()\n"
    )
    done = tricky.imagekit(
        "verify", tricky.root, "--base-image", tricky.base, "--json", env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 6, done.stderr
    assert "orders==1.0" in [d["path"] for d in json.loads(done.stdout)["differences"]]


def test_circumstances_are_all_different() -> None:
    first, second = CIRCUMSTANCES
    assert first.user != second.user
    assert first.umask != second.umask
    assert first.mtime != second.mtime
    for name in first.variables:
        assert first.variables[name] != second.variables[name]
