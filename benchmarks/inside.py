"""Runs in an image, given to its Python on standard input: what is installed there, as JSON on standard output.

``meaning`` of bytecode comes from imagekit's ``check/bytecode_program.py``, which stands before it.
"""

import hashlib
import importlib.metadata
import json
import os
import sys

found: dict[str, dict[str, object]] = {"versions": {}, "files": {}, "links": {}}
for distribution in importlib.metadata.distributions():
    found["versions"][distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")] = distribution.version
prefix = sys.prefix
for directory, names, files in os.walk(prefix):
    for name in files + [n for n in names if os.path.islink(os.path.join(directory, n))]:
        path = os.path.join(directory, name)
        relative = os.path.relpath(path, prefix)
        if os.path.islink(path):
            found["links"][relative] = os.readlink(path)
        else:
            status = os.stat(path)
            with open(path, "rb") as file:
                data = file.read()
            if relative.endswith(".pyc"):
                # Not its header: whether a time or a hash stands there is each side's choice.
                data = meaning(bytes(16) + data[16:]).encode()  # type: ignore[name-defined]  # noqa: F821
            elif relative.startswith("bin/") and data.startswith(b"#!"):
                data = b""  # the words of a script are each installer's own
            content = hashlib.sha256(data).hexdigest()
            found["files"][relative] = [content, oct(status.st_mode), status.st_uid, status.st_gid]
json.dump(found, sys.stdout)
