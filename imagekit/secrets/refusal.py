"""Credentials where everyone who has an image would see them: refused, with the line that does it right.

Build arguments stay in an image's history, environment variables and labels in its configuration. No value is
ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from imagekit.errors import CredentialExposed, InputError
from imagekit.progress import Reporter
from imagekit.secrets.command_text import in_command, in_pair

ALLOWED = "allow_secret_build_args=True (--allow-secret-build-args) takes it as it is"
_OF_STEPS = ("build argument", "ARG", "RUN")


def exposed_values(pairs: Mapping[str, str | None], what: str, where: str = "") -> list[CredentialExposed]:
    """An error for each of ``pairs`` that is a credential; ``what`` they are: ``"build argument"``, ``"label"``.

    ``where`` is put before the message (``"pyproject.toml: [tool.imagekit]"``).
    """
    found = []
    for name, value in sorted(pairs.items()):
        kind = in_pair(name, value) if value else None
        if kind is not None:
            found.append(_error(what, name, kind, where))
    return found


def exposed_in_dockerfile(text: str, where: str, first_line: int | None = 1) -> list[CredentialExposed]:
    """An error for each credential in the text of a Dockerfile: defaults of ``ARG``, ``ENV``, ``LABEL``, ``RUN`` lines.

    ``where`` is the file's name; ``first_line`` ``None``: lines are not told.
    """
    from imagekit.secrets.dockerfile_text import instructions

    found: dict[str, CredentialExposed] = {}
    for instruction in instructions(text):
        place = where if first_line is None else f"{where}:{instruction.line + first_line - 1}"
        if instruction.name in ("ARG", "ENV", "LABEL"):
            problems = [
                _error(instruction.name, name, kind, place)
                for name, value in instruction.pairs
                if (kind := in_pair(name, value)) is not None
            ]
        else:
            kind = in_command(instruction.text)
            problems = [_error(instruction.name, "", kind, place)] if kind is not None else []
        for problem in problems:
            found.setdefault(problem.message, problem)
    return list(found.values())


def refuse(problems: Sequence[InputError], *, allow: bool, reporter: Reporter) -> None:
    """Raise ``problems`` together, if there are any; with ``allow`` say them only."""
    if not problems:
        return
    if not allow:
        raise InputError.join(problems)
    for problem in problems:
        reporter.line(f"allowed: {problem.message}")


def _error(what: str, name: str, kind: str, where: str) -> CredentialExposed:
    subject = f"the {what} {name}" if what.islower() else f"{what} {name}" if name else f"the {what} line"
    secret = re.sub(r"[^a-z0-9._-]", "-", (name or "token").lower())
    variable = re.sub(r"\W", "_", name or "TOKEN")
    handed = f'secrets=["id={secret},env={variable}"] (--secret id={secret},env={variable})'
    shown = "the image"
    before = f"{where}: " if where else ""
    if what == "build context":
        return CredentialExposed(
            f"{before}{subject} holds {kind}, and everyone on this machine would see it",
            hint="leave it out of the address: BuildKit takes the login of a git repository from a secret: "
            'secrets=["id=GIT_AUTH_TOKEN,env=TOKEN"] (--secret id=GIT_AUTH_TOKEN,env=TOKEN)',
        )
    if what in _OF_STEPS:
        shown = "the image's history"
        how = (
            f"hand it over as {handed}, and in the step that needs it: RUN --mount=type=secret,id={secret} "
            f'{variable}="$(cat /run/secrets/{secret})" COMMAND'
        )
    elif what in ("label", "LABEL"):
        how = "leave it out: a label is read by all who have the image"
    elif name:
        how = f"give it to each run (imagekit run --env {name}), or to a step of the build: {handed}"
    else:
        how = f"hand it to the step that needs it: {handed}, RUN --mount=type=secret,id={secret} COMMAND"
    return CredentialExposed(f"{before}{subject} holds {kind}, and {shown} would show it", hint=f"{how}; {ALLOWED}")
