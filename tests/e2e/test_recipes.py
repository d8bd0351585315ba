"""Recipes on a real engine: what they put into an image, that it is done once, and what is left out of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.engine.client import Engine
from imagekit.errors import BuildError, EngineError, InvalidConfig

from ..conftest import BuildImage
from ..recipes.repository import OwnRepository
from .conftest import Imagekit, Inside, WriteProject, own_flow

# Builds a wheel that says what a program of the build packages says.
BACKEND = """
import subprocess, zipfile

def build_wheel(directory, settings=None, metadata=None):
    said = subprocess.run([TOOL], capture_output=True, text=True, check=True).stdout.strip()
    name, info = "made-1.0-py3-none-any.whl", "made-1.0.dist-info"
    files = {
        "made.py": f"SAID = {said!r}",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: made\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(zipfile.ZipInfo(path), text)  # of no time
    return name
"""


# Each takes away what has these names: another worker's would be gone in the middle of its test.
pytestmark = pytest.mark.xdist_group("recipes")
NAMES = ("above@", "below@", "bad@")


def made_here(engine: Engine) -> set[str]:
    """Images of these tests' recipes; others make some at the same time."""
    found = set()
    for name in (*engine.tags("imagekit/recipes"), *engine.tags("imagekit/recipes-build")):
        image = engine.image(name)
        if image is not None and image.labels.get("imagekit.recipes", "").startswith(NAMES):
            found.add(name)
    return found


@pytest.fixture(autouse=True)
def _swept(engine: Engine) -> Iterator[None]:
    yield
    for name in made_here(engine):
        engine.remove_image(name, force=True)


@pytest.fixture(scope="module")
def base(build_image: BuildImage, python_image: str) -> str:
    """A base whose apt knows no repository: what is told of others would be asked for each time."""
    return build_image(f"FROM {python_image}\nRUN rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*\n", {})


@pytest.fixture
def token() -> str:
    return secrets.token_hex(6)


@pytest.fixture
def repository(tmp_path: Path, token: str) -> Iterator[OwnRepository]:
    script = "#!/bin/sh\necho "
    packages = {
        f"run-{token}": {f"/usr/bin/run-{token}": f"{script}run\n"},
        f"tool-{token}": {f"/usr/bin/tool-{token}": f"{script}tool-{token}\n"},
    }
    own = OwnRepository(tmp_path / "repository", packages)
    yield own
    own.close()


@pytest.fixture
def root(project: WriteProject, repository: OwnRepository, token: str) -> Path:
    """A project with a recipe that takes from a repository, and one that it requires; a source that is built."""
    recipe = f"""
summary = "what the test runs"
requires = ["below"]
path = ["/opt/{token}/bin"]
[apt]
packages = ["run-{token}"]
build = ["tool-{token}"]
[[apt.repository]]
url = "{repository.url}"
suite = "./"
key = "{repository.url}/key.asc"
fingerprint = "{repository.fingerprint}"
[env]
GREETED = "a 'b' $c {{codename}}"
[build-env]
ONLY_HERE = "canary"
[[edit]]
path = "/etc/{token}.conf"
match = "^b = (.)$"
replace = 'b = \\1\\1'
[[command]]
argv = ["sh", "-c", "test $ONLY_HERE = canary && id -u > /etc/{token}.id"]
[check]
program = "import subprocess; assert subprocess.run(['run-{token}']).returncode == 0"
"""
    below = f"""
summary = "what it changes"
[[apt.repository]]                     # that of the other one, too
url = "{repository.url}"
suite = "./"
key = "{repository.url}/key.asc"
fingerprint = "{repository.fingerprint}"
[[file]]
path = "/etc/{token}.conf"
content = "a = 1\\nb = 2\\n"
mode = "0640"
"""
    return project(
        {
            "flow.py": own_flow(),
            "requirements.txt": "./made\n",
            "made/pyproject.toml": "[project]\nname = 'made'\nversion = '1.0'\n"
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
            "made/backend.py": BACKEND.replace("TOOL", repr(f"tool-{token}")),
            "pyproject.toml": "[tool.imagekit]\nrecipes = ['above']\nsource-builds = true\n",
            "recipes/above.toml": recipe,
            "recipes/below.toml": below,
        }
    )


def titles(imagekit: Imagekit, reference: str) -> list[str]:
    return [layer["title"] for layer in imagekit.json("inspect", reference)["layers"]]


def test_beneath_all_layers_and_once(
    imagekit: Imagekit, inside: Inside, engine: Engine, root: Path, token: str, base: str, tmp_path: Path
) -> None:
    name = imagekit.name()
    words = ("build", root, "--name", name, "--base-image", base)
    built = imagekit.json(*words)
    reference = built["reference"]
    told = inside(reference, "sh", "-c", f"run-{token}; cat /etc/{token}.id; echo $GREETED; echo $PATH; id -un")
    assert told.splitlines()[:3] == ["run", "0", "a 'b' $c bookworm"]
    assert f"/opt/venv/bin:/opt/{token}/bin:/usr" in told
    assert told.splitlines()[-1] != "root"
    options = ("--user", "0")
    assert inside(reference, "cat", f"/etc/{token}.conf", options=options) == "a = 1\nb = 22\n"
    assert inside(reference, "stat", "-c", "%a", f"/etc/{token}.conf") == "640\n"
    # What only the build needed was there for the source, and is not in the image.
    assert inside(reference, "python3", "-c", "import made; print(made.SAID)") == f"tool-{token}\n"
    left = inside(
        reference, "sh", "-c", f"command -v tool-{token}; ls /var/log /var/lib/apt/lists /run; env", options=options
    )
    assert not {f"/usr/bin/tool-{token}", "dpkg.log", "imagekit", "ONLY_HERE"} & set(left.split())
    assert "canary" not in left
    assert [title for title in titles(imagekit, reference) if title.startswith("recipe ")] == [
        "recipe below",
        "recipe above",
    ]
    provenance = imagekit("provenance", reference).stdout
    found = json.loads(provenance)["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each["name"] for each in found if each["name"].startswith("recipe:")] == ["recipe:below", "recipe:above"]
    # Nothing to do again, neither by the record of the build nor without it.
    assert imagekit.json(*words)["up_to_date"]
    # Made anew on another day it is the same image.
    anew = imagekit.json(*words, "--no-cache")
    assert anew["image_id"] == built["image_id"]
    # A recipe that changed is told, and makes the image another one.
    path = root / "recipes" / "below.toml"
    path.write_text(path.read_text().replace("a = 1", "a = 3"))
    why = imagekit.json("why", root, "--name", name, "--base-image", base)
    assert {(each["input"], each["name"]) for each in why["inputs"]} >= {("recipe", "below"), ("recipe", "above")}
    assert not any(each["input"] == "base" for each in why["inputs"])
    changed = imagekit.json(*words)
    assert changed["reference"] != reference
    assert inside(changed["reference"], "cat", f"/etc/{token}.conf", options=options) == "a = 3\nb = 22\n"


@pytest.fixture
def light(project: WriteProject, token: str) -> Path:
    """A project without requirements, whose recipe takes no packages."""
    recipe = f"summary = 'a'\n[env]\nGREETED = 'a'\n[[file]]\npath = '/etc/{token}.conf'\ncontent = 'b = 2'\n"
    files = {"flow.py": own_flow(), "imagekit.toml": "recipes = ['below']\n", "recipes/below.toml": recipe}
    return project({**files, "requirements.txt": ""})


def test_by_buildkit_and_in_its_dockerfile(
    imagekit: Imagekit, inside: Inside, light: Path, token: str, base: str, tmp_path: Path
) -> None:
    words = (light, "--base-image", base)
    context = tmp_path / "context"
    text = imagekit.json("dockerfile", *words, "-o", context)["dockerfile"]
    assert text.index(f"FROM {base} AS base") < text.index("source=recipes/below,") < text.index("\nFROM base")
    assert (context / "recipes" / "below" / "apply.sh").is_file()
    # Written once more, in the place of what was there.
    imagekit.json("dockerfile", *words, "-o", context)
    name = imagekit.name()
    imagekit.json("build", *words, "-t", f"{name}:a")
    imagekit.json("build", *words, "-t", f"{name}:b", "--builder", "buildkit")
    for tag in ("a", "b"):
        assert inside(f"{name}:{tag}", "sh", "-c", f"cat /etc/{token}.conf; echo $GREETED") == "b = 2a\n"


def test_made_anew(imagekit: Imagekit, light: Path, base: str) -> None:
    path = light / "recipes" / "below.toml"
    path.write_text(path.read_text() + "[[command]]\nshell = 'cat /proc/sys/kernel/random/uuid > /etc/anew'\n")
    words = ("build", light, "--name", imagekit.name(), "--base-image", base)
    built, again, anew = (imagekit.json(*words, *more)["image_id"] for more in ([], [], ["--no-cache"]))
    assert again == built
    assert anew != built
    refused = imagekit.refused(*map(str, words), "--no-cache", "--offline")
    assert refused["message"] == "offline, and recipes are to be made anew"


@pytest.mark.soak
def test_verified(imagekit: Imagekit, light: Path, base: str) -> None:
    verified = imagekit.json("verify", light, "--base-image", base)
    assert verified["ok"], verified


def test_a_key_that_is_another_one(library: Imagekit, root: Path, base: str) -> None:
    path = root / "recipes" / "above.toml"
    text = path.read_text()
    found = text.partition('fingerprint = "')[2][:40]
    for name in ("above", "below"):
        own = root / "recipes" / f"{name}.toml"
        own.write_text(own.read_text().replace(found, "0" * 40))
    image = DockerImage(library.name(), "v1", context=root, base_image=base, stream_progress_to=None)
    with pytest.raises(BuildError, match=f"gives the key {found}, and {'0' * 40} is named") as raised:
        image.build()
    # Each by its line, all at once.
    lines = [
        f"recipes/{name}.toml:{number}: apt.repository[0].key"
        for name in ("below", "above")
        for number, line in enumerate((root / "recipes" / f"{name}.toml").read_text().splitlines(), 1)
        if line.startswith("key = ")
    ]
    assert [line.partition(": http")[0] for line in (raised.value.details or "").splitlines()] == lines


def test_what_fails_is_told_in_a_line(library: Imagekit, project: WriteProject, base: str, token: str) -> None:
    root = project({"bad.toml": f"summary = 'x'\n[[command]]\nshell = 'echo no {token} >&2; exit 3'\n"})
    image = DockerImage(
        library.name(), "v1", context=root, base_image=base, stream_progress_to=None, recipes=["./bad.toml"],
        requirements=[],
    )  # fmt: skip
    with pytest.raises(BuildError, match=f"the recipe bad could not be put on {base}: no {token}") as raised:
        image.build()
    assert raised.value.details


def test_checked(imagekit: Imagekit, root: Path, base: str) -> None:
    path = root / "recipes" / "above.toml"
    (found,) = imagekit.json("recipe", "check", path, "--base", base, cwd=root)["recipes"]
    assert (found["name"], found["program"], found["error"]) == ("above", True, None)
    text = path.read_text()
    # What lies elsewhere finds what the project has.
    (elsewhere := root / "drivers").mkdir()
    (elsewhere / "ours.toml").write_text("summary = 'x'\nrequires = ['below']\n[check]\nprogram = '1'\n")
    shown = imagekit.json("recipe", "show", "./drivers/ours.toml", "--base", base, cwd=root)
    assert "recipes/below/apply.sh" in shown["files"]
    path.write_text(text.replace("returncode == 0", "returncode == 1"))
    error = imagekit.refused("recipe", "check", str(path), "--base", base)
    assert error["exit_code"] == 6
    assert "AssertionError" in error["details"]


def test_shown_without_being_made(imagekit: Imagekit, engine: Engine, root: Path, base: str) -> None:
    shown = imagekit.json("recipe", "show", "above", "--base", base, cwd=root)
    assert shown["dockerfile"].startswith(f"FROM {base}\n# below: what it changes\nRUN --mount")
    assert "apt install -- run-" in shown["files"]["recipes/above/apply.sh"]
    assert made_here(engine) == set()
    listed = {each["name"]: each["provided"] for each in imagekit.json("recipe", "ls", cwd=root)["recipes"]}
    assert not listed["above"]
    assert listed["mssql-odbc"]


def test_where_no_engine_is(library: Imagekit, project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/docker.sock")
    root = project({"own.toml": "summary = 'x'\n[env]\nA = 'x'\n"})
    image = DockerImage("x", context=root, recipes=["./own.toml"], output=f"oci:{root}/out", stream_progress_to=None)
    with pytest.raises(EngineError):
        image.build()
    wrong = DockerImage("x", context=root, recipes=["./own.toml", "nothing"], stream_progress_to=None)
    with pytest.raises(InvalidConfig, match="no recipe is called 'nothing'"):
        wrong.build()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["build", "--recipe", "grafviz"], "no recipe is called 'grafviz'"),
        (["build", "--recipe", "./no.toml"], "./no.toml is not there"),
        (["build", "--recipe", ""], "is no recipe"),
        (["recipe", "check", "./bad.toml"], "bad.toml:2"),
        (["recipe", "check", "./bad.toml", "grafviz"], "no recipe is called 'grafviz'"),
        (["recipe", "show", "graphviz", "--on", "12"], "is no distribution"),
        (["recipe", "show", "graphviz", "--on", "debian:12", "--base", "x"], "--on does not go"),
    ],
)
def test_refused_before_anything_is_asked(refuse: Any, words: list[str], expected: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("summary = 'a'\nx = 1\n")
    code, error, _ = refuse(*words)
    assert code == 2
    assert expected in json.dumps(error)


def test_a_credential_in_a_recipe_is_refused_and_not_shown(refuse: Any, tmp_path: Path) -> None:
    value = "canary-" + secrets.token_hex(12)
    (tmp_path / "own.toml").write_text(
        f"summary = 'a'\n[env]\nDB_PASSWORD = '{value}'\n[[when]]\narchitecture = 'arm64'\n"
        f"[when.build-env]\nAPI_TOKEN = '{value}'\n"
    )
    code, error, printed = refuse("build", "--recipe", "./own.toml")
    assert (code, error["error"]) == (2, "CredentialExposed")
    assert "own.toml:3" in printed
    assert "own.toml:7" in printed
    assert value not in printed
