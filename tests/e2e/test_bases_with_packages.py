"""A base that holds packages already: they constrain the lock, stay where they can, and make place where they must."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from . import bases
from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("own_engine")

# All that is in the places of packages, bytecode too, and what installers count of it.
LOOK = """
import importlib.metadata as m, json, os, sys
found = {}
for d in m.distributions():
    found.setdefault(d.metadata["Name"], []).append(d.version)
    for file in d.files or ():
        assert os.path.lexists(d.locate_file(file)), file
files = [os.path.join(top, name) for place in sys.argv[1:] for top, ds, fs in os.walk(place) for name in (*ds, *fs)]
print(json.dumps({"installed": found, "files": sorted(files), "prefix": sys.prefix}))
"""
PLACES = ("/usr/local/lib", "/usr/local/bin", "/usr/local/share", "/opt")


@pytest.fixture(scope="session")
def held(session_directory: Path) -> Path:
    """Wheels that bases are made with; no project finds them."""
    directory = session_directory / "held"
    frame = {
        "frame/__init__.py": "import helper\nVERSION = '1.0'\n",
        "frame/old/__init__.py": "",
        "frame/old/gone.py": "X = 1\n",
        "frame/cli.py": "import importlib.metadata as m\n"
        "def main():\n    print(sorted(e.name for e in m.entry_points(group='frame.plugins')))\n",
        "frame_single.py": "X = 1\n",
        "shared/one/frame.py": "X = 1\n",
        "frame-1.0.data/data/share/frame/notes.txt": "old\n",
    }
    write_wheel(
        directory,
        "frame",
        "1.0",
        frame,
        requires=["helper<2"],
        scripts={"frame": "frame.cli:main", "frame-old": "frame.cli:main"},
    )
    write_wheel(directory, "helper", "1.0", {"helper.py": "VERSION = '1.0'\n"})
    write_wheel(directory, "lone", "1.0", {"lone.py": "X = 1\n", "shared/one/lone.py": "X = 1\n"})
    return directory


@pytest.fixture(scope="session")
def offered(session_directory: Path) -> Path:
    """Wheels that projects ask for: none of them is what a base has."""
    directory = session_directory / "offered"
    points = "[frame.plugins]\nplug = plug\n"
    write_wheel(
        directory,
        "plug",
        "1.0",
        {"plug.py": "import frame\n", "plug-1.0.dist-info/entry_points.txt": points},
        requires=["frame", "helper"],
    )
    frame = {
        "frame/__init__.py": "import helper\nVERSION = '2.0'\n",
        "frame/cli.py": "def main():\n    print('two')\n",
    }
    write_wheel(directory, "frame", "2.0", frame, requires=["helper"], scripts={"frame": "frame.cli:main"})
    write_wheel(directory, "helper", "1.5", {"helper.py": "VERSION = '1.5'\n"})
    write_wheel(directory, "helper", "2.0", {"helper.py": "VERSION = '2.0'\n"})
    write_wheel(directory, "plug", "2.0", {"plug.py": "import frame\n"}, requires=["frame>=2"])
    return directory


@pytest.fixture(scope="session")
def make_base(engine: Engine, python_image: str, held: Path, session_directory: Path) -> Iterator[bases.MakeBase]:
    """``make_base(*steps)``: a base made by these steps of a Dockerfile on the Python image."""
    made: dict[str, str] = {}

    def make(*steps: str) -> str:
        dockerfile = "".join([f"FROM {python_image}\nUSER 0\n", *steps])
        if dockerfile not in made:
            made[dockerfile] = bases.build(engine.address, dockerfile, held, session_directory)
        return made[dockerfile]

    yield make
    for tag in made.values():
        engine.remove_image(tag, force=True)


@pytest.fixture(scope="session")
def framed(make_base: bases.MakeBase) -> str:
    """Packages beside a distribution's Python, in ``/usr/local``."""
    return make_base(bases.install("frame", "lone"))


@pytest.fixture
def on(project: WriteProject, offered: Path) -> Any:
    """``on(base, "plug", …)``: a project with these requirements on that base."""

    def write(base: str, *requirements: str, **settings: object) -> Path:
        lines = [f'base-image = "{base}"', *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
        return project(
            {
                "requirements.txt": f"--no-index\n--find-links {offered}\n" + "".join(f"{r}\n" for r in requirements),
                "flow.py": "import frame\n\n\ndef etl():\n    return frame.VERSION\n",
                "imagekit.toml": "".join(f"{line}\n" for line in lines),
            }
        )

    return write


def look(inside: Inside, image: str, *places: str, address: str | None = None) -> Any:
    more = {} if address is None else {"address": address}
    return json.loads(inside(image, "python3", "-c", LOOK, *(places or PLACES), options=("--user", "0"), **more))


def test_what_the_base_has_stays_and_sees_the_new(
    imagekit: Imagekit, inside: Inside, engine: Engine, framed: str, on: Any
) -> None:
    root = on(framed, "plug", entrypoints=["flow.py:etl"])
    plan = imagekit.json("plan", root)
    assert plan["base"]["kept"] == ["frame==1.0", "helper==1.0"]
    assert plan["base"]["replaced"] == []
    assert plan["prefix"] == "/usr/local"
    assert [layer["kind"] for layer in plan["layers"]] == ["environment", "wheels", "source"]
    before = set(look(inside, framed)["files"])
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"])
    assert after["installed"] == {"frame": ["1.0"], "helper": ["1.0"], "lone": ["1.0"], "plug": ["1.0"]}
    assert before <= set(after["files"])
    assert all("plug" in path for path in set(after["files"]) - before)
    # The base's own script finds what came after it.
    assert inside(built["reference"], "frame") == "['plug']\n"
    image = engine.image(built["reference"])
    assert image is not None
    assert not [entry for entry in image.settings["Env"] if entry.startswith("VIRTUAL_ENV=")]


def test_what_must_be_replaced_leaves_no_file(imagekit: Imagekit, inside: Inside, framed: str, on: Any) -> None:
    root = on(framed, "plug==2.0", entrypoints=["flow.py:etl"])
    plan = imagekit.json("plan", root)
    assert plan["base"]["kept"] == ["helper==1.0"]
    (replaced,) = plan["base"]["replaced"]
    assert (replaced["name"], replaced["old"], replaced["new"]) == ("frame", "1.0", "2.0")
    assert "plug" in replaced["why"]
    assert plan["layers"][0]["title"] == "frame==1.0 of the base removed"
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"])
    assert after["installed"] == {"frame": ["2.0"], "helper": ["1.0"], "lone": ["1.0"], "plug": ["2.0"]}
    left = [path for path in after["files"] if "frame" in path]
    assert not [path for path in left if "1.0" in path or "old" in path or "single" in path or "/share" in path]
    assert inside(built["reference"], "frame") == "two\n"
    # What it shared with another package stays, and so do directories of others.
    assert any(path.endswith("shared/one/lone.py") for path in after["files"])
    assert not any(path.endswith("shared/one/frame.py") for path in after["files"])
    # Built anew with nothing kept, it is the same.
    again = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1", "--no-cache")
    assert again["image_id"] == built["image_id"]


def test_what_is_asked_for_by_name_is_replaced(imagekit: Imagekit, inside: Inside, framed: str, on: Any) -> None:
    built = imagekit.json("build", on(framed, "frame==2.0", "helper==2.0"), "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"])
    assert after["installed"] == {"frame": ["2.0"], "helper": ["2.0"], "lone": ["1.0"]}
    plan = imagekit.json("plan", on(framed, "frame==2.0", "helper==2.0"))
    assert {entry["name"]: entry["why"] for entry in plan["base"]["replaced"]} == {
        "frame": "requirements.txt:3 asks for frame==2.0",
        "helper": "requirements.txt:4 asks for helper==2.0",
    }


def test_what_another_package_of_the_base_needs_is_refused(imagekit: Imagekit, framed: str, on: Any) -> None:
    found = imagekit.refused("plan", on(framed, "helper==2.0"))
    assert (found["error"], found["exit_code"]) == ("BaseConflict", 4)
    assert "frame==1.0 of the base needs helper<2, and 2.0 would take the place of 1.0" in found["message"]
    # And where another version does, that one is taken.
    plan = imagekit.json("plan", on(framed, "helper>1"))
    assert [(entry["name"], entry["new"]) for entry in plan["base"]["replaced"]] == [("helper", "1.5")]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            "RUN rm /usr/local/lib/python*/dist-packages/helper-1.0.dist-info/RECORD\n",
            "whoever installed it left no record of its files",
        ),
        (
            "RUN mv /usr/local/lib/python*/dist-packages/helper* /usr/lib/python3/dist-packages/"
            " && echo debian > /usr/lib/python3/dist-packages/helper-1.0.dist-info/INSTALLER\n",
            "the operating system's package manager owns it",
        ),
        (
            "RUN mkdir /else && mv /usr/local/lib/python*/dist-packages/helper* /else/\nENV PYTHONPATH=/else\n",
            "it lies in /else",
        ),
    ],
)
def test_what_cannot_be_removed_is_refused(
    imagekit: Imagekit, make_base: bases.MakeBase, on: Any, inside: Inside, step: str, words: str
) -> None:
    base = make_base(bases.install("frame", "lone"), "RUN mkdir -p /usr/lib/python3/dist-packages\n", step)
    found = imagekit.refused("plan", on(base, "helper==1.5"))
    assert found["error"] == "BaseConflict"
    assert f"helper==1.0 of the base cannot be replaced by 1.5: {words}" in found["message"]
    # It holds all the same, and what gets along with it is built.
    built = imagekit.json("build", on(base, "plug"), "--tag", f"{imagekit.name()}:v1")
    assert look(inside, built["reference"])["installed"]["helper"] == ["1.0"]


LOCK = """lock-version = "1.0"
created-by = "somebody"
[[packages]]
name = "frame"
version = "{frame}"
wheels = [{{ path = "{frame_wheel}", hashes = {{ sha256 = "{frame_hash}" }} }}]
[[packages]]
name = "helper"
version = "{helper}"
wheels = [{{ path = "{helper_wheel}", hashes = {{ sha256 = "{helper_hash}" }} }}]
"""


def _lock(frame: Path, helper: Path) -> str:
    values = {}
    for name, wheel in (("frame", frame), ("helper", helper)):
        values[name] = wheel.name.split("-")[1]
        values[f"{name}_wheel"] = str(wheel)
        values[f"{name}_hash"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return LOCK.format(**values)


def test_another_programs_lock(
    imagekit: Imagekit, inside: Inside, framed: str, on: Any, held: Path, offered: Path
) -> None:
    root = on(framed, "frame")
    old, new = held / "frame-1.0-py3-none-any.whl", offered / "frame-2.0-py3-none-any.whl"
    equal, other = held / "helper-1.0-py3-none-any.whl", offered / "helper-1.5-py3-none-any.whl"
    (root / "pylock.toml").write_text(_lock(old, equal))
    plan = imagekit.json("plan", root)
    assert (plan["base"]["kept"], plan["base"]["replaced"]) == (["frame==1.0", "helper==1.0"], [])
    assert [layer["kind"] for layer in plan["layers"]] == ["environment", "source"]
    (root / "pylock.toml").write_text(_lock(new, equal))
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    assert look(inside, built["reference"])["installed"] == {"frame": ["2.0"], "helper": ["1.0"], "lone": ["1.0"]}
    (root / "pylock.toml").write_text(_lock(old, offered / "helper-2.0-py3-none-any.whl"))
    assert "needs helper<2" in imagekit.refused("plan", root)["message"]
    (root / "pylock.toml").write_text(_lock(old, other))
    plan = imagekit.json("plan", root)
    assert plan["base"]["replaced"] == [
        {"name": "helper", "old": "1.0", "new": "1.5", "why": "the lock has another version"}
    ]


def test_a_lock_of_ours_is_for_what_the_base_has(
    imagekit: Imagekit, make_base: bases.MakeBase, framed: str, on: Any
) -> None:
    root = on(framed, "plug")
    imagekit.json("lock", root)
    text = (root / "pylock.toml").read_text()
    assert '[tool.imagekit.base.kept]\nframe = "1.0"\nhelper = "1.0"\n' in text
    assert imagekit.json("plan", root)["base"]["kept"] == ["frame==1.0", "helper==1.0"]
    assert imagekit("lock", root, "--check").returncode == 0
    other = make_base(bases.install("frame"))
    (root / "imagekit.toml").write_text(f'base-image = "{other}"\n')
    found = imagekit.refused("plan", root)
    assert (found["error"], found["exit_code"]) == ("StaleLock", 4)


@pytest.mark.soak
def test_pip_tools_constrains_and_replaces_alike(imagekit: Imagekit, framed: str, on: Any) -> None:
    plan = imagekit.json("plan", on(framed, "plug"), "--resolver", "pip-tools")
    assert plan["base"]["kept"] == ["frame==1.0", "helper==1.0"]
    assert [p for layer in plan["layers"] for p in layer["packages"]] == ["plug==1.0"]
    plan = imagekit.json("plan", on(framed, "plug==2.0"), "--resolver", "pip-tools")
    assert (plan["base"]["kept"], plan["base"]["replaced"][0]["new"]) == (["helper==1.0"], "2.0")
    assert imagekit.refused("plan", on(framed, "helper==2.0"), "--resolver", "pip-tools")["error"] == "BaseConflict"


def test_a_virtual_environment_of_the_base(
    imagekit: Imagekit, make_base: bases.MakeBase, inside: Inside, engine: Engine, on: Any
) -> None:
    venv = "RUN --mount=type=bind,from=tools,target=/run/tools /run/tools/uv venv --no-config --offline /srv/venv\n"
    options = "--python /srv/venv/bin/python"
    base = make_base(venv, bases.install("frame", options=options), "ENV PATH=/srv/venv/bin:$PATH\n")
    built = imagekit.json("build", on(base, "plug==2.0"), "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"], "/srv", "/opt")
    assert after["prefix"] == "/srv/venv"
    assert after["installed"] == {"frame": ["2.0"], "helper": ["1.0"], "plug": ["2.0"]}
    assert not [path for path in after["files"] if "frame-1.0" in path or path.startswith("/opt")]
    image = engine.image(built["reference"])
    assert image is not None
    assert "VIRTUAL_ENV=/srv/venv" in image.settings["Env"]
    assert inside(built["reference"], "sh", "-c", "head -1 $(command -v frame)") == "#!/srv/venv/bin/python3\n"


def test_an_image_of_ours_as_the_base(imagekit: Imagekit, inside: Inside, python_image: str, on: Any) -> None:
    """Its environment is the place of what comes next, and what it has counts."""
    first = imagekit.json("build", on(python_image, "plug==1.0", "frame==2.0"), "--tag", f"{imagekit.name()}:v1")
    assert look(inside, first["reference"])["prefix"] == "/opt/venv"
    second = imagekit.json("build", on(first["reference"], "plug==2.0"), "--tag", f"{imagekit.name()}:v1")
    after = look(inside, second["reference"])
    assert after["prefix"] == "/opt/venv"
    assert after["installed"] == {
        "frame": ["2.0"],
        "helper": ["2.0"],
        "plug": ["2.0"],
    }


@pytest.mark.parametrize("root", ["/opt/conda", "/usr/local"])
def test_a_python_with_a_prefix_of_its_own(
    imagekit: Imagekit, make_base: bases.MakeBase, inside: Inside, on: Any, root: str
) -> None:
    """As python.org's images and conda's have it; conda's record of a package goes with the package."""
    options = f"--python {root}/bin/python --break-system-packages"
    steps = [bases.MOVED.format(root=root), bases.install("frame", "lone", options=options)]
    if root == "/opt/conda":
        files = [
            "lib/python3.11/dist-packages/frame-1.0.dist-info/METADATA",
            "lib/python3.11/dist-packages/frame-1.0.dist-info/RECORD",
            "lib/python3.11/dist-packages/frame/conda_only.txt",
        ]
        steps += [
            f"RUN mkdir {root}/conda-meta && echo '{json.dumps({'name': 'frame', 'files': files})}'"
            f" > {root}/conda-meta/frame-1.0-0.json && touch {root}/{files[2]}"
            f" && echo conda > {root}/{files[0].replace('METADATA', 'INSTALLER')}\n"
        ]
    base = make_base(*steps)
    plan = imagekit.json("plan", on(base, "plug"))
    assert (plan["prefix"], plan["base"]["kept"]) == (root, ["frame==1.0", "helper==1.0"])
    built = imagekit.json("build", on(base, "plug==2.0"), "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"], root)
    assert (after["prefix"], after["installed"]["frame"]) == (root, ["2.0"])
    assert not [path for path in after["files"] if "frame-1.0" in path or "conda_only" in path or "frame/old" in path]
    assert inside(built["reference"], "sh", "-c", "command -v frame; frame").split() == [f"{root}/bin/frame", "two"]


def test_pip_alone_leaves_a_base_bare(
    imagekit: Imagekit, make_base: bases.MakeBase, inside: Inside, held: Path, on: Any
) -> None:
    write_wheel(held, "pip", "99.0", {"pip/__init__.py": ""})
    base = make_base(bases.install("pip"))
    built = imagekit.json("build", on(base, "plug==2.0"), "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"])
    assert after["prefix"] == "/opt/venv"
    assert "pip" not in after["installed"]


def test_the_bases_directories_stay_as_they_are(
    imagekit: Imagekit, make_base: bases.MakeBase, inside: Inside, on: Any
) -> None:
    """Of layers that pass through them: Debian's are of group staff, conda's often of a user."""
    steps = "RUN chown -R 1234:50 /usr/local/lib && find /usr/local/lib -type d -exec chmod 2775 {} +\n"
    base = make_base(bases.install("frame", "lone"), steps)
    built = imagekit.json("build", on(base, "plug==2.0"), "--tag", f"{imagekit.name()}:v1")
    show = (
        "cd /usr/local/lib/python*/dist-packages && stat -c '%n %a %u:%g' . .. shared lone-1.0.dist-info /usr/local/bin"
    )
    before, after = (inside(image, "sh", "-c", show) for image in (base, built["reference"]))
    assert before == after
    assert "shared 2775 1234:50" in after


def test_the_project_itself_in_the_base(imagekit: Imagekit, inside: Inside, framed: str, project: WriteProject) -> None:
    metadata = '[project]\nname = "lone"\nversion = "1.0"\n[build-system]\nrequires = ["hatchling"]\n'
    settings = f'[tool.imagekit]\nbase-image = "{framed}"\n'
    root = project({"pyproject.toml": f'{metadata}build-backend = "hatchling.build"\n{settings}', "lone.py": "X = 2\n"})
    built = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    after = look(inside, built["reference"])
    assert after["installed"]["lone"] == ["1.0"]
    assert inside(built["reference"], "python3", "-c", "import lone; print(lone.X)") == "2\n"


@pytest.mark.parametrize("containerd_store", [pytest.param(False, marks=pytest.mark.soak), True])
def test_either_store_hides_what_was_removed(
    imagekit: Imagekit, inside: Inside, engine: Engine, own_engine: Any, framed: str, on: Any, containerd_store: bool
) -> None:
    ours = own_engine(containerd_store=containerd_store)
    with ours.connect() as connected:
        connected.load(engine.save(framed))
    env = {"IMAGEKIT_ENGINE": ours.address}
    built = imagekit.json("build", on(framed, "frame==2.0"), "--tag", f"{imagekit.name()}:v1", env=env)
    after = look(inside, built["reference"], address=ours.address)
    assert after["installed"] == {"frame": ["2.0"], "helper": ["1.0"], "lone": ["1.0"]}
    assert not [path for path in after["files"] if "frame-1.0" in path or "frame/old" in path or ".wh." in path]


def test_packages_in_a_users_home_hold(imagekit: Imagekit, make_base: bases.MakeBase, inside: Inside, on: Any) -> None:
    """What ``pip install --user`` put there is seen by that user, who runs the image, and is not ours to replace."""
    site = "/home/jo/.local/lib/python$v/site-packages"
    step = (
        "RUN --mount=type=bind,from=tools,target=/run/tools --mount=type=bind,from=wheels,target=/run/wheels"
        " useradd -m -u 1234 jo && v=$(python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])')"
        " && /run/tools/uv --no-cache pip install --no-config --offline --no-index --find-links /run/wheels"
        f" --target {site} frame && chown -R jo /home/jo\nUSER jo\n"
    )
    base = make_base(step)
    found = imagekit.refused("plan", on(base, "frame==2.0"))
    assert "frame==1.0 of the base cannot be replaced by 2.0: it lies in /home/jo/.local" in found["message"]
    built = imagekit.json("build", on(base, "plug", entrypoints=["flow.py:etl"]), "--tag", f"{imagekit.name()}:v1")
    seen = inside(built["reference"], "python3", "-c", "import frame, plug; print(frame.__file__, plug.__file__)")
    assert seen.split()[0].startswith("/home/jo/.local/")
    assert seen.split()[1].startswith("/usr/local/")
