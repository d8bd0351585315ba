"""Instructions of the user's own on the assembled image, run by BuildKit."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import pytest

from imagekit import DockerImage
from imagekit.engine.client import Engine
from imagekit.errors import CheckFailed, DockerfileFailed, InvalidConfig
from imagekit.explaining.results import BuildResult

from ..conftest import MakeEngine
from .conftest import Imagekit, Inside, WriteProject, snapshot

COMMANDS = [
    "RUN id -u > /who && pwd > /where && cat settings.txt > /read",
    "COPY settings.txt extra/ /etc/app/",
    "RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length",
    "ARG GREETING\nENV GREETED=$GREETING".split("\n")[0],
    "ENV GREETED=$GREETING",
]


@pytest.fixture
def root(project: WriteProject) -> Path:
    return project(
        {
            "flow.py": f"TOKEN = {secrets.token_hex(8)!r}\n\ndef etl():\n    return 1\n",
            "settings.txt": "set\n",
            "extra/a.txt": "a\n",
            "extra/b.log": "b\n",
            "extra/with space [1].txt": "c\n",
            ".git/HEAD": "ref\n",
            ".env": "canary\n",
            "node_modules/x.js": "x\n",
        }
    )


def names_of_loading(engine: Engine) -> list[str]:
    return [tag for tag in engine.tags("imagekit/loading") if f"-{os.getpid()}-" in tag]


def test_they_continue_the_image(
    library: Imagekit, inside: Inside, engine: Engine, root: Path, tmp_path: Path, python_image: str
) -> None:
    secret = tmp_path / "token.txt"
    secret.write_text("12345")
    before = snapshot(root)
    name = library.name()

    def build(commands: list[str], **more: object) -> BuildResult:
        image = DockerImage(
            name, "v1", context=root, stream_progress_to=None, base_image=python_image, requirements=[],
            extra_dockerfile_commands=commands, entrypoints=["flow.py:etl"], **more,
        )  # fmt: skip
        result = image.build()
        assert isinstance(result, BuildResult)
        return result

    plain = build([])
    steps = {"secrets": [f"id=token,src={secret}"], "buildargs": {"GREETING": "hello $you"}}
    built = build(COMMANDS, **steps)
    assert snapshot(root) == before
    assert [layer.digest for layer in built.layers[: len(plain.layers)]] == [layer.digest for layer in plain.layers]
    assert [layer.title.split()[0] for layer in built.layers[len(plain.layers) :]] == ["RUN", "COPY", "RUN"]
    definition = json.loads(library("provenance", f"{name}:v1").stdout)["predicate"]["buildDefinition"]
    assert definition["internalParameters"]["lockDigest"] == built.lock_digest
    assert definition["externalParameters"]["instructions"]["sha256"]
    shown = inside(f"{name}:v1", "cat", "/who", "/where", "/read", "/length")
    assert shown.split() == ["0", "/app", "set", "5"]
    assert inside(f"{name}:v1", "sh", "-c", "id -un; echo $GREETED; ls /etc/app").splitlines() == [
        "app",
        "hello $you",
        "a.txt",
        "b.log",
        "settings.txt",
        "with space [1].txt",
    ]
    assert engine.image(plain.image_id) is None, "what the tag left without a name is removed"

    again = build(COMMANDS, **steps)
    assert (again.image_id, again.up_to_date, again.sent) == (built.image_id, True, 0)
    assert names_of_loading(engine) == []
    # Gone from the engine: made again, by BuildKit's cache the same.
    engine.remove_image(f"{name}:v1", force=True)
    anew = build(COMMANDS, **steps)
    assert (anew.image_id, anew.up_to_date) == (built.image_id, False)
    fresh = build(COMMANDS, **steps, nocache=True)
    assert fresh.image_id != built.image_id
    assert build([*COMMANDS, "USER 0"], **steps).layers[: len(plain.layers)] is not None
    assert inside(f"{name}:v1", "id", "-u").strip() == "0"


def test_only_what_the_source_has_is_there_to_be_copied(
    library: Imagekit, inside: Inside, root: Path, python_image: str
) -> None:
    name = library.name()

    def listed(**more: object) -> list[str]:
        keywords = {"context": root, "base_image": python_image, "requirements": [], **more}
        DockerImage(name, "v1", stream_progress_to=None, extra_dockerfile_commands=["COPY . /all"], **keywords).build()
        return inside(f"{name}:v1", "sh", "-c", "cd /all && find . -type f | sort").split("\n")[:-1]

    own = ["./extra/a.txt", "./extra/b.log", "./extra/with space [1].txt", "./flow.py", "./settings.txt"]
    assert listed() == own
    (root / ".dockerignore").write_text("*\n!extra\n**/*.log\n")
    assert listed() == ["./extra/a.txt", "./extra/with space [1].txt"]
    (root / "other.ignore").write_text("**\n!flow.py\n")
    assert listed(dockerignore="other.ignore") == ["./flow.py"]


def test_by_the_table_and_the_command_line(imagekit: Imagekit, inside: Inside, root: Path, python_image: str) -> None:
    (root / "imagekit.toml").write_text(
        f'base-image = "{python_image}"\nrequirements = []\nextra-dockerfile-commands = ["ENV ONE=1"]\n'
    )
    words = ("build", root, "--name", imagekit.name(), "--dockerfile-command", "ENV TWO=$ONE$ONE")
    built = imagekit.json(*words)
    assert inside(built["reference"], "sh", "-c", "echo $ONE $TWO").split() == ["1", "11"]
    again = imagekit.json(*words)
    assert (again["image_id"], again["up_to_date"]) == (built["image_id"], True)
    (root / "flow.py").write_text("def etl(): return 2\n")
    edited = imagekit.json(*words)
    assert inside(edited["reference"], "sh", "-c", "echo $TWO; cat flow.py").split("\n")[:2] == [
        "11",
        "def etl(): return 2",
    ]
    text = imagekit.json("dockerfile", root)["dockerfile"]
    assert text.splitlines()[-3:] == ["USER 0:0", "ENV ONE=1", "USER app"]
    assert imagekit.json("plan", root)["commands"] == ["ENV ONE=1"]


def test_what_goes_wrong(library: Imagekit, engine: Engine, root: Path, python_image: str) -> None:
    name = library.name()
    keywords = {"context": root, "base_image": python_image, "requirements": [], "stream_progress_to": None}

    def build(*commands: str, **more: object) -> None:
        DockerImage(name, "v1", extra_dockerfile_commands=commands, **keywords, **more).build()

    with pytest.raises(DockerfileFailed, match="extra_dockerfile_commands did not build") as caught:
        build("RUN echo the-words-of-the-step >&2 && exit 9")
    assert "the-words-of-the-step" in str(caught.value.details)
    with pytest.raises(CheckFailed):
        build("RUN rm /app/flow.py", entrypoints=["flow.py:etl"])
    with pytest.raises(InvalidConfig, match="left out of the image"):
        build("COPY flow.py /x", include_source=False)
    assert engine.image(f"{name}:v1") is None
    assert names_of_loading(engine) == []


@pytest.mark.soak
@pytest.mark.xdist_group("own_engine")
def test_on_the_containerd_store(
    own_engine: MakeEngine, library: Imagekit, root: Path, python_image: str, inside: Inside,
    monkeypatch: pytest.MonkeyPatch, engine: Engine,
) -> None:  # fmt: skip
    other = own_engine(containerd_store=True)
    with other.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    monkeypatch.setenv("IMAGEKIT_ENGINE", other.address)
    name = library.name()
    keywords = {"context": root, "base_image": python_image, "requirements": [], "stream_progress_to": None}
    image = DockerImage(name, "v1", extra_dockerfile_commands=["RUN id -u > /who"], **keywords)
    first = image.build()
    assert isinstance(first, BuildResult)
    assert inside(f"{name}:v1", "sh", "-c", "cat /who && id -un", address=other.address).split() == ["0", "app"]
    second = image.build()
    assert isinstance(second, BuildResult)
    assert (second.image_id, second.up_to_date) == (first.image_id, True)
