"""A warm cache builds with no network; what is missing is named."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator

import pytest

from tests.lock.faulty_index import FaultyIndex

from .conftest import Imagekit

LOGIN = ("reader", "canary-16180")


@pytest.fixture
def index() -> Iterator[FaultyIndex]:
    running = FaultyIndex(login=LOGIN)
    yield running
    running.close()


@pytest.fixture
def nowhere() -> Iterator[dict[str, str]]:
    """Every proxy is a socket where nobody answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        hole = f"http://127.0.0.1:{silent.getsockname()[1]}"
        yield {"HTTP_PROXY": hole, "HTTPS_PROXY": hole, "http_proxy": hole, "https_proxy": hole}


def test_a_warm_cache_builds_with_the_network_black_holed(
    imagekit: Imagekit, index: FaultyIndex, nowhere: dict[str, str]
) -> None:
    name = f"alpha_{secrets.token_hex(4)}"
    index.add(name, "1.0")
    dashed = name.replace("_", "-")
    index.pages[f"/simple/{dashed}/"] = index.pages.pop(f"/simple/{name}/")
    (imagekit.cwd / "flow.py").write_text(f"import {name}\n")
    (imagekit.cwd / "requirements.txt").write_text(f"{dashed}\n")
    environment = {"UV_DEFAULT_INDEX": index.url_as(*LOGIN), "UV_CACHE_DIR": str(imagekit.cwd / "uv")}
    tag = imagekit.name()
    first = imagekit.json("build", ".", "-t", tag, env=environment)
    index.close()
    # Another source, and every layer made anew: from the wheels that are here.
    (imagekit.cwd / "flow.py").write_text(f"import {name}  # edited\n")
    again = imagekit.json("build", ".", "-t", tag, "--offline", "--no-cache", env={**environment, **nowhere})
    assert again["layers"][0]["digest"] == first["layers"][0]["digest"]
    # A black hole alone does as well: nothing has to be asked.
    (imagekit.cwd / "flow.py").write_text(f"import {name}  # edited again\n")
    assert imagekit.json("build", ".", "-t", tag, env={**environment, **nowhere})
    (imagekit.cwd / "requirements.txt").write_text(f"{dashed}\nbeta-{dashed}\n")
    for option in ({"IMAGEKIT_OFFLINE": "true"}, {"UV_OFFLINE": "1"}):
        refused = imagekit.refused("build", ".", "-t", tag, env={**environment, **nowhere, **option})
        assert refused["message"] == f"offline, and uv's cache does not have beta-{dashed}"
    assert LOGIN[1] not in f"{first}{again}{refused}"


def test_a_base_is_not_pulled(imagekit: Imagekit, nowhere: dict[str, str]) -> None:
    (imagekit.cwd / "flow.py").write_text("")
    refused = imagekit.refused(
        "build", ".", "-t", imagekit.name(), "--base", "registry.example.com/none:1", "--offline", env=nowhere
    )
    assert "offline, and the engine does not have registry.example.com/none:1" in refused["message"]


def test_neither_a_registry_nor_a_repository_is_asked(imagekit: Imagekit, nowhere: dict[str, str]) -> None:
    (imagekit.cwd / "requirements.txt").write_text("")
    words = ("build", ".", "-t", imagekit.name(), "--offline")
    elsewhere = ("--output", f"oci:{imagekit.cwd}/out", "--base-image", "127.0.0.1:1/team/base:1")
    refused = imagekit.refused(*words, *elsewhere, env=nowhere)
    assert refused["message"] == "offline, and the base image 127.0.0.1:1/team/base:1 is in a registry"
    assert "oci:DIRECTORY" in refused["hint"]
    (imagekit.cwd / "requirements.txt").write_text("x @ git+http://127.0.0.1:1/team/x@main\n")
    refused = imagekit.refused(*words, "--allow-source-build", "x", env=nowhere)
    assert refused["message"] == "offline, and http://127.0.0.1:1/team/x is asked for"
