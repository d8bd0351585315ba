"""The site of these pages: nothing in it leads nowhere, and whoever reads it asks no other server for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from imagekit import Cron, DeploymentSpec, Interval, RunResult, RunSettings
from imagekit.advising.values import Advice
from imagekit.explaining.results import BuildResult, BuiltLayer, PlatformImage, WrittenResult
from imagekit.runs.values import RunProblem, SerializedResult

from .blocks import ROOT, pages

# Values whose fields people read or write, by the module that the page names.
VALUES = {
    "imagekit": (RunSettings, RunResult, DeploymentSpec, Cron, Interval),
    "imagekit.runs.values": (RunProblem, SerializedResult),
    "imagekit.explaining.results": (BuildResult, WrittenResult, PlatformImage, BuiltLayer),
    "imagekit.advising.values": (Advice,),
}

# What a browser fetches by itself: scripts, styles, fonts, images.
_FETCHED = re.compile(
    r"""(?:src|<link[^>]*\shref)=["'](?:https?:)?//[^"']*"""
    r"""|url\(["']?(?:https?:)?//[^)]*|@import[^;]*//"""
)


@pytest.mark.soak
def test_the_site_is_made_and_stands_alone(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("sphinx-build")
    words = ["-q", "-W", "--keep-going", "-E", "-b", "html", "-d", str(tmp_path / "doctrees"), "docs"]
    made = subprocess.run([program, *words, str(tmp_path / "site")], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    files = [path for path in (tmp_path / "site").rglob("*") if path.suffix in (".html", ".css")]
    written = {path.relative_to(tmp_path / "site").with_suffix(".md").as_posix() for path in files}
    assert {page.removeprefix("docs/") for page in pages()} - written == {"README.md"}
    assert {path.name: found for path in files if (found := _FETCHED.findall(path.read_text("utf-8")))} == {}
    # Names of the library, from their docstrings.
    api = (tmp_path / "site" / "api.html").read_text("utf-8")
    for name in ("imagekit.DockerImage.build", "imagekit.run", "imagekit.Secret", "imagekit.errors.InputError"):
        assert f'id="{name}"' in api
    assert "bytes of the container at its largest" in meaning(api, "imagekit.RunResult.peak_memory")
    named = [f"{module}.{value.__name__}" for module, values in VALUES.items() for value in values]
    of_fields = [
        f"{module}.{value.__name__}.{each.name}"
        for module, values in VALUES.items()
        for value in values
        for each in fields(value)
    ]
    assert [name for name in (*named, *of_fields) if not meaning(api, name)] == []


def meaning(page: str, name: str) -> str:
    """What is said of ``name`` below its signature, without tags; empty where nothing is."""
    found = re.search(rf'<dt [^>]*id="{re.escape(name)}">.*?</dt>\s*<dd>(.*?)(?:</dd>|<dl )', page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""
