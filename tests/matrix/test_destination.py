"""Where a matrix's images go: an engine holds one platform, registries and layouts hold all."""

from __future__ import annotations

import pytest

from imagekit.errors import InputError
from imagekit.matrix.declared import CategoryTable, MatrixTable
from imagekit.matrix.destination import destination
from imagekit.oci.platform import Platform

HOST = str(Platform.host())
OTHER = "linux/arm64" if HOST == "linux/amd64" else "linux/amd64"


def table(*platforms: str) -> MatrixTable:
    core = CategoryTable(name="core", requirements=())
    return MatrixTable(name="a/b", python=("3.11",), category=(core,), platform=platforms or None)


@pytest.mark.parametrize(
    ("declared", "output", "given", "expected"),
    [
        ((), "engine", (), [HOST]),
        ((HOST, OTHER), "engine", (), [HOST]),
        ((OTHER, HOST), "registry", (), [OTHER, HOST]),
        ((HOST, OTHER), "oci:x", (OTHER,), [OTHER]),
        ((), "oci:x", (), [HOST]),
        ((), "oci:x", (HOST, OTHER), [HOST, OTHER]),
        ((OTHER,), "engine", (HOST,), [HOST]),
    ],
)
def test_platforms(declared: tuple[str, ...], output: str, given: tuple[str, ...], expected: list[str]) -> None:
    found = destination(table(*declared), output=output, platform=given)
    assert list(map(str, found.platforms)) == expected


@pytest.mark.parametrize(
    ("declared", "asked", "words"),
    [
        ((OTHER,), {}, "the engine here is for"),
        ((HOST, OTHER), {"push": True}, "an engine holds one platform"),
        ((), {"platform": (HOST, OTHER)}, "engine takes one platform"),
        ((), {"output": "oci-archive:x.tar"}, "holds one image"),
        ((), {"output": "oci:x", "push": True}, "is not pushed"),
        ((), {"output": "engin"}, "unknown"),
        ((), {"output": "oci:x", "platform": ("linux/vax",)}, "unknown platform"),
        ((), {"output": "oci:x", "platform": (HOST, HOST)}, "twice"),
        ((), {"output": "oci:x", "platform": ("",)}, "unknown platform"),
    ],
)
def test_what_cannot_be(declared: tuple[str, ...], asked: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        destination(table(*declared), **asked)  # type: ignore[arg-type]
    assert caught.value.hint
