"""Of uv's and pip's own variables, those that reach servers are handed on; the others are read by name, or shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.settings.package_indexes import PackageIndexes
from imagekit.settings.tool_variables import HANDED_ON, handed_on, not_honoured

DECIDING = """UV_NO_SOURCES UV_RESOLUTION UV_TORCH_BACKEND UV_CONSTRAINT UV_OVERRIDE UV_BUILD_CONSTRAINT UV_EXCLUDE
UV_FORK_STRATEGY UV_REQUIRE_HASHES UV_NO_BINARY UV_NO_BINARY_PACKAGE UV_NO_BUILD UV_NO_BUILD_ISOLATION UV_PREVIEW
PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY PIP_ONLY_BINARY PIP_PREFER_BINARY PIP_NO_DEPS PIP_USE_FEATURE
UV_SOMETHING_OF_NEXT_YEAR""".split()
OTHERS = "UV_PYTHON UV_PUBLISH_TOKEN UV_LINK_MODE UV_COMPILE_BYTECODE UV_FROZEN PIP_REQUIRE_VIRTUALENV".split()


@pytest.mark.parametrize("name", [*DECIDING, *OTHERS])
def test_it_does_not_reach_the_resolvers_and_is_told(name: str) -> None:
    assert handed_on({name: "1", "PATH": "/bin"}) == {"PATH": "/bin"}
    assert not_honoured({name: "1"}) == (([name], []) if name in DECIDING else ([], [name]))
    assert not_honoured({name: ""}) == ([], [])


@pytest.mark.parametrize("name", sorted(HANDED_ON))
def test_it_is_handed_on(name: str) -> None:
    assert handed_on({name: "1"}) == {name: "1"}
    assert not_honoured({name: "1"}) == ([], [])


@pytest.mark.parametrize("name", ["UV_INDEX", "UV_INDEX_CORP_PASSWORD", "PIP_INDEX_URL", "HTTPS_PROXY", "no_proxy"])
def test_it_is_said_in_other_words(name: str) -> None:
    assert handed_on({name: "1"}) == {}
    assert not_honoured({name: "1"}) == ([], [])


@pytest.mark.parametrize("name", ["PATH", "SSL_CERT_FILE", "PIPENV_PYTHON", "UVICORN_PORT"])
def test_it_is_none_of_theirs(name: str) -> None:
    assert handed_on({name: "1"}) == {name: "1"}
    assert not_honoured({name: "1"}) == ([], [])


def test_what_files_say_and_nobody_is_told(tmp_path: Path) -> None:
    uv, pip = tmp_path / ".config/uv/uv.toml", tmp_path / "pip.conf"
    uv.parent.mkdir(parents=True)
    uv.write_text('resolution = "lowest"\n[pip]\ntorch-backend = "cpu"\nno-deps = false\n')
    pip.write_text("[global]\nconstraint = limits.txt\n[install]\nno-binary = :all:\nprefer-binary =\n")
    found = PackageIndexes.read({"PIP_CONFIG_FILE": str(pip), "XDG_CONFIG_DIRS": "/none"}, tmp_path)
    assert found.unheeded == (
        [f"resolution ({uv})", f"torch-backend ({uv})", f"constraint ({pip})", f"no-binary ({pip})"], [],
    )  # fmt: skip


def test_the_machines_uv_toml_can_be_left_out(tmp_path: Path) -> None:
    shared = tmp_path / "xdg/uv/uv.toml"
    shared.parent.mkdir(parents=True)
    shared.write_text('index-url = "https://example.com/simple"\n')
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "PIP_CONFIG_FILE": "/dev/null"}
    assert PackageIndexes.read(environ, tmp_path).access().indexes.default == "https://example.com/simple"
    environ["UV_NO_SYSTEM_CONFIG"] = "1"
    assert PackageIndexes.read(environ, tmp_path).access().indexes.default is None
