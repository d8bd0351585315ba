"""The program as a whole: help, what it imports, how it ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from imagekit.cli.app import app
from imagekit.cli.commands import COMMANDS
from imagekit.cli.ends import end
from imagekit.cli.exit_codes import EXIT_CODES
from imagekit.errors import DiskFull, ImagekitError
from tests.cli.conftest import Imagekit

HEAVY = {
    *("docker", "requests", "urllib3", "rich", "pydantic", "python_on_whales", "packaging", "tomli_w", "platformdirs"),
    *("installer", "pathspec", "click", "http", "ssl", "asyncio", "email", "tempfile", "subprocess"),
}


PROGRAM = """
import sys
from imagekit.cli import main
try:
    main()
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def imported(environ: dict[str, str], *arguments: str) -> set[str]:
    argv = [sys.executable, "-c", PROGRAM, *arguments]
    return set(subprocess.run(argv, capture_output=True, text=True, env=environ, check=True).stderr.split())


def test_help_imports_nothing_heavy(environ: dict[str, str]) -> None:
    modules = imported(environ, "--help")
    assert "typer" in modules
    # What typer itself brings is not ours to leave out.
    brought = set(
        subprocess.run(
            [sys.executable, "-c", "import sys, typer, json; print('\\n'.join(sys.modules))"],
            capture_output=True,
            text=True,
            check=True,
            env=environ,
        ).stdout.split()
    )
    assert not (modules & HEAVY) - brought
    assert {m for m in modules if m.startswith("imagekit.") and not m.startswith("imagekit.cli")} == set()
    assert {m for m in modules if m in {module for module, _ in COMMANDS.values()}} == set()


def test_a_commands_help_imports_no_other_command(environ: dict[str, str]) -> None:
    modules = imported(environ, "build", "--help")
    assert {m for m in modules if m in {module for module, _ in COMMANDS.values()}} == {"imagekit.cli.build"}
    # pydantic is typer's own choice, where it is installed.
    assert not modules & {"docker", "requests", "rich", "packaging"}


def test_short_help_is_the_commands_own() -> None:
    root = typer.main.get_command(app)
    for name, (_, text) in COMMANDS.items():
        command = root.get_command(typer.Context(root), name)
        assert command is not None
        assert command.get_short_help_str(200).rstrip(".") == text.rstrip(".")
        assert command.name == name


def every_command() -> list[list[str]]:
    root = typer.main.get_command(app)
    found = {name: root.get_command(typer.Context(root), name) for name in COMMANDS}
    groups = {name: list(getattr(command, "commands", [""])) for name, command in found.items()}
    return [[name, sub] for name in COMMANDS for sub in groups[name]]


def test_each_command_has_help_with_an_example() -> None:
    # In this process: that a process says the same is looked at for one of them.
    for words in every_command():
        done = CliRunner().invoke(app, [*filter(None, words), "--help"], prog_name="imagekit")
        assert done.exit_code == 0, done.output
        assert "Examples:\n" in done.stdout, words
        assert f"imagekit {' '.join(words).strip()}" in done.stdout
        assert done.stderr == ""


def test_help_is_the_same_in_a_process_of_its_own(imagekit: Imagekit) -> None:
    here = CliRunner().invoke(app, ["work-pool", "create", "--help"], prog_name="imagekit")
    done = imagekit("work-pool", "create", "--help")
    # Lines are two columns longer here.
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, here.stdout.split(), "")


def test_no_arguments_is_help(imagekit: Imagekit) -> None:
    done = imagekit()
    assert (done.returncode, done.stdout, done.stderr) == (0, imagekit("--help").stdout, "")


def test_exit_codes_are_all_in_the_help(imagekit: Imagekit) -> None:
    def codes(kind: type[ImagekitError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(k) for k in kind.__subclasses__()))

    assert codes(ImagekitError) <= set(EXIT_CODES)
    out = imagekit("--help").stdout
    for code, meaning in EXIT_CODES.items():
        assert f"{code:>3}  {meaning}\n" in out


def test_version(imagekit: Imagekit) -> None:
    done = imagekit("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("imagekit 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_commands(imagekit: Imagekit, shell: str) -> None:
    env = {"_IMAGEKIT_COMPLETE": f"complete_{shell}", "COMP_WORDS": "imagekit b", "COMP_CWORD": "1"}
    env |= {"_TYPER_COMPLETE_ARGS": "imagekit b", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = imagekit(env=env)
    assert "build" in done.stdout, done.stderr
    assert "base" in done.stdout
    assert "doctor" not in done.stdout


def test_an_unknown_command_is_told_the_nearest(imagekit: Imagekit) -> None:
    done = imagekit("biuld")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: No such command 'biuld'. Did you mean 'build'?" in done.stderr
    assert "hint: imagekit --help" in done.stderr


def test_a_usage_error_as_json(imagekit: Imagekit) -> None:
    done = imagekit("build", "--nonsense", "--json")
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert found["error"] == "UsageError"
    assert "--nonsense" in found["message"]
    assert found["exit_code"] == 2


def test_an_error_is_one_line_a_hint_and_details_on_stderr(imagekit: Imagekit) -> None:
    done = imagekit("config", "set", "default-namespace=user:secret@host")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "error: default-namespace: not a namespace for images"
    assert lines[1].startswith("  ")
    assert lines[-1].startswith("hint: write a team")
    assert "secret" not in done.stderr


def test_an_error_as_json_is_the_only_thing_on_stdout(imagekit: Imagekit) -> None:
    done = imagekit("base", "ls", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["error"] == "EngineNotFound"
    assert found["exit_code"] == 3
    assert found["hint"]
    assert done.stdout.count("\n") == 1
    assert done.stderr.startswith("error: ")


def test_tracebacks_only_where_asked_for(imagekit: Imagekit) -> None:
    assert "Traceback" not in imagekit("base", "ls").stderr
    assert "Traceback" in imagekit("base", "ls", env={"IMAGEKIT_DEBUG": "1"}).stderr


def test_a_reader_that_went_away_gets_no_traceback(environ: dict[str, str]) -> None:
    for arguments in (["config", "view"], ["--help"], ["build", "--help"], ["--version"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "imagekit", *arguments], stdout=write, stderr=subprocess.PIPE, env=environ
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, b""), arguments


def test_streams_that_are_closed_are_no_fault(environ: dict[str, str]) -> None:
    argv = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-m", "imagekit", "config", "view"]
    assert subprocess.run(argv, env=environ).returncode == 0


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_under_stdout(environ: dict[str, str], more: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "imagekit", "config", "view", *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
    assert done.returncode == 5
    assert done.stderr.startswith("error: no space left on the device")
    assert "Traceback" not in done.stderr


def test_a_used_up_quota_is_told_as_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(errno.EDQUOT, "Disk quota exceeded", "/home/me/file")
    assert end(error, as_json=False, debug=False) == DiskFull.exit_code
    assert capsys.readouterr().err.startswith("error: no space left on the device: /home/me/file\n")


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_end_it_with_a_word(
    environ: dict[str, str], tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    """An engine that never answers, so that the program is surely in the middle of something."""
    address = str(tmp_path / "silent.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(address)
        silent.listen()
        asked = threading.Event()
        kept: list[socket.socket] = []

        def listen() -> None:
            while not asked.is_set():
                connection, _ = silent.accept()
                kept.append(connection)
                if connection.recv(1):
                    asked.set()

        thread = threading.Thread(target=listen)
        thread.start()
        process = subprocess.Popen(
            [sys.executable, "-m", "imagekit", "base", "ls"],
            env={**environ, "IMAGEKIT_ENGINE": f"unix://{address}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        thread.join()
        process.send_signal(number)
        out, err = process.communicate()
        for connection in kept:
            connection.close()
    assert (process.returncode, out, err) == (code, "", f"{word}\n")
