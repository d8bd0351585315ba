"""Runs inside a base image: what it is that packages will be put on.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps
to the syntax of Python 3.8. Prints one JSON object.
"""

import json
import os
import platform
import stat
import sys


def markers() -> dict:
    # PEP 508, "Environment Markers"
    version = sys.implementation.version
    implementation = ".".join(str(n) for n in version[:3])
    if version.releaselevel != "final":
        implementation += version.releaselevel[0] + str(version.serial)
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": implementation,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": "",
        "platform_system": platform.system(),
        "platform_version": "",
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def libc() -> list:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return [name, version]
    except (AttributeError, ValueError, OSError):
        pass
    # musl's loader tells its version when it is started without arguments.
    import glob
    import subprocess

    for loader in glob.glob("/lib/ld-musl-*"):
        words = subprocess.run([loader], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL).stderr.decode()
        for line in words.splitlines():
            if line.startswith("Version "):
                return ["musl", line[8:].strip()]
    return ["unknown", "0.0"]


def tree() -> tuple:
    """Directories that are not 0755 root's, and links to directories."""
    special, links = [], []
    skipped = ("/proc", "/sys", "/dev")
    for top, directories, _ in os.walk("/"):
        if top == "/":
            directories[:] = [d for d in directories if "/" + d not in skipped]
        for name in directories:
            path = os.path.join(top, name)
            if os.path.islink(path):
                links.append([path, os.path.realpath(path)])
                continue
            try:
                found = os.lstat(path)
            except OSError:
                continue
            mode = stat.S_IMODE(found.st_mode)
            if (mode, found.st_uid, found.st_gid) != (0o755, 0, 0):
                special.append([path, mode, found.st_uid, found.st_gid])
    return sorted(special), sorted(links)


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""


def main() -> None:
    special, links = tree()
    libc_name, libc_version = libc()
    print(
        json.dumps(
            {
                "executable": os.path.realpath(sys.executable),
                "command": sys.executable,
                "version": platform.python_version(),
                "implementation": sys.implementation.name,
                "cache_tag": sys.implementation.cache_tag or "",
                "libc": libc_name,
                "libc_version": libc_version,
                "machine": platform.machine(),
                "prefix": sys.base_prefix,
                "markers": markers(),
                "passwd": text("/etc/passwd"),
                "group": text("/etc/group"),
                "directories": special,
                "links": links,
            }
        )
    )


main()
