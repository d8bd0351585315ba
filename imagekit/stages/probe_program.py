"""Runs inside a base image: what it is that packages will be put on.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps
to the syntax of Python 3.8. Prints one JSON object.
"""

import glob
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
    import subprocess

    for loader in glob.glob("/lib/ld-musl-*"):
        words = subprocess.run([loader], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL).stderr.decode()
        for line in words.splitlines():
            if line.startswith("Version "):
                return ["musl", line[8:].strip()]
    return ["unknown", "0.0"]


def tree() -> tuple:
    """Directories that are not 0755 root's, links to directories, and libraries that packages brought."""
    special, links, libraries = [], [], []
    skipped = ("/proc", "/sys", "/dev")
    for top, directories, files in os.walk("/"):
        if top == "/":
            directories[:] = [d for d in directories if "/" + d not in skipped]
        if "-packages" in top and ("/site-packages" in top or "/dist-packages" in top):
            libraries += [name for name in files if is_library(name)]
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
    return sorted(special), sorted(links), libraries


def is_library(name: str) -> bool:
    return name.startswith(("lib", "ld-", "ld64")) and ".so" in name


def library_path() -> list:
    """Where the loader looks, as ``library_path.py`` reads it off a base that is not run."""
    asked = [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path.startswith("/")]
    asked += [sys.base_prefix.rstrip("/") + "/lib", *configured("/etc/ld.so.conf", 0)]
    asked += [place + "/" + platform.machine() + "-linux-gnu" for place in ("/lib", "/usr/lib")]
    return [*asked, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"]


def configured(path: str, depth: int) -> list:
    found = []
    for line in text(path).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and depth < 4:
            for pattern in words[1:]:
                for name in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    found += configured(name, depth + 1)
        elif words and words[0].startswith("/"):
            found.append(words[0])
    return found


def libraries() -> list:
    directories = (path for path in library_path() if os.path.isdir(path))
    return [name for directory in directories for name in os.listdir(directory) if is_library(name)]


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""


def main() -> None:
    special, links, of_packages = tree()
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
                "release": text("/etc/os-release") or text("/usr/lib/os-release"),
                "libraries": sorted({*libraries(), *of_packages}),
            }
        )
    )


main()
