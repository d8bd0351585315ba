"""Somebody at a terminal who does what a page says, from its first block to its last."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .blocks import Block, is_seen, steps, with_any_figures

_FOREIGN = ("IMAGEKIT_", "PREFECT_", "DOCKER_", "SOURCE_DATE_EPOCH", "XDG_", "PIP_FIND_LINKS", "NETRC")
# What is typed where a command asks, and what $TOKEN is.
TYPED = "s3cret-of-the-page"


@dataclass(kw_only=True)
class Reader:
    """``home`` is a user's, ``directory`` where the terminal is; ``stand_ins`` take the place of hosts of examples.

    ``programs`` is a directory that goes before all others of ``PATH``: unless it is another, the ``bin`` of the
    environment that the tests run in, where imagekit is installed.
    """

    home: Path
    directory: Path
    variables: Mapping[str, str]
    stand_ins: dict[str, str] = field(default_factory=dict)
    programs: Path = Path(sys.executable).parent
    _elsewhere: list[subprocess.Popen[str]] = field(default_factory=list, init=False)

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
            "PATH": os.pathsep.join([str(self.programs), kept["PATH"]]),
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
        elif block.is_run and block.elsewhere:
            self._start(block)
        elif block.is_run and block.language == "python":
            done = self._run(["bash", "-c", f". {self._left}; exec python -"], text)
            assert done.returncode == block.ends_with, f"{block.place}\n{done.stdout}"
        elif block.is_run:
            self._type(block)

    def types(self, page: str, *commands: str) -> None:
        """What is no block of the page: done before it, or after."""
        self.does(Block(page=page, line=0, language="bash", text="\n".join([*commands, ""])))

    def looks_up(self, command: str) -> str:
        """What ``command`` prints, as somebody copies it from there."""
        done = self._run(["bash", "-c", f". {self._left}; {command}"], "")
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def leaves(self) -> None:
        """Ctrl-C in every other terminal; what goes on there ends well."""
        for running in self._elsewhere:
            running.send_signal(signal.SIGINT)
        for running in self._elsewhere:
            printed = running.communicate()[0]
            assert running.returncode in (0, 130), printed
        self._elsewhere.clear()

    def _start(self, block: Block) -> None:
        [step] = steps(block)
        script = f". {self._left}\nexec {self._here(step.command)}"
        self._elsewhere.append(
            subprocess.Popen(
                ["bash", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.directory,
                env=self.environment,
            )
        )

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
            seen = with_any_figures(step.seen) if block.alike else self._here(step.seen)
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
