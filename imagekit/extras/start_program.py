"""Runs inside an image when a container of it starts: adds ``EXTRA_PIP_PACKAGES``, then becomes the command.

For engines that are not imagekit's own, which start the image as it is. It uses the standard library, ``pieces``
beside it and the image's pip, and keeps to the syntax of Python 3.8. What is installed constrains what comes; wheels
alone are taken; they go to a place of the container's own user, which is put on the path of what follows.
"""

import glob
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import typing

from pieces import VARIABLE, NoRequirement, split, url_of  # type: ignore[import-not-found]  # beside it in the image

PLACE = "IMAGEKIT_EXTRAS_DIR"  # where packages go; by default below TMPDIR, else /tmp, else the home directory
LINES = 20  # of what pip says when it fails
REFUSED, FAILED = 2, 4  # as imagekit's own commands end
_TMP = "/tmp"  # noqa: S108  # a container has it to itself
_LOGIN = re.compile(r"://[^\s/@]*@")


def main() -> None:
    command = sys.argv[1:]
    try:
        pieces = split(os.environ.get(VARIABLE, ""))
        for piece in pieces:
            url = url_of(piece)
            if url and not url.startswith(("https://", "http://")):
                raise NoRequirement(f"{url!r} is no URL that is fetched here", "write NAME @ https://HOST/FILE.whl")
    except NoRequirement as problem:
        end(REFUSED, *problem.args)
    if pieces:
        put_on_path(install(pieces))
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        end(127, f"{command[0]} cannot be started: {error.strerror}", "name a program that the image has")


def install(pieces: typing.List[str]) -> str:  # noqa: UP006
    """The directory that has ``pieces`` and what they need, beside what the image has."""
    prefix = os.path.join(place(), hashlib.sha256("\n".join(pieces).encode()).hexdigest()[:16])
    done = os.path.join(prefix, "done")
    if os.path.exists(done):
        # The same container, started again.
        return prefix
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=os.path.dirname(prefix)) as held:
        for found in importlib.metadata.distributions():
            if found.metadata["Name"] and found.version:
                held.write(f"{found.metadata['Name']}=={found.version}\n")
        held.flush()
        words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-cache-dir"]
        words += ["--progress-bar", "off", "--no-warn-script-location", "--only-binary", ":all:"]
        words += ["--prefix", prefix, "--constraint", held.name]
        got = subprocess.run([*words, "--", *pieces], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if got.returncode != 0:
        lines = _LOGIN.sub("://***@", got.stdout.decode(errors="replace")).strip().splitlines()
        message = f"{' '.join(pieces)} cannot be installed beside what the image has"
        end(FAILED, message, "pip's own words:", "\n".join(lines[-LINES:]))
    with open(done, "w"):
        return prefix


def place() -> str:
    """A directory of this user's alone."""
    named = os.environ.get(PLACE)
    for above in [named] if named else [os.environ.get("TMPDIR") or _TMP, os.path.expanduser("~")]:
        directory = os.path.join(above, f"imagekit-extras-{os.getuid()}")
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            found = os.lstat(directory)
        except OSError:
            continue
        if found.st_uid == os.getuid() and not found.st_mode & 0o022 and os.access(directory, os.W_OK):
            return directory
    return end(FAILED, "there is no directory to install to", f"name one that the user may write by {PLACE}")


def put_on_path(prefix: str) -> None:
    # Debian's own Python installs to local/lib/…/dist-packages below a prefix.
    for name, parts in (
        ("PYTHONPATH", ("lib*/python*/*-packages", "local/lib*/python*/*-packages")),
        ("PATH", ("bin", "local/bin")),
    ):
        found = [path for part in parts for path in sorted(glob.glob(os.path.join(prefix, part)))]
        before = os.environ.get(name)
        os.environ[name] = os.pathsep.join(found + ([before] if before else []))


def end(code: int, message: str, hint: str, details: str = "") -> "typing.NoReturn":
    print(f"error: {VARIABLE}: {message}\nhint: {hint}", file=sys.stderr)
    if details:
        print(details, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
