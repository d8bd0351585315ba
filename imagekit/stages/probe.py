"""Reading a base image, once: its configuration, its layers and the Python in it.

What was read is kept by image ID, which changes whenever the image does.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from imagekit.plan.user import configured_home
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
            + (f", or imagekit base build {python}" if reference is None else ""),
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
    kept = cache / "bases" / f"{image_id.removeprefix('sha256:')}.json"
    known = kept_record(kept)
    if known is None:
        with reporter.task(f"reading {reference}"):
            # A container starts while the engine writes its archive.
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="imagekit-save") as pool:
                saving = pool.submit(_saved, engine, image_id)
                probe = _probe(engine, reference, image_id)
                saved = saving.result()
            user = str((saved["config"].get("config") or {}).get("User") or "")
            home = configured_home(user, probe["passwd"])
            found = _installed(engine, reference, image_id, probe["command"], home)
            installed.keep(found, image_id, cache)
            packages = installed.summary(found, probe["prefix"])
            known = {"format": FORMAT, "probe": probe, "installed": packages, **saved}
        write_whole(kept, json.dumps(known).encode())
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


def read_contents(connect: Callable[[], Engine], base: BaseImage, cache: Path) -> Contents:
    """The files and requirements of what ``base`` has installed, from ``cache``.

    The engine is asked for, by ``connect``, only where they are gone from there.
    """
    home = configured_home(str(base.config.settings.get("User") or ""), base.passwd)
    return installed.read_contents(
        base, cache, lambda: _installed(connect(), base.reference, base.image_id, base.python.command, home)
    )


def _probe(engine: Engine, reference: str, image_id: str) -> Mapping[str, Any]:
    program = files("imagekit.stages").joinpath("probe_program.py").read_text()
    words = ""
    for python in ("python3", "python"):
        try:
            code, out, err = _output(engine, image_id, [python, "-I", "-c", program])
        except EngineError as error:
            # The engine's word for a program that is not on the image's PATH.
            if type(error) is not EngineError:
                raise
            words = error.message
            continue
        if code == 0:
            return checked_probe(reference, _printed(out))
        words = err.decode(errors="replace")
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


def _installed(engine: Engine, reference: str, image_id: str, python: str, home: str | None) -> Mapping[str, Any]:
    command = [python, "-I", "-c", installed.program(), *([home] if home else [])]
    code, out, err = _output(engine, image_id, command)
    if code != 0:
        raise BaseUnusable(
            f"the packages of {reference} cannot be read",
            hint="its Python, or a package in it, is damaged: try python3 -m pip list in it",
            details=err.decode(errors="replace").strip(),
        )
    return _printed(out)


def _printed(out: bytes) -> Mapping[str, Any]:
    # The last line: a sitecustomize of the base may print before it.
    found: Mapping[str, Any] = json.loads(out.strip().rpartition(b"\n")[2])
    return found


def _output(engine: Engine, image_id: str, command: list[str]) -> tuple[int, bytes, bytes]:
    spec = ContainerSpec(
        image=image_id, entrypoint=command[:1], command=command[1:], kind="probe", network="none", user="0"
    )
    with Container.create(engine, spec) as container:
        streams = container.attach()
        container.start()
        out: list[bytes] = []
        err: list[bytes] = []
        for stream, piece in streams.frames():
            (out if stream == 1 else err).append(piece)
        return container.wait(), b"".join(out), b"".join(err)


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
