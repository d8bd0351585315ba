"""Which words between backquotes are a command that somebody is to type."""

from __future__ import annotations

import pytest

from .told import is_to_type, is_typed


@pytest.mark.parametrize(
    "text",
    [
        "docker pull python:3.11-slim",
        "docker run --rm -p 8000:8000 orders:v1 python -m http.server 8000",
        "pip install ~/imagekit",
        'pip install "$HOME/imagekit[report]"',
        "pip wheel --no-deps PATH_OF_A_CLONE_OF_THIS_REPOSITORY",
        "prefect worker start --pool docker",
        "kubectl apply -f job.yml",
        "make bench ONLY=no-op",
        ".venv/bin/python -m benchmarks --list",
        "imagekit prune --dry-run",
        "imagekit secret set orders-token",
        "imagekit build packages/api",
    ],
)
def test_a_command_with_its_arguments(text: str) -> None:
    assert is_to_type(text)


@pytest.mark.parametrize(
    "text",
    [
        "docker build",
        "docker container ls",
        "docker buildx build --platform",
        "docker run … python -c pass",
        "docker build . -t NAME:TAG",
        "pip check",
        "make test",
        "imagekit build",
        "imagekit secret set",
        "imagekit secret set|ls|delete",
        "imagekit promote RUN",
        "imagekit config set engine=…",
        "imagekit config set --profile prod KEY=VALUE",
    ],
)
def test_a_name_or_what_stands_for_many(text: str) -> None:
    assert not is_to_type(text)


def test_what_is_typed() -> None:
    assert is_typed("imagekit matrix build --push my-matrix.toml")
    assert not is_typed("imagekit matrix build --push other.toml")
    assert not is_typed("kubectl delete -f job.yml")
