"""Which packages share a layer, what a layer's key depends on, and what is told of a package."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagekit.conda.channels import shown, without_token
from imagekit.conda.layering import layers_of
from imagekit.conda.remarks import remarks
from imagekit.conda.values import CondaLock, CondaPackage
from imagekit.conda.virtual_packages import subdir_of, virtual_packages
from imagekit.errors import BaseUnusable, InputError
from imagekit.oci.digest import digest_of
from imagekit.oci.platform import Platform
from imagekit.plan.config import conda_packages
from imagekit.spec.base import BaseImage

from ..layers.bases import base


def package(name: str, version: str = "1.0", **more: object) -> CondaPackage:
    file = f"{name}-{version}-0.conda"
    known = {"build": "0", "subdir": "linux-64", "channel": "ours", "url": f"https://conda.example.com/{file}"}
    return CondaPackage(name=name, version=version, filename=file, sha256="1" * 64, **{**known, **more})  # type: ignore[arg-type]


def lock(*packages: CondaPackage) -> CondaLock:
    return CondaLock(packages=tuple(sorted(packages, key=lambda p: p.name)), inputs=digest_of(b""), subdir="linux-64")


PYTHON = package("python", "3.11.2", size=30_000_000)
MODULE = package("module", noarch="python")


def keys(found: CondaLock, on: BaseImage | None = None) -> dict[str, str]:
    layers = layers_of(found, on or base())
    return {p.name: key for layer in layers for p, key in zip(layer.packages, layer.keys, strict=True)}


def test_what_a_key_depends_on() -> None:
    before = keys(lock(PYTHON, MODULE, package("native")))
    # Where it was fetched from on this machine, and whether it was asked for, is no part of it.
    here = package("native", url="file:///srv/a/native-1.0-0.conda")
    there = package("native", url="file:///srv/b/native-1.0-0.conda", direct=True)
    assert keys(lock(here)) == keys(lock(there))
    moved = keys(lock(replace(PYTHON, version="3.11.3"), MODULE, package("native")))
    assert (moved["native"], moved["module"] != before["module"]) == (before["native"], True)
    assert keys(lock(package("native", depends=("x",))))["native"] != before["native"]
    special = base(directories=(("/opt", 0o775, 0, 50),))
    assert keys(lock(package("native")), special)["native"] != before["native"]


def test_what_is_compiled_lies_above_what_compiles_it() -> None:
    layers = layers_of(lock(PYTHON, MODULE, *(package(f"p{n}") for n in range(5))), base())
    assert [layer.is_compiled for layer in layers] == [False] * 6 + [True]
    assert layers[0].packages == (PYTHON,)
    assert layers[-1].history.created_by == "imagekit conda: module=1.0=0"
    steps = [(digest_of(layer.key.encode()), layer.history) for layer in layers]
    config = base().config.extended(layers=steps, settings={}, env={}, labels={}, created=None)
    assert conda_packages(config) == tuple(sorted(p.pin for layer in layers for p in layer.packages))


def test_many_packages_share_layers() -> None:
    many = [package(f"native{n}") for n in range(300)] + [package(f"module{n}", noarch="python") for n in range(100)]
    layers = layers_of(lock(PYTHON, *many), base())
    assert len(layers) <= 79
    assert sum(len(layer.packages) for layer in layers) == 401
    assert all(len({p.noarch for p in layer.packages}) == 1 for layer in layers)
    with pytest.raises(BaseUnusable, match="the base image has 100 layers"):
        layers_of(lock(PYTHON), base(layers=100))


def test_bases_on_which_there_is_no_place() -> None:
    linked = base(links=(("/opt", "/usr/opt"),))
    with pytest.raises(BaseUnusable, match="/opt/conda is /usr/opt/conda, by a link"):
        layers_of(lock(PYTHON), linked)
    there = replace(base(), python=replace(base().python, environment="/opt/conda", conda=True))
    with pytest.raises(BaseUnusable, match="has an environment at /opt/conda already"):
        layers_of(lock(PYTHON), there)


def test_the_platform() -> None:
    assert (subdir_of(Platform("linux", "amd64")), subdir_of(Platform("linux", "arm64"))) == (
        "linux-64",
        "linux-aarch64",
    )
    with pytest.raises(InputError, match="no packages for linux/riscv64"):
        subdir_of(Platform("linux", "riscv64"))
    assert ("__glibc", "2.36", "0") in virtual_packages(base())


def test_what_is_told_of_packages() -> None:
    paths = ["opt/conda/bin/.a-post-link.sh", "opt/conda/etc/conda/activate.d/a.sh", "opt/conda/bin/a"]
    found = remarks([("a=1=0", paths), ("b=1=0", ["opt/conda/bin/post-link.sh"])])
    assert len(found) == 2
    assert "RUN PREFIX=/opt/conda sh /opt/conda/bin/.a-post-link.sh" in found[0]
    assert "etc/conda/activate.d/a.sh" in found[1]


def test_what_an_image_tells_of_a_channel() -> None:
    assert (shown("file:///srv/team/ours/"), shown("conda-forge")) == ("ours", "conda-forge")
    url = "https://u:p@conda.example.com/t/tk-123/team/linux-64/a-1-0.conda"
    assert without_token(url) == "https://conda.example.com/team/linux-64/a-1-0.conda"
