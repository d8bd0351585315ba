"""A context that is large by accident is reported by a build, with its largest parts."""

from __future__ import annotations

import io
import os
import secrets

import pytest

from imagekit import DockerImage

from .conftest import Imagekit, WriteProject


def test_of_a_dockerfile(library: Imagekit, project: WriteProject, python_image: str) -> None:
    root = project({"Dockerfile": f"FROM {python_image}\nRUN --mount=type=bind,target=/all true\n", "data/x": "x"})
    # Random at its end, so that no engine has it.
    with open(root / "data" / "big.bin", "wb") as stream:
        stream.seek(150_000_000)
        stream.write(os.urandom(100))

    def said() -> str:
        stream = io.StringIO()
        DockerImage(library.name(), "v1", dockerfile="Dockerfile", context=root, stream_progress_to=stream).build()
        return stream.getvalue()

    line = said().splitlines()[-1]
    assert line.startswith(
        "the context is large: 150 MB in 3 files; data/big.bin (150 MB in 1 file). To leave them out"
    )
    assert line.endswith("data/big.bin")
    (root / ".dockerignore").write_text("data/big.bin\n")
    assert "is large" not in said()


def test_of_an_automatic_image(
    library: Imagekit, project: WriteProject, python_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagekit.spec.large_source.LARGE_BYTES", 1000)
    root = project({"flow.py": f"X = {secrets.token_hex(8)!r}\n", "out/old.csv": "1,2\n" * 1000, ".dockerignore": ".x"})
    said = io.StringIO()
    keywords = {"base_image": python_image, "requirements": [], "context": root, "stream_progress_to": said}
    DockerImage(library.name(), "v1", **keywords).build()
    (line,) = [line for line in said.getvalue().splitlines() if "is large" in line]
    assert "out/old.csv (4.0 kB in 1 file)" in line
    assert line.endswith("add to .dockerignore, a line each: out/old.csv")
