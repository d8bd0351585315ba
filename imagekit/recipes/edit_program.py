"""Runs in a recipe's step: changes text files by regular expressions.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps to the syntax of
Python 3.8. Its argument is a JSON file: a list of objects with path, match, replace and append.
"""

import json
import os
import re
import sys


def changed(text: str, edit: "dict[str, str]") -> "str | None":
    """``text`` with the change made; ``None`` where what is to be matched is nowhere."""
    if edit["match"] is None:
        return text + ("" if text.endswith("\n") or not text else "\n") + edit["append"].rstrip("\n") + "\n"
    pattern = re.compile(edit["match"], re.MULTILINE)
    if pattern.search(text) is None:
        return None
    if edit["replace"] is not None:
        return pattern.sub(edit["replace"], text)
    added = edit["append"].rstrip("\n")
    ends = set()
    for found in pattern.finditer(text):
        at = text.find("\n", max(found.start(), found.end() - 1))
        ends.add(len(text) if at < 0 else at)
    for at in sorted(ends, reverse=True):
        text = text[:at] + "\n" + added + text[at:]
    return text


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as stream:
        edits = json.load(stream)
    for edit in edits:
        path = edit["path"]
        if not os.path.isfile(path):
            sys.exit("imagekit: " + path + " is not there, and is to be changed")
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            before = stream.read()
        after = changed(before, edit)
        if after is None:
            sys.exit("imagekit: " + path + " has no match of " + repr(edit["match"]))
        if after != before:
            # In place: owner and permissions stay.
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
                stream.write(after)


if __name__ == "__main__":
    main()
