"""Runs in an image, given to its Python on standard input: what is installed there, as JSON on standard output."""

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
            content = None
            # Bytecode's marks of references, and the words of scripts, are each installer's own.
            if not relative.startswith("bin/") and not relative.endswith(".pyc"):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found["files"][relative] = [content, oct(status.st_mode), status.st_uid, status.st_gid]
json.dump(found, sys.stdout)
