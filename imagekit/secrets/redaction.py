"""Credentials taken out of what people are told: an error repeats what was mistyped, and other programs' words."""

from __future__ import annotations

import re

from imagekit.secrets.needles import CONCEALED
from imagekit.secrets.shapes import shapes_in
from imagekit.secrets.telling import logins, passwords_of_connections, passwords_of_netrc, tokens_of_queries

_KEY_ENDS = rb"-----END[A-Z ]*-----"


def without_credentials(text: str) -> str:
    """``text`` with ``***`` for tokens of known forms, and for passwords and tokens told by where they stand."""
    # A path has one "/" where a URL has two.
    urls = re.sub(r"(?<=[a-z]):/(?=[^/])", "://", text)
    found = {*logins(urls), *passwords_of_connections(text), *passwords_of_netrc(text), *tokens_of_queries(text)}
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, CONCEALED)
    data = text.encode("utf-8", "surrogateescape")
    out, done = b"", 0
    for shape in sorted(shapes_in(data), key=lambda shape: shape.offset):
        if shape.offset < done:
            continue
        out += data[done : shape.offset] + CONCEALED.encode()
        done = shape.end
        if shape.kind == "a private key":
            # Its form is told by its beginning.
            end = re.search(_KEY_ENDS, data[done:])
            done = done + end.end() if end is not None else len(data)
    return (out + data[done:]).decode("utf-8", "surrogateescape")
