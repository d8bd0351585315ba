"""What lint says of a Dockerfile of the user's own: imagekit's rules, and hadolint's where that is at hand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from imagekit.check.lint import ERROR, NOTE, WARNING, Finding, finding
from imagekit.errors import InvalidReference
from imagekit.oci.reference import Reference
from imagekit.secrets.dockerfile_text import instructions
from imagekit.secrets.refusal import exposed_in_dockerfile

ROOT = ("", "root", "0")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+[Aa][Ss]\s+(?P<stage>\S+))?")
_LEVELS = {"error": ERROR, "warning": WARNING, "info": NOTE, "style": NOTE}
_PATIENCE = 60.0  # seconds


def lint_dockerfile(path: Path, shown: str) -> Iterator[Finding]:
    """What is said of the Dockerfile at ``path``, which is called ``shown``."""
    text = path.read_bytes().decode("utf-8", "replace")
    for error in exposed_in_dockerfile(text, shown):
        place, _, message = error.message.partition(": ")
        line = place.rpartition(":")[2]
        number = int(line) if line.isdigit() else None
        yield finding("secret-value", message, error.hint or "", file=shown, line=number)
    users: dict[str, tuple[str, int]] = {}  # of the stages with a name, and the lines that say so
    user, user_line, stage = "", None, ""
    for instruction in instructions(text):
        if instruction.name == "FROM":
            found = _FROM.match(instruction.text)
            if found is None:
                continue
            if stage and user_line is not None:
                users[stage] = (user, user_line)
            image, stage = found["image"], (found["stage"] or "").lower()
            user, user_line = "", instruction.line
            if image.lower() in users:  # a stage begins with all that the one before it ended with
                user, line_of_user = users[image.lower()]
                user_line = line_of_user if user else instruction.line
            elif image != "scratch" and "$" not in image:
                yield from _base(image, shown, instruction.line)
        elif instruction.name == "USER":
            user, user_line = instruction.text.strip().strip("\"'").partition(":")[0], instruction.line
    if user_line is not None and user in ROOT:
        said = "the last stage runs as root" if user else "the last stage names no user, and its base may be root's"
        yield finding("root-user", said, "end it with USER and the number of a user", file=shown, line=user_line)
    yield from _hadolint(path, shown)


def _base(image: str, shown: str, line: int) -> Iterator[Finding]:
    try:
        reference = Reference.parse(image)
    except InvalidReference:
        return
    if reference.digest is not None:
        return
    if reference.tag in (None, "latest"):
        message = f"the base image {image} is another one whenever its maker says so"
        yield finding("latest-tag", message, "name a version: python:3.13-slim", file=shown, line=line)
    message = f"the base image {image} has no digest"
    yield finding("base-unpinned", message, f"write FROM {image}@sha256:… (docker buildx imagetools inspect tells it)",
                  file=shown, line=line)  # fmt: skip


def hadolint_program() -> str | None:
    """hadolint of the PATH, or the one that was installed with imagekit; ``None`` where there is none."""
    beside = Path(sys.executable).with_name("hadolint")
    return shutil.which("hadolint") or (str(beside) if beside.is_file() else None)


def _hadolint(path: Path, shown: str) -> Iterator[Finding]:
    program = hadolint_program()
    if program is None:
        return
    argv = [program, "--no-fail", "--no-color", "--format", "json", "--", str(path)]
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE)
        said = json.loads(done.stdout or b"[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return
    for each in said if isinstance(said, list) else []:
        yield finding(
            "hadolint",
            f"{each['code']}: {' '.join(str(each['message']).split())}",
            f"mend it, or write above it: # hadolint ignore={each['code']}",
            file=shown,
            line=int(each["line"]),
            severity=_LEVELS.get(str(each["level"]), WARNING),
        )
