"""Instructions that are run on the assembled image: ``extra_dockerfile_commands``, one instruction each.

Source: the Dockerfile reference (docs.docker.com/reference/dockerfile): an instruction's name comes first and in
any case, a ``\\`` at the end of a line continues it, ``<<NAME`` begins a document within it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagekit.errors import InputError, InvalidConfig
from imagekit.nearest import nearest_hint

# All but FROM, which begins another image, and MAINTAINER, which is a label by now.
_INSTRUCTIONS = tuple(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split()
)
_ADDING = ("ADD", "COPY", "RUN", "WORKDIR")
# An image has room for so many layers above ours, on the engines that allow the fewest.
MOST_LAYERS = 8
_NAME = re.compile(r"([A-Za-z]+)(?:\s|$)")
_FROM_ELSEWHERE = re.compile(r"\s--from=")
_MOUNTS = re.compile(r"--mount=(\S+)")


def check_commands(
    commands: Sequence[str], where: str = "extra_dockerfile_commands", *, with_context: bool = True
) -> tuple[str, ...]:
    """``commands`` as they go into a Dockerfile; ``InvalidConfig`` names each that is not one instruction.

    Without ``with_context`` there is no source for them to take anything of.
    """
    problems: list[InputError] = []
    found = []
    for number, command in enumerate(commands, 1):
        try:
            found.append(_checked(command.strip(" \t\n\r"), f"{where}, the {_ordinal(number)}"))
        except InvalidConfig as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    if sum(instruction_of(command) in _ADDING for command in found) > MOST_LAYERS:
        raise InvalidConfig(
            f"{where}: more than {MOST_LAYERS} of them make a layer each", hint="join some: RUN a && b, or RUN <<EOF"
        )
    if not with_context and reads_context(found):
        raise InvalidConfig(
            f"{where} take from the project's files, which are left out of the image",
            hint="bring the file by files= (--file), or let the source go in",
        )
    return tuple(found)


def instruction_of(command: str) -> str:
    """The name of the instruction, in capitals."""
    found = _NAME.match(command)
    return found[1].upper() if found else ""


def reads_context(commands: Sequence[str]) -> bool:
    """Whether one of ``commands`` takes something of the project's directory."""
    return any(_reads_context(command) for command in commands)


def sets_user(commands: Sequence[str]) -> bool:
    """Whether one of ``commands`` says who runs in the image."""
    return any(instruction_of(command) == "USER" for command in commands)


def _reads_context(command: str) -> bool:
    if instruction_of(command) in ("ADD", "COPY"):
        return not _FROM_ELSEWHERE.search(command)
    fields = [mount.split(",") for mount in _MOUNTS.findall(command)]
    kinds = [{name: value for name, _, value in (field.partition("=") for field in each)} for each in fields]
    return any(kind.get("type", "bind") == "bind" and "from" not in kind for kind in kinds)


def _checked(command: str, where: str) -> str:
    if "\0" in command or "\r" in command.replace("\r\n", "\n") or not _is_utf8(command):
        raise InvalidConfig(f"{where} has a NUL or no valid text in it", hint="write it as plain text")
    command = command.replace("\r\n", "\n")
    name = instruction_of(command)
    if name == "FROM":
        raise InvalidConfig(
            f"{where} is FROM: they continue the image that there is",
            hint="base_image is what it is built on; stages go into a Dockerfile of your own",
        )
    if name not in _INSTRUCTIONS:
        raise InvalidConfig(
            f"{where} begins with no instruction of a Dockerfile: {_first_word(command)!r}",
            hint=nearest_hint(name, _INSTRUCTIONS) if name else "write RUN before a command of a shell",
        )
    if len(command.split(maxsplit=1)) < 2:
        raise InvalidConfig(f"{where} is {name} alone", hint=f"write what it is to {name.lower()}")
    lines = command.split("\n")
    if lines[-1].rstrip(" \t").endswith("\\"):
        raise InvalidConfig(f"{where} ends with a '\\', which would join the next one to it", hint="take it off")
    if "<<" not in command:
        # A blank line or a comment stands within a continued instruction.
        parts = [line.strip() for line in lines[:-1]]
        if not all(part.endswith("\\") or not part or part.startswith("#") for part in parts):
            raise InvalidConfig(
                f"{where} is more than one instruction",
                hint="give each its own entry, or end a line that goes on with '\\'",
            )
    return command


def _first_word(command: str) -> str:
    """What a command begins with, and no more: what follows may be a credential."""
    return command.split(None, 1)[0].partition("=")[0][:40] if command.strip() else ""


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
