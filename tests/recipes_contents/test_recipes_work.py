"""Each recipe is built on the base, and its program run in what came of it: ``make test-recipes``, and a few always."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache

import pytest

from imagekit.engine.client import Engine
from imagekit.oci.platform import Platform
from imagekit.pipeline import Pipeline
from imagekit.recipes.declared import read_recipe
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.find import provided
from imagekit.recipes.fitted import Repository, fit
from imagekit.recipes.making import FOR_BUILDS, REPOSITORY
from imagekit.settings import Settings
from imagekit.verifying.recipe_check import check_recipe

RECIPES = {name: read_recipe(path) for name, path in provided().items()}
# An apt package with a wheel, an edit of a configuration file, a package that another recipe's driver manager runs.
ALWAYS = ["legacy-tls", "libmagic", "sqlite-odbc"]
THIRD_PARTY = {"mssql-odbc": "packages.microsoft.com", "mssql-tools": "packages.microsoft.com"}
OTHERS = [name for name in RECIPES if name not in ALWAYS and name not in THIRD_PARTY]


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with Pipeline(Settings.load()) as pipeline:
        yield pipeline


@pytest.fixture
def leaves_no_images(engine: Engine, pipeline: Pipeline) -> Iterator[None]:
    """Bases with recipes on them are kept for the next build, and all of them together are large."""
    before = {*engine.tags(REPOSITORY), *engine.tags(FOR_BUILDS)}
    yield
    for name in pipeline.bases.taken - before:
        engine.remove_image(name)


@cache
def reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=10).close()
    except OSError:
        return False
    return True


def works(pipeline: Pipeline, name: str, python_image: str) -> None:
    found = check_recipe(pipeline, RECIPES[name], base_image=python_image)
    assert found.program
    assert found.distribution.startswith("debian 12")


@pytest.mark.parametrize("name", ALWAYS)
def test_a_small_one_works(pipeline: Pipeline, name: str, python_image: str) -> None:
    works(pipeline, name, python_image)


@pytest.mark.recipes
@pytest.mark.parametrize("name", OTHERS)
def test_each_works(pipeline: Pipeline, name: str, python_image: str, leaves_no_images: None) -> None:
    works(pipeline, name, python_image)


@pytest.mark.recipes
@pytest.mark.parametrize("name", THIRD_PARTY)
def test_one_of_a_third_party_works_where_its_host_answers(
    pipeline: Pipeline, name: str, python_image: str, leaves_no_images: None
) -> None:
    if reachable(THIRD_PARTY[name]):
        works(pipeline, name, python_image)
    else:
        assert fit([RECIPES[name]], Distribution.parse("debian:12", Platform.host()))[0].packages


MICROSOFT = "https://packages.microsoft.com"
OLD_KEY = ("microsoft.asc", "BC528686B50D79E339D3721CEB3E94ADBE1229CF")
KEY_OF_2025 = ("microsoft-2025.asc", "AA86F75E427A19DD33346403EE4D7792F748182B")


@pytest.mark.parametrize(
    ("distribution", "codename", "key"),
    [
        ("debian:11", "bullseye", OLD_KEY),
        ("debian:12", "bookworm", OLD_KEY),
        ("debian:13", "trixie", KEY_OF_2025),
        ("ubuntu:22.04", "jammy", OLD_KEY),
        ("ubuntu:24.04", "noble", OLD_KEY),
        ("ubuntu:26.04", "resolute", KEY_OF_2025),
    ],
)
def test_the_driver_of_sql_server_comes_from_one_repository_with_the_key_that_signs_it(
    distribution: str, codename: str, key: tuple[str, str]
) -> None:
    """Microsoft's own instructions, and microsoft/linux-package-repositories issue 305 for the key of 2025."""
    fitted = fit([RECIPES["mssql-odbc"]], Distribution.parse(distribution, Platform.host()))[0]
    assert fitted.repositories == (
        Repository(
            url=f"{MICROSOFT}/{distribution.replace(':', '/')}/prod",
            suite=codename,
            components=("main",),
            architectures=(),
            key=f"{MICROSOFT}/keys/{key[0]}",
            fingerprint=key[1],
            keyring="",
        ),
    )
    assert fitted.packages == ("msodbcsql18",)
    assert fitted.build_env == (("ACCEPT_EULA", "Y"),)
    assert fitted.env == ()
    assert "licence" in fitted.accepts
