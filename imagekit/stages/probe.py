"""Reading a base image, once: its configuration, its layers and the Python in it.

What was read is kept by image ID, which changes whenever the image does.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.engine.client import Engine, EngineImage
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.engine.stream import PiecesReader
from imagekit.errors import BaseNotFound, BaseUnusable, EngineError
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import LAYER_TAR
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.hosts import home_of
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents
from imagekit.stages import installed
from imagekit.stages.base_record import FORMAT, base_of, checked_probe, kept_record
from imagekit.stages.declared import declared_pythons


def default_references(python: str) -> tuple[str, ...]:
    """Base images for Python ``"3.11"`` in the order in which they are looked for."""
    return (f"imagekit/python:{python}", f"python:{python}-slim")


def find_base(
    engine: Engine,
    reference: str | None,
    python: str,
    platform: Platform,
    cache: Path,
    reporter: Reporter,
    *,
    offline: bool = False,
) -> BaseImage:
    """The base image ``reference``, or the default one for ``python``; pulled where the engine lacks it.

    Unless ``offline``, when nothing is pulled.

    Raises ``BaseNotFound`` and ``BaseUnusable``.
    """
    names = (reference,) if reference is not None else default_references(python)
    for name in names:
        image = engine.image(name)
        if image is not None and image.platform.architecture == platform.architecture:
            return _known_by(image, read_base(engine, name, image.id, cache, reporter))
    name = names[-1]
    if offline:
        raise BaseNotFound(
            f"offline, and the engine does not have {' or '.join(names)} for {platform}",
            hint=f"with the network: docker pull {name}"
            + (f", or imagekit base build --python {python}" if reference is None else ""),
        )
    try:
        with reporter.task(f"pulling {name}"):
            image = engine.pull(name, platform)
    except BaseNotFound as error:
        if reference is not None:
            raise
        raise BaseNotFound(
            f"no base image for Python {python}: {name} is not here and cannot be pulled",
            hint=_hint(python, platform),
            details=error.details,
        ) from error
    return _known_by(image, read_base(engine, name, image.id, cache, reporter))


def _known_by(image: EngineImage, base: BaseImage) -> BaseImage:
    """``base`` with the digest by which its repository has it, where it was pulled from there or pushed."""
    wanted = Reference.parse(base.reference)
    digests = [] if wanted.digest is None else [wanted.digest]
    for text in image.repo_digests:
        name, _, digest = text.partition("@")
        if home_of(Reference.parse(name)) == home_of(wanted):
            digests.append(digest)
    return replace(base, digest=Digest(digests[0])) if digests else base


def _hint(python: str, platform: Platform) -> str:
    known = declared_pythons()
    if python in known and platform.architecture != Platform.host().architecture:
        how = f"imagekit base build --python {python} --platform {platform} -o oci:DIRECTORY"
        return f"make one from Debian's packages ({how}), and name it with --base-image oci:DIRECTORY"
    if python in known:
        return f"make one from Debian's packages: imagekit base build --python {python}"
    return f"name a base image (--base-image), or a Python that one can be made with: --python {' or '.join(known)}"


def read_base(engine: Engine, reference: str, image_id: str, cache: Path, reporter: Reporter) -> BaseImage:
    """What the image ``image_id`` is, from ``cache`` where it was read before."""
    kept = _kept(image_id, cache)
    known = kept_record(kept)
    if known is None:
        # A container starts while the engine writes its archive.
        with reporter.task(f"reading {reference}"), ThreadPoolExecutor(1, "imagekit-save") as pool:
            saving = pool.submit(_saved, engine, image_id)
            image = engine.image(image_id)
            looked = _looked(engine, reference, image_id, {} if image is None else image.settings, cache)
            known = {**looked, **saving.result()}
        write_whole(kept, json.dumps(known).encode())
        _looked_at(image_id, cache).unlink(missing_ok=True)
    return base_of(reference, image_id, known)


def described(engine: Engine, reference: str, place: str) -> BaseImage:
    """The image ``place`` of the engine as its archive describes it, called ``reference``; nothing in it is read."""
    image = engine.image(place)
    if image is None:
        raise BaseNotFound(f"{reference} is not in the engine", hint=f"docker pull {reference}")
    none = dict.fromkeys(
        ("command", "executable", "version", "implementation", "cache_tag", "libc", "libc_version", "machine"), ""
    )
    probe = {**none, "prefix": "", "markers": {}, "passwd": "", "group": "", "directories": [], "links": []}
    packages = {
        "environment": "",
        "conda": False,
        "scheme": dict.fromkeys(("purelib", "platlib", "scripts", "headers", "data"), ""),
        "distributions": [],
    }
    known = {"probe": {**probe, "release": "", "libraries": []}, "installed": packages, **_saved(engine, image.id)}
    return _known_by(image, base_of(reference, image.id, known))


def read_to_start(engine: Engine, reference: str, image: EngineImage, cache: Path, reporter: Reporter) -> BaseImage:
    """As ``read_base``, for who does not wait for the engine's archive of the image.

    Its configuration is what inspecting the image shows, which is enough to run something in it, and its layers are
    not described. What was seen is kept for ``read_base``.
    """
    with reporter.task(f"reading {reference}"):
        looked = kept_record(_kept(image.id, cache)) or _looked(engine, reference, image.id, image.settings, cache)
    platform = image.platform
    inspected = {
        "os": platform.os,
        "architecture": platform.architecture,
        "config": dict(image.settings),
        "rootfs": {"type": "layers", "diff_ids": list(image.diff_ids)},
    }
    return base_of(reference, image.id, {**looked, "config": inspected, "layers": []})


def read_contents(connect: Callable[[], Engine], base: BaseImage, cache: Path) -> Contents:
    """The files and requirements of what ``base`` has installed, from ``cache``.

    The engine is asked for, by ``connect``, only where they are gone from there.
    """
    settings = base.config.settings
    return installed.read_contents(
        base, cache, lambda: _look(connect(), base.reference, base.image_id, str(settings.get("User") or ""))[1]
    )


def _kept(image_id: str, cache: Path) -> Path:
    return cache / "bases" / f"{image_id.removeprefix('sha256:')}.json"


def _looked_at(image_id: str, cache: Path) -> Path:
    """Of an image of which no more is known yet."""
    return cache / "bases" / f"{image_id.removeprefix('sha256:')}.looked.json"


def _looked(
    engine: Engine, reference: str, image_id: str, settings: Mapping[str, Any], cache: Path
) -> Mapping[str, Any]:
    """What a container of the image tells of it; ``settings`` are its configuration's."""
    known = kept_record(_looked_at(image_id, cache))
    if known is None:
        probe, found = _look(engine, reference, image_id, str(settings.get("User") or ""))
        installed.keep(found, image_id, cache)
        known = {"format": FORMAT, "probe": probe, "installed": installed.summary(found, probe["prefix"])}
        write_whole(_looked_at(image_id, cache), json.dumps(known).encode())
    return known


def _look(engine: Engine, reference: str, image_id: str, user: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What both programs print in one container; ``user`` is whom the image names as its own."""
    first = files("imagekit.stages").joinpath("probe_program.py").read_text() + _THEN
    words = ""
    for python in ("python3", "python"):
        try:
            command = [python, "-I", "-c", first, installed.program(), user.partition(":")[0]]
            probe, found, words = _printed_by(engine, image_id, command)
        except EngineError as error:
            # The engine's word for a program that is not on the image's PATH.
            if type(error) is not EngineError:
                raise
            words = error.message
            continue
        if probe is None:
            continue
        checked_probe(reference, probe)
        if found is None:
            raise BaseUnusable(
                f"the packages of {reference} cannot be read",
                hint="its Python, or a package in it, is damaged: "
                f"docker run --rm --entrypoint {python} {reference} -m pip list",
                details=words.strip(),
            )
        return probe, found
    if "exec format error" in words:
        raise BaseUnusable(
            f"{reference} is for another processor, whose programs the engine does not run",
            hint="write the image where nothing is run: --output registry, or --output oci:DIRECTORY",
            details=words.strip(),
        )
    raise BaseUnusable(
        f"{reference} has no Python that starts",
        hint="choose a base image with python3 on its PATH: imagekit base build makes one",
        details=words.strip(),
    )


# The second program's argument is the home of the user that the image names (``plan.user.configured_home``).
_THEN = """
sys.stdout.flush()
program, user = sys.argv[1:]
entries = [line.split(":") for line in text("/etc/passwd").splitlines() if line.count(":") == 6]
homes = [entry[5] for entry in entries if user in (entry[0], entry[2]) and user not in ("", "root", "0")]
sys.argv[1:] = homes[:1]
exec(compile(program, "installed_program.py", "exec"), {"__name__": "__main__"})
"""


def _printed_by(
    engine: Engine, image_id: str, command: list[str]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, str]:
    """The two objects that ``command`` prints, as far as it came, and what it wrote to standard error."""
    spec = ContainerSpec(
        image=image_id,
        entrypoint=command[:1],
        command=command[1:],
        kind="probe",
        network="none",
        user="0",
    )
    out: list[bytes] = []
    err: list[bytes] = []
    with Container.create(engine, spec) as container:
        streams = container.attach()
        container.start()
        for stream, piece in streams.frames():
            (out if stream == 1 else err).append(piece)
        streams.close()
    lines = b"".join(out).splitlines()
    return _object(lines, "executable"), _object(lines, "scheme"), b"".join(err).decode(errors="replace")


def _object(lines: list[bytes], key: str) -> Mapping[str, Any] | None:
    """The last of ``lines`` that is an object with ``key``: a sitecustomize of the base may print, too."""
    for line in reversed(lines):
        with suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and key in found:
                return found
    return None


def _saved(engine: Engine, image_id: str) -> dict[str, Any]:
    """Configuration and layer descriptors as the engine's own archive of the image has them.

    Inspecting an image leaves fields out, and on the containerd store the manifest, so the
    archive is read through once; its layers are passed over.
    """
    small: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    with tarfile.open(fileobj=PiecesReader(engine.save(image_id)), mode="r|") as archive:
        for member in archive:
            sizes[member.name] = member.size
            if member.isfile() and member.size < 4 << 20:
                content = archive.extractfile(member)
                small[member.name] = content.read() if content is not None else b""
    (entry,) = json.loads(small["manifest.json"])
    config = json.loads(small[entry["Config"]])
    manifest = _manifest(small)
    if manifest is not None:
        layers = manifest["layers"]
    else:
        layers = [
            {"mediaType": LAYER_TAR, "digest": diff_id, "size": sizes[name]}
            for diff_id, name in zip(config["rootfs"]["diff_ids"], entry["Layers"], strict=True)
        ]
    return {"config": config, "layers": layers}


def _manifest(small: Mapping[str, bytes]) -> Any:
    """The one platform manifest of an OCI layout, if the archive is one."""
    if "index.json" not in small:
        return None
    pending = list(json.loads(small["index.json"])["manifests"])
    for descriptor in pending:
        name = "blobs/sha256/" + Digest(descriptor["digest"]).removeprefix("sha256:")
        value = json.loads(small.get(name, b"{}"))
        if "layers" in value:
            return value
        # An index of platforms: those that were not pulled are not in the archive.
        pending.extend(value.get("manifests") or ())
    return None
