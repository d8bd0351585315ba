"""Where a base's Python looks for packages, and where it puts them, without running it.

Sources: ``Lib/site.py`` and ``Lib/sysconfig`` of CPython as they lie in the base, and what Debian and Fedora
change in them (Debian's ``dist-packages``, Fedora's ``/usr/local``).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from imagekit.oci.config import ImageConfig
from imagekit.plan.user import configured_home
from imagekit.stages.image_python import ImagePython
from imagekit.stages.unpacked import Unpacked

# Of CPython itself (sysconfig, "posix_prefix").
_POSIX_PREFIX = {
    "purelib": "{base}/lib/python{py_version_short}/site-packages",
    "platlib": "{platbase}/{platlibdir}/python{py_version_short}/site-packages",
    "include": "{installed_base}/include/python{py_version_short}{abiflags}",
    "scripts": "{base}/bin",
    "data": "{base}",
}


def import_path(base: Unpacked, python: ImagePython, config: ImageConfig) -> list[str]:
    """Directories that distributions are found in, in order: ``PYTHONPATH``, and ``sys.path`` under ``python -I``."""
    found = [path for path in (config.env.get("PYTHONPATH") or "").split(":") if path]
    found += _user_site(base, python, config)
    found += [python.library, f"{python.library}/lib-dynload"]
    for directory in site_directories(base, python):
        if base.is_directory(directory) and directory not in found:
            found.append(directory)
            found += [path for path in _path_files(base, directory) if path not in found]
    return found


def _user_site(base: Unpacked, python: ImagePython, config: ImageConfig) -> list[str]:
    """The directory of the user's own packages (PEP 370), where the base's user has one."""
    home = configured_home(str(config.settings.get("User") or ""), _text(base, "/etc/passwd"))
    if home is None or python.environment != python.prefix or config.env.get("PYTHONNOUSERSITE"):
        return []
    path = f"{home.rstrip('/')}/.local/lib/python{python.minor}/site-packages"
    return [path] if base.is_directory(path) else []


def site_directories(base: Unpacked, python: ImagePython) -> list[str]:
    """``site.getsitepackages()``: the directories for packages, whether they are there or not."""
    virtual = python.environment != python.prefix
    prefixes = [python.environment]
    if virtual and python.system_site:
        prefixes.append(python.prefix)
    text = _text(base, f"{python.library}/site.py")
    if "RPM_BUILD_ROOT" in text and not virtual:
        prefixes.insert(0, "/usr/local")
    name = python.library.rpartition("/")[2]
    libraries = list(dict.fromkeys([_platlibdir(python), "lib"]))
    found = []
    for prefix in (prefix.rstrip("/") for prefix in prefixes):
        if "dist-packages" in text:
            if virtual:
                found.append(f"{prefix}/lib/{name}/site-packages")
            found += [f"{prefix}/local/lib/{name}/dist-packages", f"{prefix}/lib/python3/dist-packages"]
            found += [f"{prefix}/{library}/{name}/dist-packages" for library in libraries]
        else:
            found += [f"{prefix}/{library}/{name}/site-packages" for library in libraries]
    return list(dict.fromkeys(found))


def scheme(base: Unpacked, python: ImagePython) -> dict[str, str]:
    """What ``installed_program.scheme`` tells of a running base: where installers put things, links resolved."""
    virtual = python.environment != python.prefix
    prefix = python.environment.rstrip("/")
    text = _text(base, f"{python.library}/sysconfig.py") or _text(base, f"{python.library}/sysconfig/__init__.py")
    schemes = _install_schemes(text)
    if not virtual and "posix_local" in schemes:
        chosen = schemes["posix_local"]
    else:
        chosen = schemes.get("posix_prefix", _POSIX_PREFIX)
    if not virtual and "RPM_BUILD_ROOT" in text:
        prefix = f"{prefix}/local"
    values = {
        "base": prefix,
        "platbase": prefix,
        "installed_base": python.prefix.rstrip("/"),
        "py_version_short": python.minor,
        "platlibdir": _platlibdir(python),
        "abiflags": "t" if python.library.endswith("t") else "",
        "abi_thread": "t" if python.library.endswith("t") else "",
        "implementation_lower": "python",
    }
    found = {name: chosen[name].format(**values) for name in ("purelib", "platlib", "scripts", "data")}
    found["headers"] = chosen["include"].format(**values)
    searched = site_directories(base, python)
    if not virtual and found["purelib"] not in searched:
        found["purelib"] = found["platlib"] = searched[0]
        found["data"] = searched[0].partition("/lib/")[0]
        found["scripts"] = found["data"] + "/bin"
    return {name: base.tree.realpath(path)[0] for name, path in found.items()}


def _platlibdir(python: ImagePython) -> str:
    return python.library.rpartition("/")[0].rpartition("/")[2]


def _text(base: Unpacked, path: str) -> str:
    return (base.content(path) or b"").decode("utf-8", "replace")


def _install_schemes(text: str) -> Mapping[str, Mapping[str, str]]:
    """The table in ``sysconfig``, read and not run; empty where there is none."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "_INSTALL_SCHEMES":
            try:
                table = ast.literal_eval(statement.value)
                return {name: table[name] for name in table if set(_POSIX_PREFIX) <= set(table[name])}
            except (ValueError, TypeError, RecursionError):
                return {}
    return {}


def _path_files(base: Unpacked, directory: str) -> list[str]:
    """What the ``.pth`` files of ``directory`` add (site, "path configuration file")."""
    found: list[str] = []
    for name in base.names(directory):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        for line in _text(base, f"{directory}/{name}").splitlines():
            line = line.rstrip()
            if not line or line.startswith(("#", "import ", "import\t")):
                continue
            path = line if line.startswith("/") else f"{directory}/{line}"
            if base.is_directory(path):
                found.append(path.rstrip("/"))
    return found
