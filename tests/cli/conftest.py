"""The program as a person starts it: a process with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Completed = subprocess.CompletedProcess[str]
Imagekit = Callable[..., Completed]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """No configuration of this machine's, and an engine that is not there."""
    (tmp_path / "home").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(tmp_path / "home"),
        "IMAGEKIT_ENGINE": f"unix://{tmp_path}/no.sock",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def process(environ: dict[str, str], tmp_path: Path) -> Imagekit:
    """The program in a process of its own, also where a module's ``imagekit`` is the one of this process."""

    def start(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Completed:
        return subprocess.run(
            [sys.executable, "-m", "imagekit", *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**environ, **(env or {})},
            cwd=cwd or tmp_path,
        )

    return start


@pytest.fixture
def imagekit(process: Imagekit) -> Imagekit:
    return process


@pytest.fixture
def here(environ: dict[str, str], tmp_path: Path) -> Imagekit:
    """The same in this process, for long tables: a tenth of the time. It has what its caller has imported already."""
    from typer.testing import CliRunner

    from imagekit.cli.app import app

    def start(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Completed:
        # Options write to the environment, too: --profile does.
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update({**environ, **(env or {})})
            with pytest.MonkeyPatch.context() as patched:
                patched.chdir(cwd or tmp_path)
                done = CliRunner().invoke(app, [*arguments], prog_name="imagekit")
        finally:
            os.environ.clear()
            os.environ.update(before)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Completed(arguments, done.exit_code, done.stdout, done.stderr)

    return start
