"""What a base gives to conda's solver beside packages: conda's virtual packages. Pure.

Source: conda's documentation, "Managing virtual packages". An image has no kernel and no driver: the kernel is the
one that conda's tools take for granted where they cannot look, and there is no ``__cuda``.
"""

from __future__ import annotations

from imagekit.errors import BaseUnusable, InputError
from imagekit.oci.platform import Platform
from imagekit.spec.base import BaseImage

_SUBDIRS = {"amd64": "linux-64", "arm64": "linux-aarch64"}
_KERNEL = "5.10"


def subdir_of(platform: Platform) -> str:
    """conda's name of ``platform``: ``linux-64``."""
    subdir = _SUBDIRS.get(platform.architecture)
    if subdir is None:
        raise InputError(f"conda has no packages for {platform}", hint="linux/amd64 and linux/arm64 are known")
    return subdir


def virtual_packages(base: BaseImage) -> tuple[tuple[str, str, str], ...]:
    """(name, version, build) of each virtual package of an environment on ``base``."""
    libc = base.python.libc
    if libc != "glibc":
        raise BaseUnusable(
            f"conda's packages are made for glibc, and the C library of {base.reference} is {libc}",
            hint="choose a base with glibc, such as Debian's",
        )
    return (
        ("__archspec", "1", base.config.platform.machine),
        ("__glibc", base.python.libc_version, "0"),
        ("__linux", _KERNEL, "0"),
        ("__unix", "0", "0"),
    )
