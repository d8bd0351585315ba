"""Reading a base image that no engine runs, from its configuration and layers alone.

The same facts as ``stages.probe`` reads in a container, for any platform; nothing of the base is started.
What was read is kept by the configuration's digest, and beside it what the base's interpreter needs to run here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.errors import BaseUnusable
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents
from imagekit.stages import installed
from imagekit.stages.base_record import FORMAT, base_of, checked_probe, kept_record
from imagekit.stages.image_python import ImagePython, find_python, markers
from imagekit.stages.installed_files import read_installed
from imagekit.stages.library_path import libraries_of, library_path
from imagekit.stages.tree_facts import special_directories_and_links
from imagekit.stages.unpacked import Unpacked, publish, unpacking


def base_from_content(
    content: ImageContent, reference: str, cache: Path, reporter: Reporter | None = None
) -> BaseImage:
    """What the image ``content`` is, from ``cache`` where it was read before; its ``image_id`` is the config digest.

    Raises ``BaseUnusable`` for what has no Python to be read, or layers that are not what their digests say.
    """
    image_id = content.config.digest
    known = kept_record(_record(cache, image_id))
    if known is None:
        known = _read(content, reference, cache, reporter or SilentReporter())
    # Two names may have one configuration with layers compressed differently.
    layers = [blob.descriptor.to_json() for blob in content.layers]
    return base_of(reference, image_id, {**known, "layers": layers})


def contents_from_content(
    base: BaseImage, content: ImageContent, cache: Path, reporter: Reporter | None = None
) -> Contents:
    """The files and requirements of what ``base`` has installed, from ``cache`` where they are still there."""

    def again() -> Mapping[str, Any]:
        with unpacking(content, base.reference, unpacked_store(cache)) as files:
            python = find_python(files, content.config, base.reference)
            return read_installed(files, python, content.config)

    return installed.read_contents(base, cache, again)


def unpacked_base(content: ImageContent, reference: str, cache: Path, reporter: Reporter | None = None) -> Path:
    """The directory with what the base's interpreter needs: ``root/`` and ``note.json``; made where it is missing."""
    directory = unpacked_store(cache) / content.config.digest.removeprefix("sha256:")
    # Before it is looked at: what is marked stays.
    mark_used(directory / "note.json", cache)
    if not (directory / "note.json").is_file():
        _read(content, reference, cache, reporter or SilentReporter())
    return directory


def unpacked_store(cache: Path) -> Path:
    """Where unpacked bases lie, each below the hex digits of its configuration's digest."""
    return cache / "unpacked"


def _read(content: ImageContent, reference: str, cache: Path, reporter: Reporter) -> Mapping[str, Any]:
    image_id = content.config.digest
    with (
        reporter.task(f"reading {reference}"),
        unpacking(content, reference, unpacked_store(cache)) as files,
    ):
        python = find_python(files, content.config, reference)
        if python.machine != content.config.platform.machine:
            raise BaseUnusable(
                f"{reference} is said to be for {content.config.platform}, and its Python is for {python.machine}",
                hint="choose another base image",
            )
        probe = checked_probe(reference, _probe(files, python, content.config))
        found = read_installed(files, python, content.config)
        installed.keep(found, image_id, cache)
        known = {
            "format": FORMAT,
            "probe": probe,
            "installed": installed.summary(found, python.prefix),
            "config": content.config.document,
            "layers": [],
        }
        note = {
            "version": python.version,
            "cache_tag": python.cache_tag,
            "machine": python.machine,
            "executable": python.executable,
            "prefix": python.prefix,
            "loader": python.loader,
            "libraries": library_path(files, python, content.config),
            "reference": reference,
        }
        publish(files, image_id.removeprefix("sha256:"), json.dumps(note).encode(), unpacked_store(cache))
    write_whole(_record(cache, image_id), json.dumps(known).encode())
    return known


def _probe(files: Unpacked, python: ImagePython, config: ImageConfig) -> Mapping[str, Any]:
    """The object that ``probe_program.py`` prints."""
    directories, links = special_directories_and_links(files.tree)
    release = _text(files, "/etc/os-release") or _text(files, "/usr/lib/os-release")
    return {
        "command": python.command,
        "executable": python.executable,
        "version": python.version,
        "implementation": "cpython",
        "cache_tag": python.cache_tag,
        "libc": python.libc,
        "libc_version": python.libc_version,
        "machine": python.machine,
        "prefix": python.prefix,
        "markers": dict(markers(python)),
        "passwd": _text(files, "/etc/passwd"),
        "group": _text(files, "/etc/group"),
        "directories": directories,
        "links": links,
        "release": release,
        "libraries": libraries_of(files, library_path(files, python, config)),
    }


def _text(files: Unpacked, path: str) -> str:
    return (files.content(path) or b"").decode("utf-8", "surrogateescape")


def _record(cache: Path, image_id: str) -> Path:
    # Beside what an engine's base left, whose layers are as the engine has them.
    return cache / "bases" / f"{image_id.removeprefix('sha256:')}.content.json"
