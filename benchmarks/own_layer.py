"""Runs in an image, given to its Python on standard input: bytes of one distribution's files as a compressed tar.

What a layer of that wheel alone would come to: its files with their bytecode, gzip at its usual level.
"""

import importlib.metadata
import io
import os
import sys
import tarfile

found = set()
for entry in importlib.metadata.files(NAME) or ():  # type: ignore[name-defined]  # noqa: F821
    path = os.path.realpath(str(entry.locate()))
    found.add(path)
    if path.endswith(".py"):
        stem = os.path.splitext(os.path.basename(path))[0]
        tag = sys.implementation.cache_tag
        found.add(os.path.join(os.path.dirname(path), "__pycache__", stem + "." + tag + ".pyc"))
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
    for path in sorted(found):
        if os.path.exists(path):
            archive.add(path)
print(len(buffer.getvalue()))
