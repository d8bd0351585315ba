"""Somebody at a terminal who does what a page says, from its first block to its last."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .blocks import Block, is_seen, steps

_FOREIGN = ("IMAGEKIT_", "PREFECT_", "DOCKER_", "SOURCE_DATE_EPOCH", "XDG_", "PIP_FIND_LINKS", "NETRC")
# What is typed where a command asks, and what $TOKEN is.
TYPED = "s3cret-of-the-page"


@dataclass(kw_only=True)
class Reader:
    """``home`` is a user's, ``directory`` where the terminal is; ``stand_ins`` take the place of hosts of examples."""

    home: Path
    directory: Path
    variables: Mapping[str, str]
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        # What a line of a page leaves behind in its terminal: the next one begins there.
        self._left = self.home / "left.sh"
        self._left.write_text("")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
            "UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "HOME": str(self.home),
            "IMAGEKIT_PYTHON": "3.11",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "TOKEN": TYPED,
            **self.variables,
        }

    def does(self, block: Block) -> None:
        """Type what ``block`` says, and look at what is seen; a file is written."""
        text = self._here(block.text)
        if block.file is not None:
            path = self.directory / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif block.is_run and block.language == "python":
            done = self._run([sys.executable, "-"], text)
            assert done.returncode == block.ends_with, f"{block.place}\n{done.stdout}"
        elif block.is_run:
            self._type(block)

    def _type(self, block: Block) -> None:
        mark = f"--{secrets.token_hex(8)}--"
        todo = steps(block)
        lines = [f". {self._left}", "set -e"]
        for step in todo:
            lines += [self._here(step.command), f"printf '\\n%s\\n' {mark}"]
        keep = f"{{ declare -px; printf 'cd %q\\n' \"$PWD\"; }} >{self._left}"
        script = "\n".join([f"trap {shlex.quote(keep)} EXIT", *lines])
        done = self._run(["bash", "-c", script], f"{TYPED}\n")
        assert done.returncode == block.ends_with, f"{block.place} ended with {done.returncode}\n{done.stdout}"
        left = self._left.read_text().rpartition("\ncd ")[2].strip()
        self.directory = Path(left)
        for step, printed in zip(todo, done.stdout.split(f"\n{mark}\n"), strict=False):
            seen = self._here(step.seen)
            assert is_seen(seen, printed), f"{block.place}\n$ {step.command}\n{printed}"

    def _run(self, command: list[str], typed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=self.environment,
        )

    def _here(self, text: str) -> str:
        for name, stand_in in self.stand_ins.items():
            text = text.replace(name, stand_in)
        return text
