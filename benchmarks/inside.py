"""Runs in an image, given to its Python on standard input: what is installed there, as JSON on standard output."""

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
            found["files"][relative] = [os.path.getsize(path), os.stat(path).st_mode & 0o111 != 0]
json.dump(found, sys.stdout)
