"""What conda keeps of an installed package: ``conda-meta/NAME-VERSION-BUILD.json``, and the history beside it. Pure.

The fields are conda's ``PrefixRecord``. It names no path of the machine that built the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imagekit.conda.values import CondaLock, CondaPackage

HISTORY = "conda-meta/history"
_HARD_LINK = 1  # conda's LinkType: how its files came to be there


def prefix_record(package: CondaPackage, index: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The record of ``package``; ``index`` is its own ``index.json``, ``rows`` its files as ``paths_data`` has them."""
    paths = sorted(rows, key=lambda row: str(row["_path"]))
    kept = {name: index[name] for name in ("arch", "platform", "track_features", "features") if index.get(name)}
    document: dict[str, Any] = {
        **kept,
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": package.build_number,
        "subdir": package.subdir,
        "fn": package.filename,
        "channel": package.channel,
        "url": package.shown_url,
        "sha256": package.sha256,
        "md5": package.md5,
        "size": package.size,
        "depends": list(package.depends),
        "constrains": list(package.constrains),
        "license": package.license,
        "timestamp": package.timestamp,
        "noarch": package.noarch,
        "python_site_packages_path": package.site_packages,
        "files": [row["_path"] for row in paths],
        "link": {"source": "", "type": _HARD_LINK},
        "extracted_package_dir": "",
        "package_tarball_full_path": "",
        "requested_spec": "",
    }
    # Readers take these for texts or lists, whatever is in them; of the others what is empty is left out.
    always = ("depends", "constrains", "files", "link", "build_number", "channel", "subdir", "url", "size")
    document = {
        name: value
        for name, value in document.items()
        if value or name in always or name.endswith(("_dir", "_path", "_spec"))
    }
    document["paths_data"] = {"paths": list(paths), "paths_version": 1}
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def history(lock: CondaLock, asked: Iterable[str]) -> bytes:
    """conda's record of what was done to an environment: one revision, of no time."""
    lines = ["==> 1980-01-01 00:00:00 <==", "# cmd: imagekit build"]
    lines += [f"+{package.channel}/{package.subdir}::{package.dist}" for package in lock.packages]
    lines.append(f"# update specs: {json.dumps(sorted(asked))}")
    return ("\n".join(lines) + "\n").encode()
