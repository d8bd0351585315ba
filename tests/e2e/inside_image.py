"""Runs inside an image: its installed distributions looked at as installers and interpreters do. Prints JSON."""

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

problems = []
found = {}
for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    found[name] = distribution.version
    if (distribution.read_text("INSTALLER") or "").strip() != "imagekit":
        problems.append(f"{name}: INSTALLER")
    listed = set()
    for file in distribution.files:
        path = Path(distribution.locate_file(file)).resolve()
        listed.add(path)
        if not path.is_file():
            problems.append(f"{name}: {file} is not there")
        elif file.hash is not None:
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                problems.append(f"{name}: hash of {file}")
            if file.size != path.stat().st_size:
                problems.append(f"{name}: size of {file}")
        elif path.suffix != ".pyc" and path.name != "RECORD":
            problems.append(f"{name}: {file} has no hash")
    editable = "editable" in (distribution.read_text("direct_url.json") or "")
    for path in listed:
        if path.suffix == ".py" and "site-packages" in str(path) and not editable:
            cached = Path(importlib.util.cache_from_source(str(path)))
            if not cached.is_file():
                problems.append(f"{name}: no bytecode of {path}")
                continue
            # As uv has it; who uninstalls finds bytecode by its source's name.
            if cached in listed:
                problems.append(f"{name}: {cached} is in RECORD")
            # PEP 552: bit 0 says that it goes by hash, bit 1 that the source is looked at.
            if cached.read_bytes()[:4] != importlib.util.MAGIC_NUMBER or cached.read_bytes()[4:8] != b"\1\0\0\0":
                problems.append(f"{name}: {cached} is not unchecked")
json.dump({"distributions": found, "problems": problems, "python": sys.version.split()[0]}, sys.stdout)
