"""Runs inside a base image: what its Python has installed, and where it would put more.

Sent as text to the base's own interpreter, so it uses the standard library alone and keeps to
the syntax of Python 3.8. Its one argument is the home directory of the user that the base runs
as, or nothing. Prints one JSON object. Sources: "recording installed projects"
(PEP 376, PEP 627), sysconfig.
"""

import csv
import glob
import json
import os
import re
import site
import sys
import sysconfig
from importlib.metadata import distributions

listings: dict = {}
resolved: dict = {}


def scheme() -> dict:
    """Where installers put things; Debian's older sysconfig names a directory that is on no path."""
    paths = sysconfig.get_paths()
    found = {name: paths[name] for name in ("purelib", "platlib", "scripts", "data")}
    found["headers"] = paths["include"]
    searched = site.getsitepackages()
    if sys.prefix == sys.base_prefix and searched and found["purelib"] not in searched:
        found["purelib"] = found["platlib"] = searched[0]
        found["data"] = searched[0].partition("/lib/")[0]
        found["scripts"] = found["data"] + "/bin"
    return {name: os.path.realpath(path) for name, path in found.items()}


def installed() -> list:
    """Distributions in the order of the import path, the variable's directories first: of two of a name one counts."""
    before = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path] + user_site()
    conda = conda_files()
    found, seen = [], set()
    for distribution in distributions(path=[*before, *sys.path]):
        path = getattr(distribution, "_path", None)
        metadata = real(str(path)) if path is not None else ""
        if metadata in seen:
            continue
        seen.add(metadata)
        files = recorded(distribution, metadata)
        by_conda = conda.get(metadata + "/METADATA")
        if files is not None and by_conda is not None:
            files |= by_conda
        entry = {
            "name": distribution.metadata["Name"] or "",
            "version": distribution.version or "",
            "metadata": metadata,
            "location": os.path.dirname(metadata),
            "installer": (distribution.read_text("INSTALLER") or "").strip(),
            "conda": by_conda is not None,
            "requires": list(distribution.requires or ()),
            "extras": distribution.metadata.get_all("Provides-Extra") or [],
            "files": None if files is None else sorted(present(files)),
        }
        found.append(entry)
    return found


def user_site() -> list:
    """The directory of the user's own packages (PEP 370), which is on the import path of that user alone."""
    home = sys.argv[1] if len(sys.argv) > 1 else ""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    path = os.path.join(home, ".local", "lib", name, "site-packages")
    off = os.environ.get("PYTHONNOUSERSITE") or sys.prefix != sys.base_prefix
    return [path] if home and not off and os.path.isdir(path) else []


def recorded(distribution, metadata: str):  # type: ignore[no-untyped-def]
    """The files that an installer wrote down, or ``None`` where none did."""
    text, top = distribution.read_text("RECORD"), os.path.dirname(metadata)
    if text is not None:
        names = [row[0] for row in csv.reader(text.splitlines()) if row]
        # What is in its own directory is its own, whoever wrote it there (direct_url.json, REQUESTED).
        own = {os.path.join(metadata, name) for name in listed(metadata)}
        return own | {real(os.path.join(top, name)) for name in names}
    text = distribution.read_text("installed-files.txt")
    if text is not None and os.path.isdir(metadata):
        own = {os.path.join(metadata, name) for name in listed(metadata)}
        return own | {real(os.path.join(metadata, name)) for name in text.splitlines() if name}
    return None


def conda_files() -> dict:
    """Metadata file of a distribution → all files of the conda package that it is in, that one's own record among them.

    A package with several distributions is left out: it is not one of theirs.
    """
    found = {}
    for record in glob.glob(os.path.join(sys.prefix, "conda-meta", "*.json")):
        try:
            with open(record, encoding="utf-8") as stream:
                names = json.load(stream).get("files") or []
        except (OSError, ValueError):
            continue
        files = {real(os.path.join(sys.prefix, name)) for name in names}
        metadata = [path for path in files if path.endswith(".dist-info/METADATA")]
        if len(metadata) == 1:
            found[metadata[0]] = files | {real(record)}
    return found


def present(files: set) -> set:
    """Those of ``files`` that are there, with the bytecode of those that are modules (PEP 3147)."""
    found = set()
    for path in files:
        directory, name = os.path.split(path)
        if name in listed(directory) and (os.path.islink(path) or not os.path.isdir(path)):
            found.add(path)
        if name.endswith(".py"):
            cache = os.path.join(directory, "__pycache__")
            compiled = re.compile(re.escape(name[:-3]) + r"\.[a-z]+-[0-9]+[a-z]*(\.opt-[0-9a-z]+)?\.pyc")
            found.update(os.path.join(cache, other) for other in listed(cache) if compiled.fullmatch(other))
    return found


def entries(found: list) -> dict:
    """The names in every directory that holds a file of a distribution, and in those above."""
    directories = set()
    for entry in found:
        for path in entry["files"] or ():
            above = os.path.dirname(path)
            while above not in directories and above != "/":
                directories.add(above)
                above = os.path.dirname(above)
    return {path: sorted(listed(path)) for path in sorted(directories)}


def listed(directory: str) -> set:
    if directory not in listings:
        try:
            listings[directory] = set(os.listdir(directory))
        except OSError:
            listings[directory] = set()
    found: set = listings[directory]
    return found


def real(path: str) -> str:
    """``path`` with the links on the way resolved, and not the last part's own."""
    directory, name = os.path.split(os.path.normpath(path))
    if directory not in resolved:
        resolved[directory] = os.path.realpath(directory)
    return os.path.join(resolved[directory], name)


def main() -> None:
    found = installed()
    print(
        json.dumps(
            {
                "environment": sys.prefix,
                "conda": os.path.isdir(os.path.join(sys.prefix, "conda-meta")),
                "scheme": scheme(),
                "distributions": found,
                "entries": entries(found),
            }
        )
    )


main()
