"""How many layers a derived image has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import BaseUnusable
from imagekit.extras.layering import extra_config, extra_plan
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest, digest_of
from imagekit.plan.layering import LAYER_LIMIT
from imagekit.spec.base import BaseImage, PythonInfo
from imagekit.spec.installed import Scheme


def base_of(layers: int, **settings: object) -> BaseImage:
    diff_ids = [digest_of(str(number).encode()) for number in range(layers)]
    document = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin", "A=b"], "User": "worker", "Cmd": ["python3"], **settings},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    place = "/usr/local/lib/python3.11/dist-packages"
    scheme = Scheme(purelib=place, platlib=place, scripts="/usr/local/bin", headers="/usr/include", data="/usr/local")
    python = PythonInfo(
        executable="/usr/bin/python3.11",
        version="3.11.2",
        implementation="cpython",
        cache_tag="cpython-311",
        libc="glibc",
        libc_version="2.36",
        machine="x86_64",
        prefix="/usr",
        markers=(),
        command="/usr/bin/python3",
        environment="/usr",
        conda=False,
        scheme=scheme,
        distributions=(),
        in_place=True,
    )
    return BaseImage(
        reference="x:1", image_id="sha256:1", config=ImageConfig(document), python=python, passwd="", group=""
    )


def lock_of(count: int) -> Lock:
    packages = tuple(
        LockedPackage(
            name=f"p{number:03}",
            version="1",
            artifact=Artifact(filename=f"p{number:03}-1-py3-none-any.whl", url="", sha256=f"{number:064x}"),
        )
        for number in range(count)
    )
    return Lock(packages=packages, inputs=Digest(""), python="3.11.2", platform="linux/amd64")


@given(st.integers(1, LAYER_LIMIT - 1), st.integers(1, 60))
def test_an_image_keeps_within_the_budget(layers: int, wheels: int) -> None:
    plan = extra_plan(lock_of(wheels), base_of(layers), {})
    assert layers + len(plan.layers) <= LAYER_LIMIT
    assert sorted(pin for layer in plan.layers for pin in layer.packages) == [f"p{n:03}==1" for n in range(wheels)]


def test_one_that_is_full_is_refused() -> None:
    with pytest.raises(BaseUnusable, match="120 layers"):
        extra_plan(lock_of(1), base_of(LAYER_LIMIT), {})


def test_all_but_layers_and_labels_stays_as_it_is() -> None:
    base = base_of(3, Labels={"mine": "1"})
    plan = extra_plan(lock_of(2), base, {"own": "2"})
    config = extra_config(plan, [digest_of(b"a"), digest_of(b"b")])
    assert config.settings == {**base.config.settings, "Labels": {"mine": "1", "own": "2"}}
    # Scripts are found, where nothing else would find them.
    elsewhere = base_of(3, Env=["PATH=/usr/bin"])
    assert extra_plan(lock_of(1), elsewhere, {}).env == {"PATH": "/usr/local/bin:/usr/bin"}
