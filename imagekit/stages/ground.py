"""A base that has no Python, read in its files: what packages that bring one are put on.

The same value as of any other base, whose ``python`` says of the C library what is so, and else nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.errors import BaseUnusable
from imagekit.oci.content import ImageContent
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage
from imagekit.stages.base_record import FORMAT, base_of, kept_record
from imagekit.stages.image_python import libc_of
from imagekit.stages.probe_files import unpacked_store
from imagekit.stages.tree_facts import special_directories_and_links
from imagekit.stages.unpacked import Unpacked, unpacking

# What programs of the platform name as their loader (glibc's and musl's ABIs).
_LOADERS = {
    "amd64": ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"),
    "arm64": ("/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"),
}


def ground_from_content(
    content: ImageContent, image_id: str, reference: str, cache: Path, reporter: Reporter
) -> BaseImage:
    """What the image ``content`` is, from ``cache`` where it was read before; ``image_id`` is where it is known by.

    Raises ``BaseUnusable`` for one without a C library that programs could be linked to.
    """
    path = cache / "bases" / f"{content.config.digest.removeprefix('sha256:')}.ground.json"
    known = kept_record(path)
    if known is None:
        with (
            reporter.task(f"reading {reference}"),
            unpacking(content, reference, unpacked_store(cache)) as files,
        ):
            known = _read(files, content, reference)
        write_whole(path, json.dumps(known).encode())
    layers = [blob.descriptor.to_json() for blob in content.layers]
    return base_of(reference, image_id, {**known, "layers": layers})


def _read(files: Unpacked, content: ImageContent, reference: str) -> Mapping[str, Any]:
    platform = content.config.platform
    found = (libc_of(files, loader) for loader in _LOADERS.get(platform.architecture, ()))
    libc = next((each for each in found if each is not None), None)
    if libc is None:
        raise BaseUnusable(
            f"{reference} has no C library that is known, and no program that is packaged would start",
            hint="choose a base with glibc, such as Debian's",
        )
    directories, links = special_directories_and_links(files.tree)
    none = dict.fromkeys(("command", "executable", "version", "implementation", "cache_tag", "prefix"), "")
    return {
        "format": FORMAT,
        "probe": {
            **none,
            "libc": libc[0],
            "libc_version": libc[1],
            "machine": platform.machine,
            "markers": {},
            "passwd": _text(files, "/etc/passwd"),
            "group": _text(files, "/etc/group"),
            "directories": directories,
            "links": links,
            "release": _text(files, "/etc/os-release") or _text(files, "/usr/lib/os-release"),
            "libraries": [],
        },
        "installed": {
            "environment": "",
            "conda": False,
            "scheme": dict.fromkeys(("purelib", "platlib", "scripts", "headers", "data"), ""),
            "distributions": [],
        },
        "config": content.config.document,
    }


def _text(files: Unpacked, path: str) -> str:
    return (files.content(path) or b"").decode("utf-8", "surrogateescape")
