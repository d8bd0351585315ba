"""A base read from its files is the base that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import BaseUnusable
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.progress import SilentReporter
from imagekit.stages.probe import read_base, read_contents
from imagekit.stages.probe_files import base_from_content, contents_from_content, unpacked_base

from .contents import archive, content_of_engine, image

BuildImage = Callable[[str, Mapping[str, str]], str]

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\nRequires-Dist: idna>=2\nProvides-Extra: more\n"
SITE = "/usr/local/lib/python3.11/dist-packages"
INSTALLED = {
    "METADATA": METADATA.format(name="Some.Package"),
    "RECORD": "some.py,,\n../../../bin/some,,\nSome.Package-1.5.dist-info/METADATA,,\n",
    "INSTALLER": "pip\n",
    "some.py": "",
    "OLD": "Metadata-Version: 1.0\nName: old-egg\nVersion: 0.1\n",
    "requires.txt": "six\n\n[fast]\nujson>1\n",
    "beside.pth": "/opt/beside\n# a comment\n\nimport os\nnowhere\n",
    "BESIDE": METADATA.format(name="beside"),
}
PUT = (
    f"COPY METADATA RECORD INSTALLER {SITE}/Some.Package-1.5.dist-info/\n"
    f"COPY some.py beside.pth {SITE}/\n"
    f"COPY OLD {SITE}/old_egg.egg-info/PKG-INFO\n"
    f"COPY requires.txt {SITE}/old_egg.egg-info/requires.txt\n"
    "COPY BESIDE /opt/beside/beside-1.5.dist-info/METADATA\n"
    f"RUN python3 -c 'import py_compile; py_compile.compile(\"{SITE}/some.py\")' && touch /usr/local/bin/some\n"
)
BASES = {
    "as it is": "",
    "with packages": PUT,
    "with a path of its own, and by the name python": PUT
    + "ENV PYTHONPATH=/nowhere:/opt/beside\n"
    + "RUN cp /usr/bin/python3.11 /usr/bin/python-real && rm /usr/bin/python3* /usr/bin/python"
    " && mv /usr/bin/python-real /usr/bin/python\n",
    "with a virtual environment": "RUN python3 -m venv --without-pip /opt/venv\nENV PATH=/opt/venv/bin:/usr/bin:/bin\n",
    "with a virtual environment that sees the rest": PUT
    + "RUN python3 -m venv --without-pip --system-site-packages /srv/env\nENV PATH=/srv/env/bin:/usr/bin:/bin\n",
    "with packages of its user": "COPY METADATA RECORD /home/jo/.local/lib/python3.11/site-packages/o-1.5.dist-info/\n"
    "RUN useradd -u 1234 jo && chmod -R a+rX /home\nUSER jo\n",
    "in /usr/local": "RUN cp -a /usr/lib/python3.11 /usr/local/lib/ && cp /usr/bin/python3.11 /usr/local/bin/"
    " && ln -s python3.11 /usr/local/bin/python3 && rm /usr/bin/python3*\n",
    "of conda": "RUN mkdir -p /opt/conda/lib /opt/conda/bin /opt/conda/conda-meta"
    " && cp -a /usr/lib/python3.11 /opt/conda/lib/ && cp /usr/bin/python3.11 /opt/conda/bin/python3\n"
    "COPY METADATA /opt/conda/lib/python3.11/dist-packages/s-1.5.dist-info/METADATA\n"
    "ENV PATH=/opt/conda/bin:/usr/bin:/bin\n",
    "with whiteouts": "RUN rm -r /etc/apt /usr/share/zoneinfo /var/lib/dpkg && mkdir /etc/apt && touch /etc/apt/new"
    " && mkdir -p /opt/deep/er && ln -s deep /opt/link && ln -s /opt/link/er /odd && ln -s nowhere /dangling\n"
    "RUN rm /odd && mkdir /odd && chmod 1777 /odd && rm -r /opt/deep && touch /opt/deep && chown 5:6 /srv\n"
    "RUN rm /opt/deep && mkdir -m 2750 /opt/deep && chown 0:8 /opt/deep && ln -s /dev/shm /shm && ln -s /proc /opt/p\n",
}


@pytest.fixture(scope="session")
def python_content(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> ImageContent:
    """The base as the engine saves it: 125 MB. Those who take it are in one worker, and leave it as it is."""
    return content_of_engine(engine, python_image, tmp_path_factory.mktemp("python-content"))


@pytest.mark.parametrize("kind", BASES)
def test_read_from_files_it_is_what_runs(
    kind: str, engine: Engine, python_image: str, build_image: BuildImage, tmp_path: Path
) -> None:
    image_id = (
        python_image if kind == "as it is" else build_image(f"FROM {python_image}\nUSER 0\n{BASES[kind]}", INSTALLED)
    )
    found = engine.image(image_id)
    assert found is not None
    runs = read_base(engine, "the-base", found.id, tmp_path / "engine", SilentReporter())
    content = content_of_engine(engine, image_id, tmp_path)
    lies = base_from_content(content, "the-base", tmp_path / "files")
    assert replace(lies, image_id=runs.image_id, layers=runs.layers) == runs
    assert lies.image_id == content.config.digest
    contents = contents_from_content(lies, content, tmp_path / "files")
    assert contents == read_contents(lambda: engine, runs, tmp_path / "engine")
    if kind == "with packages":
        # Or the comparison would be of nothing with nothing.
        assert {"some-package", "old-egg", "beside"} <= {known.name for known in lies.python.distributions}
        files = contents.files[f"{SITE}/Some.Package-1.5.dist-info"]
        assert f"{SITE}/__pycache__/some.cpython-311.pyc" in files


def test_the_second_time_no_layer_is_read(engine: Engine, python_image: str, tmp_path: Path) -> None:
    content = content_of_engine(engine, python_image, tmp_path)
    first = base_from_content(content, "the-base", tmp_path / "cache")
    (tmp_path / "layer-0.tar").unlink()
    assert base_from_content(content, "the-base", tmp_path / "cache") == first
    assert json.loads((unpacked_base(content, "the-base", tmp_path / "cache") / "note.json").read_bytes())


def test_nothing_unpacked_leads_out(engine: Engine, python_image: str, build_image: BuildImage, tmp_path: Path) -> None:
    odd = "RUN cd /usr/lib/python3.11 && ln -s / out && ln -s ../../../../../../.. up && ln -s /etc /usr/lib/etc"
    built = build_image(f"FROM {python_image}\nUSER 0\n{odd}\n", {})
    content = content_of_engine(engine, built, tmp_path)
    root = (unpacked_base(content, "the-base", tmp_path / "cache") / "root").resolve()
    links = [Path(top, name) for top, dirs, files in os.walk(root) for name in (*dirs, *files)]
    links = [path for path in links if path.is_symlink()]
    assert links
    for link in links:
        assert not os.readlink(link).startswith("/")
        assert link.resolve(strict=True).is_relative_to(root)
        # In one step: what is not followed through another link cannot be led astray by one.
        assert Path(os.path.normpath(link.parent / os.readlink(link))) == link.resolve()


SCRIPT = ("usr/bin/python3", "file", {"data": b"#!/bin/sh\nexec pypy3\n", "mode": 0o755})


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((), "neither python3 nor python"),
        ((SCRIPT,), "it is a script"),
        ((("usr/bin/python3", "file", {"data": b"\x7fELF" + bytes(9), "mode": 0o755}),), "it is a script"),
        ((("usr/bin/python3", "file", {"data": b"", "mode": 0o644}),), "neither python3 nor python"),
        ((("usr/bin/python3", "link", {"linkname": "python3"}),), "neither python3 nor python"),
        ((("usr/bin/python3", "dir"),), "neither python3 nor python"),
    ],
)
def test_bases_that_are_none(members: tuple[tuple[str, str]], words: str, tmp_path: Path) -> None:
    with pytest.raises(BaseUnusable, match="no Python that can be read") as caught:
        base_from_content(image([archive(*members)]), "the-base", tmp_path)
    assert words in (caught.value.details or "")
    assert not list(tmp_path.glob("*/.new-*"))


@pytest.mark.xdist_group("python_content")
def test_onbuild_is_refused(
    engine: Engine, python_image: str, build_image: BuildImage, python_content: ImageContent, tmp_path: Path
) -> None:
    built = engine.image(build_image(f"FROM {python_image}\nONBUILD RUN true\n", {}))
    assert built is not None
    document = python_content.config.document
    steps = {"OnBuild": built.settings["OnBuild"]}
    odd = replace(python_content, config=ImageConfig({**document, "config": {**document["config"], **steps}}))
    with pytest.raises(BaseUnusable, match="ONBUILD"):
        base_from_content(odd, "the-base", tmp_path / "cache")


@pytest.mark.xdist_group("python_content")
def test_a_base_of_another_processor_than_it_says(python_content: ImageContent, tmp_path: Path) -> None:
    document = {**python_content.config.document, "architecture": "arm64"}
    odd = replace(python_content, config=ImageConfig(document))
    with pytest.raises(BaseUnusable, match="its Python is for x86_64"):
        base_from_content(odd, "the-base", tmp_path / "cache")
