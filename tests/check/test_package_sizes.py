"""What takes how much of an image, told from an engine's archive of one."""

from __future__ import annotations

import io
import secrets
import tarfile

from imagekit.check.package_sizes import PackageSize, sizes_of
from imagekit.engine.client import Engine

from ..conftest import BuildImage

STATUS = "Package: tool\nVersion: 1.2\nSection: contrib/python\n\nPackage: old\nVersion: 3\n"


def test_all_of_a_base_is_told(engine: Engine, python_image: str) -> None:
    found = {part.name: part for part in sizes_of(engine.save(python_image))}
    image = engine.image(python_image)
    assert image is not None
    total = sum(part.size for part in found.values())
    assert image.size * 0.97 <= total <= image.size
    assert found["libc6"].section == "libs"
    assert found["libc6"].version.startswith("2.")
    # Every name is a package, or a path of files that are of none.
    assert all(part.section != "-" for name, part in found.items() if not name.startswith("/"))


def test_by_owner(engine: Engine, build_image: BuildImage) -> None:
    mark = secrets.token_hex(8)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in (
            ("var/lib/dpkg/status", STATUS),
            ("var/lib/dpkg/info/tool.list", "/bin/tool\n/usr/lib/tool.py\n"),
            ("var/lib/dpkg/info/old:amd64.list", "/usr/share/old\n"),
            ("usr/bin/tool", "x" * 100),
            ("usr/lib/tool.py", mark),
            ("usr/lib/__pycache__/tool.cpython-311.pyc", "y" * 30),
            ("usr/share/old", "z" * 7),
            ("opt/own/bin/a", "b" * 9),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("usr/bin/other")
        link.type, link.linkname = tarfile.LNKTYPE, "usr/bin/tool"
        archive.addfile(link)
    tag = build_image("FROM scratch\nADD all.tar /\n", {"all.tar": content.getvalue().decode("ascii")})
    found = {part.name: part for part in sizes_of(engine.save(tag))}
    assert found["tool"] == PackageSize(name="tool", version="1.2", section="python", size=100 + len(mark) + 30)
    assert found["old"] == PackageSize(name="old", version="3", section="-", size=7)
    assert found["/opt/own"].size == 9
