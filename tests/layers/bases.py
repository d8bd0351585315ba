"""Base images as values, without an engine."""

from __future__ import annotations

import sys

from imagekit.oci.config import ImageConfig
from imagekit.spec.base import BaseImage, PythonInfo
from imagekit.spec.installed import Scheme

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


def base(
    *,
    passwd: str = PASSWD,
    group: str = GROUP,
    directories: tuple[tuple[str, int, int, int], ...] = (("/tmp", 0o1777, 0, 0), ("/root", 0o700, 0, 0)),
    links: tuple[tuple[str, str], ...] = (("/bin", "/usr/bin"), ("/lib64", "/usr/lib64"), ("/var/run", "/run")),
    layers: int = 1,
    **settings: object,
) -> BaseImage:
    """A Debian-like base with Python 3.11.2; ``settings`` are its configuration's."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"], **settings},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{number:064x}" for number in range(layers)]},
        "history": [{"created_by": f"step {number}"} for number in range(layers)],
    }
    python = PythonInfo(
        executable="/usr/bin/python3.11",
        version="3.11.2",
        implementation="cpython",
        cache_tag=sys.implementation.cache_tag or "",
        libc="glibc",
        libc_version="2.36",
        machine="x86_64",
        prefix="/usr",
        markers=(("python_version", "3.11"),),
        command="/usr/bin/python3",
        environment="/usr",
        conda=False,
        scheme=Scheme(
            purelib="/usr/local/lib/python3.11/dist-packages",
            platlib="/usr/local/lib/python3.11/dist-packages",
            scripts="/usr/local/bin",
            headers="/usr/include/python3.11",
            data="/usr/local",
        ),
        distributions=(),
    )
    return BaseImage(
        reference="base:1",
        image_id=f"sha256:{1:064x}",
        config=ImageConfig(config),
        python=python,
        passwd=passwd,
        group=group,
        directories=directories,
        links=links,
    )
