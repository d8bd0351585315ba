"""``EXTRA_PIP_PACKAGES``: requirements (PEP 508) with white space between them, and nothing else.

The images that made the variable known hand it to an installer unquoted, so that white space separates its words.
Here it separates requirements: one may have white space in it, as PEP 508 allows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imagekit.errors import InvalidRequirement
from imagekit.spec.extra_pieces import LONGEST, VARIABLE, NoRequirement, split, url_of
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.spec.image import RequirementLine

# Of this machine: a path, or a URL that stands for one.
_PATH = re.compile(r"(?:git\+)?file:|(?![A-Za-z][A-Za-z0-9+.-]*:)[^-]")

__all__ = ["LONGEST", "VARIABLE", "read_extras"]


def read_extras(text: str) -> tuple[RequirementLine, ...]:
    """The requirements of ``text``, in its order; all that is wrong with it is raised at once as ``InputError``.

    Nothing is asked of anything. A URL must hold no credential, neither as a login nor in its query, because it is
    written into the lock and the image.
    """
    from imagekit.secrets.telling import in_text
    from imagekit.spec.requirement import parse_each, parse_requirement

    def parse(piece: str) -> RequirementLine:
        try:
            url = url_of(piece)
        except NoRequirement as problem:
            raise _refused(problem) from None
        if url and _PATH.match(url):
            raise InvalidRequirement(
                f"{VARIABLE}: {url!r} is a path, and what starts has none of this machine's files",
                hint="name it by a URL (NAME @ https://HOST/FILE.whl), or build an image with it: "
                "imagekit build --package PATH",
            )
        return parse_requirement(piece, VARIABLE)

    if not isinstance(text, str):
        raise wrong_type(text, VARIABLE, "a string", f"write {VARIABLE}='boto3 requests>=2'")
    if (kind := in_text(text[: LONGEST + 1])) is not None:
        raise InvalidRequirement(
            f"{VARIABLE} has {kind} in it",
            hint="put logins into ~/.netrc, or give the index one: UV_INDEX_NAME_PASSWORD",
        )
    try:
        pieces: list[str] = split(text)
    except NoRequirement as problem:
        raise _refused(problem) from None
    return tuple(dict.fromkeys(parse_each(pieces, parse)))


def _refused(problem: NoRequirement) -> InvalidRequirement:
    message, hint = problem.args
    return InvalidRequirement(f"{VARIABLE}: {message}", hint=hint)
