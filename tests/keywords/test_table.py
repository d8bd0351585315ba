"""The table of keywords knows every keyword of those that it is to be like, and the docs print it."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import pytest
from docker.api.build import BuildApiMixin
from python_on_whales.components.buildx.cli_wrapper import BuildxCLI

from imagekit import DockerImage
from imagekit.keywords.page import markdown
from imagekit.keywords.table import BY_NAME, KEYWORDS, Verdict
from imagekit.spec.image import ImageSpec
from imagekit.stages.dockerfile import DockerfileBuild

# prefect.docker.DockerImage, and what its buildx backend takes besides what python-on-whales does.
PREFECT = "name tag dockerfile stream_progress_to build_backend context push pull platform extra_tags".split()
# prefect.storage.Docker of Prefect 0 and 1. Its `path` is another thing than docker-py's, whose name it is.
STORAGE = """registry_url base_image dockerfile dockerignore python_dependencies image_name image_tag env_vars files
    prefect_version local_image ignore_healthchecks base_url tls_config build_kwargs prefect_directory path
    stored_as_script extra_dockerfile_commands""".split()


def parameters(function: object) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "names",
    [parameters(BuildApiMixin.build), parameters(BuildxCLI.build), PREFECT, STORAGE],
    ids=["docker-py", "python-on-whales", "Prefect", "storage.Docker"],
)
def test_every_keyword_is_in_the_table(names: list[str]) -> None:
    assert len(names) > 8
    assert [name for name in names if name not in BY_NAME] == []


def test_the_signature_s_own_are_in_the_table() -> None:
    own = [name for name in parameters(DockerImage.__init__) if name != "build_kwargs"]
    assert [name for name in own if BY_NAME[name].of not in ("Prefect", "imagekit")] == []
    assert {k.name for k in KEYWORDS if k.of == "Prefect"} <= set(own)


def test_a_name_is_there_once_and_means_something() -> None:
    assert len(BY_NAME) == len(KEYWORDS)
    for keyword in KEYWORDS:
        assert keyword.auto.words
        assert keyword.dockerfile.words
        if keyword.same_as is not None:
            assert BY_NAME[keyword.same_as].same_as is None
        if keyword.field is not None:
            assert keyword.field in {field.name for field in fields(DockerfileBuild)}
            assert keyword.dockerfile.verdict is Verdict.HONOURED


def test_what_is_of_the_project_is_in_its_specification() -> None:
    spec = {field.name for field in fields(ImageSpec)}
    project = [k.name for k in KEYWORDS if k.of == "imagekit" and k.auto.verdict is Verdict.HONOURED]
    others = {
        "requirements",
        "packages",
        "extras",
        "groups",
        "builder",
        "output",
        "allow_secret_build_args",
        "conda_channels",
    }
    assert set(project) - others <= spec


def test_the_docs_print_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keywords.md").read_text()
    begin, end = "<!-- python -m imagekit.keywords.page -->\n", "<!-- end -->"
    assert page.partition(begin)[2].partition(end)[0].strip() == markdown().strip()
