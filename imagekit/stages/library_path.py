"""Where a base's loader looks for shared libraries (ld.so(8), ldconfig(8)), in the order of precedence."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from imagekit.oci.config import ImageConfig
from imagekit.stages.image_python import ImagePython
from imagekit.stages.unpacked import Unpacked

_DEFAULT = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


def library_path(base: Unpacked, python: ImagePython, config: ImageConfig) -> list[str]:
    """Directories of the base that hold libraries, links resolved."""
    asked = [path for path in (config.env.get("LD_LIBRARY_PATH") or "").split(":") if path.startswith("/")]
    asked.append(f"{python.prefix.rstrip('/')}/lib")
    # The C library lies beside its loader, whatever the configuration says.
    asked.append((python.loader or "/").rpartition("/")[0])
    asked += _configured(base, "/etc/ld.so.conf", 0)
    asked += [f"{place}/{python.machine}-linux-gnu" for place in ("/lib", "/usr/lib")]
    found = (base.tree.resolve(path) for path in (*asked, *_DEFAULT) if path)
    return list(dict.fromkeys(place[0] for place in found if place is not None and place[1].kind == "dir"))


def libraries_of(base: Unpacked, directories: Sequence[str]) -> list[str]:
    """The names of shared libraries in ``directories``, and of those that installed packages brought along."""
    found = {name for directory in directories for name in base.names(directory) if _is_library(name)}
    for path, node in base.tree.walk():
        place, _, name = path.rpartition("/")
        if node.kind != "dir" and _is_library(name) and ("/site-packages" in place or "/dist-packages" in place):
            found.add(name)
    return sorted(found)


def _is_library(name: str) -> bool:
    return name.startswith(("lib", "ld-", "ld64")) and ".so" in name


def _configured(base: Unpacked, path: str, depth: int) -> list[str]:
    """The directories that ``path``, a file as ``/etc/ld.so.conf``, names."""
    found: list[str] = []
    for line in (base.content(path) or b"").decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and depth < 4:
            for pattern in words[1:]:
                directory, _, name = pattern.rpartition("/")
                names = [known for known in base.names(directory) if fnmatchcase(known, name)]
                for known in names:
                    found += _configured(base, f"{directory}/{known}", depth + 1)
        elif words and words[0].startswith("/"):
            found.append(words[0])
    return found
