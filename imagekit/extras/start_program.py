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
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing

# It is not there where PYTHONSAFEPATH is set.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pieces import VARIABLE, NoRequirement, split, url_of  # type: ignore[import-not-found]  # beside it in the image

PLACE = "IMAGEKIT_EXTRAS_DIR"  # where packages go; by default below TMPDIR, else /tmp, else the home directory
LINES = 20  # of what pip says when it fails
REFUSED, FAILED = 2, 4  # as imagekit's own commands end
_TMP = "/tmp"  # noqa: S108  # a container has it to itself
# In its normal form (PEP 440); what is none is compared by its letters.
_VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
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
        # A container's first process gets those signals alone that it asks for.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stopped)
        put_on_path(install(pieces))
    # It is done with: an entrypoint that follows (Prefect's images have one) would install them once more.
    os.environ.pop(VARIABLE, None)
    become(command)


def stopped(number: int, _: object) -> None:
    sys.exit(128 + number)


def become(command: typing.List[str]) -> None:  # noqa: UP006
    # What Python ignores would stay ignored.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except FileNotFoundError:
        end(127, f"{command[0]} cannot be started: there is no such program", "name a program that the image has")
    except OSError as error:
        end(126, f"{command[0]} cannot be started: {error.strerror}", "name a program that its user may start")


def install(pieces: typing.List[str]) -> str:  # noqa: UP006
    """The directory that has ``pieces`` and what they need, beside what the image has."""
    own, held = place(), constraints()
    request = "\n".join([sys.version, sys.prefix, held, *pieces])
    prefix = os.path.join(own, hashlib.sha256(request.encode()).hexdigest()[:16])
    if os.path.isdir(prefix):
        # The same container, started again, or another one with the same volume.
        return prefix
    began = time.monotonic()
    making = tempfile.mkdtemp(prefix="making-", dir=own)
    try:
        tree = os.path.join(making, "tree")
        os.mkdir(tree)
        file = os.path.join(making, "constraints.txt")
        with open(file, "w", encoding="utf-8") as out:
            out.write(held)
        words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-cache-dir"]
        words += ["--progress-bar", "off", "--no-warn-script-location", "--only-binary", ":all:"]
        words += ["--prefix", tree, "--constraint", file]
        got = subprocess.run([*words, "--", *pieces], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if got.returncode != 0:
            lines = _LOGIN.sub("://***@", got.stdout.decode(errors="replace")).strip().splitlines()
            message = f"{' '.join(pieces)} cannot be installed beside what the image has"
            end(FAILED, message, "pip's own words:", "\n".join(lines[-LINES:]))
        try:
            # Whole or not at all.
            os.rename(tree, prefix)
        except OSError:
            if not os.path.isdir(prefix):  # else another one was quicker
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    print(f"{VARIABLE}: {' '.join(pieces)} installed in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    return prefix


def constraints() -> str:
    """What is installed, as lines that hold it there."""
    found: typing.Dict[str, str] = {}  # noqa: UP006
    for distribution in importlib.metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.version
        # Of two of one name the first is imported.
        if name and version:
            sign = "==" if _VERSION.fullmatch(version) else "==="
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), f"{name}{sign}{version}\n")
    return "".join(found[name] for name in sorted(found))


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
