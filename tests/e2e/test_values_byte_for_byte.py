"""Values that go into an image, a Dockerfile or a container come out byte for byte; many in each build."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from imagekit import DockerImage, run
from imagekit.engine.client import Engine

from .conftest import Imagekit, Inside

# What shells, BuildKit's words, JSON, TOML and heredocs read as something else.
EACH = [
    *(
        '"',
        "'",
        "\\",
        "\\\\",
        "$",
        "$X",
        "${X:-y}",
        "${",
        "}",
        "$$",
        "$(id)",
        "`id`",
        "<<EOF",
        "0<<-'E'",
        "#",
        "# x",
    ),
    *(
        " ",
        "  ",
        "\t",
        "-",
        "--from=x",
        "=",
        "==",
        ",",
        ";",
        "&&",
        "|",
        ">",
        "*",
        "?",
        "[a]",
        "!",
        "%s",
        "\x07",
        "\x1b[0m",
    ),
    *(
        "é",
        "日本",
        "\u2028",
        "\u0085",
        "\ufeff",
        "\U0001f37a",
        "a",
        "HOME",
        '["json"]',
        "\\n",
        "\\u0041",
        "{{.}}",
        "~",
    ),
]
PIECES = st.sampled_from(EACH)
ANY = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\0"), max_size=12)
LINES = st.one_of(st.lists(PIECES, max_size=6).map("".join), ANY)
TEXTS = st.one_of(LINES, st.lists(LINES, max_size=3).map("\n".join))
NAMES = st.lists(PIECES, min_size=1, max_size=4).map("".join)
FILE_NAMES = NAMES.filter(lambda name: not {"/", "\\"} & set(name) and name not in (".", "..") and len(name) < 60)
MANY = 40
batched = settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def numbered(values: list[str], prefix: str = "V") -> dict[str, str]:
    """Each piece alone, at the start, at the end and in the middle of something, and ``values``, each with a name."""
    known = [
        *EACH,
        *(f"{piece}x" for piece in EACH),
        *(f"x{piece}" for piece in EACH),
        *(f"a {piece} b" for piece in EACH),
    ]
    return {f"{prefix}{number}": value for number, value in enumerate([*known, "", *values])}


def environment_of(inside: Inside, image: str) -> dict[str, str]:
    """The variables of a process in a container of ``image``."""
    program = "import json, os; print(json.dumps({k.decode(): v.decode() for k, v in os.environb.items()}))"
    found: dict[str, str] = json.loads(inside(image, "python", "-X", "utf8", "-c", program))
    return found


@pytest.fixture
def make(library: Imagekit, tmp_path: Path, python_image: str, engine: Engine) -> Callable[..., str]:
    def of(**keywords: Any) -> str:
        root = tmp_path / secrets.token_hex(4)
        root.mkdir()
        (root / "flow.py").write_text("import os\n\n\ndef etl():\n    return dict(os.environ)\n")
        for name in keywords.get("files", {}):
            (root / name).write_text(name)
        image = DockerImage(
            library.name(),
            "v1",
            context=root,
            base_image=python_image,
            requirements=[],
            stream_progress_to=None,
            **keywords,
        )
        image.build()
        return image.reference

    return of


@batched
@given(values=st.lists(LINES, min_size=MANY, max_size=MANY), label_names=st.sets(NAMES, max_size=10), data=st.data())
def test_of_an_automatic_image(
    make: Callable[..., str],
    inside: Inside,
    engine: Engine,
    values: list[str],
    label_names: set[str],
    data: st.DataObject,
) -> None:
    """Assembled, and built by BuildKit from the equivalent Dockerfile: the same, and what was given."""
    env = numbered(values)
    labels = dict(zip(sorted(map(_label, label_names)), [*values, *EACH], strict=False)) | numbered(values, "l.")
    names = sorted(data.draw(st.sets(FILE_NAMES, min_size=5, max_size=15)))
    files = {f"f{number}": f"/files/{number}/{name}" for number, name in enumerate(names)}
    workdir = f"/srv/{data.draw(FILE_NAMES)}".rstrip("/")
    for builder in ("assemble", "buildkit"):
        reference = make(env=env, labels=labels, files=files, workdir=workdir, builder=builder, health_check=False)
        image = engine.image(reference)
        assert image is not None
        assert {k: v for k, v in image.labels.items() if k in labels} == labels
        assert image.settings["WorkingDir"] == workdir
        found = environment_of(inside, reference)
        assert {name: found.get(name) for name in env} == env
        program = (
            "import json, os; print(json.dumps([os.listdir(f'/files/{n}') for n in range(len(os.listdir('/files')))]))"
        )
        listed = json.loads(inside(reference, "python", "-X", "utf8", "-c", program))
        assert listed == [[name] for name in names]
        engine.remove_image(reference, force=True)


def _label(name: str) -> str:
    return "".join(name.replace("=", "").split()).translate(dict.fromkeys((*range(32), 127, 133, 8232))) or "x"


@batched
@given(values=st.lists(TEXTS, min_size=MANY, max_size=MANY))
def test_build_arguments_of_a_dockerfile(
    library: Imagekit, inside: Inside, engine: Engine, python_image: str, tmp_path: Path, values: list[str]
) -> None:
    arguments = numbered(values)
    root = tmp_path / secrets.token_hex(4)
    root.mkdir()
    lines = [f"FROM {python_image}", *(f"ARG {name}" for name in arguments), "RUN cat /proc/self/environ > /environ"]
    (root / "Dockerfile").write_text("\n".join(lines) + "\n")
    image = DockerImage(
        library.name(), "v1", dockerfile="Dockerfile", context=root, buildargs=arguments, stream_progress_to=None
    )
    image.build()
    program = "import json; print(json.dumps(open('/environ', newline='', encoding='utf-8').read().split(chr(0))[:-1]))"
    found = dict(
        entry.split("=", 1) for entry in json.loads(inside(image.reference, "python3", "-X", "utf8", "-c", program))
    )
    assert {name: found.get(name) for name in arguments} == arguments
    engine.remove_image(image.reference, force=True)


@pytest.fixture
def flow_image(make: Callable[..., str]) -> str:
    return make(entrypoints=["flow.py:etl"])


@batched
@given(values=st.lists(TEXTS, min_size=MANY, max_size=MANY))
def test_of_a_run(flow_image: str, values: list[str]) -> None:
    env = numbered(values)
    found = run("flow.py:etl", image=flow_image, env=env).result
    assert {name: found.get(name) for name in env} == env


@batched
@given(values=st.lists(LINES, min_size=6, max_size=6))
def test_of_instructions_that_are_run_on_an_image(
    make: Callable[..., str], inside: Inside, engine: Engine, values: list[str]
) -> None:
    """What is given to them as build arguments arrives; and the image's own variables stay as they were."""
    env, arguments = numbered(values), numbered(values, "A")
    commands = [*(f"ARG {name}" for name in arguments), "RUN cat /proc/self/environ > /environ"]
    reference = make(env=env, extra_dockerfile_commands=commands, buildargs=arguments, health_check=False)
    program = "import json; print(json.dumps(open('/environ', newline='', encoding='utf-8').read().split(chr(0))[:-1]))"
    found = dict(entry.split("=", 1) for entry in json.loads(inside(reference, "python", "-X", "utf8", "-c", program)))
    assert {name: found.get(name) for name in {**env, **arguments}} == {**env, **arguments}
    assert {name: value for name, value in environment_of(inside, reference).items() if name in env} == env
    engine.remove_image(reference, force=True)
