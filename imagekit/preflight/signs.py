"""The words by which failing builds say what they lack: compilers, build systems, ``setup.py`` files, Python itself.

A table. A sign of the first kind names something (its first group), whose package or recipe is looked up; one of the
second kind is a cause by itself, with advice. The order is that of judgement: what comes first is told first.

Between two words of a sign lie at most 300 characters: a log may be one line of megabytes that says the first word
again and again, and each would be followed to the line's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagekit.preflight.names import HEADER, LINK, PKG_CONFIG, PROGRAM

_Q = "['\"‘’`]"  # compilers quote by the locale, and shells as they like


@dataclass(frozen=True, slots=True)
class Lack:
    """Words that name something that is not there; without a group, ``name`` is what is meant."""

    kind: str
    pattern: re.Pattern[str]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """Words that tell a cause for which nothing is to be installed.

    ``said`` and ``advice`` may have ``{package}``, ``{python}`` and ``{what}``, the pattern's first group.
    """

    kind: str
    pattern: re.Pattern[str]
    said: str
    advice: str


def _lack(kind: str, pattern: str, name: str = "") -> Lack:
    return Lack(kind, re.compile(pattern, re.MULTILINE), name)


def _sign(kind: str, pattern: str, said: str, advice: str) -> Sign:
    return Sign(kind, re.compile(pattern, re.MULTILINE), said, advice)


LACKS = (
    _lack(HEADER, rf"fatal error: {_Q}?([\w/.+-]+){_Q}?(?:: No such file| file not found)"),
    _lack(HEADER, r"Could NOT find Python\d? \(missing:[^)]{0,300}(?:INCLUDE|Development)", "Python.h"),
    _lack(HEADER, r"Cannot compile 'Python\.h'", "Python.h"),
    _lack(HEADER, r"Could NOT find Boost", "boost/version.hpp"),
    _lack(LINK, r"cannot find -l([\w.+-]+)"),
    _lack(LINK, r"unable to find library -l([\w.+-]+)"),
    # pkg-config and pkgconf, and those who ask them: CMake, Meson, Rust's crate.
    _lack(PKG_CONFIG, rf"Package {_Q}?([\w.+-]+?){_Q}?(?:, required by {_Q}[^\n]{{0,300}}{_Q},)? (?:was )?not found"),
    _lack(PKG_CONFIG, rf"No package {_Q}([\w.+-]+){_Q} found"),
    _lack(PKG_CONFIG, rf"Dependency {_Q}([\w.+-]+){_Q} not found"),
    _lack(PKG_CONFIG, rf"system library {_Q}([\w.+-]+){_Q} required by crate"),
    _lack(PKG_CONFIG, r"None of the required '([\w.+-]+)[^']{0,300}' found"),
    _lack(PKG_CONFIG, r"Can not find valid pkg-config name", "mysqlclient"),
    _lack(PKG_CONFIG, r"libxml2 and libxslt development packages", "libxslt"),
    _lack(PKG_CONFIG, r"Could not find directory of OpenSSL|Could NOT find OpenSSL", "openssl"),
    _lack(PKG_CONFIG, r"Unable to load dependency HDF5|Could NOT find HDF5", "hdf5-serial"),
    _lack(PKG_CONFIG, r"RequiredDependencyException: jpeg|headers or library files .{0,300}for jpeg", "libjpeg"),
    _lack(PKG_CONFIG, r"RequiredDependencyException: zlib|headers or library files .{0,300}for zlib", "zlib"),
    _lack(PKG_CONFIG, r"Could NOT find ZLIB", "zlib"),
    _lack(PKG_CONFIG, r"Could NOT find CURL", "libcurl"),
    _lack(PKG_CONFIG, r"Could NOT find LibXml2", "libxml-2.0"),
    _lack(PKG_CONFIG, r"Could NOT find PNG", "libpng"),
    _lack(PKG_CONFIG, r"Could NOT find JPEG", "libjpeg"),
    _lack(PKG_CONFIG, r"Could NOT find Freetype", "freetype2"),
    _lack(PKG_CONFIG, r"Could NOT find PostgreSQL", "libpq"),
    _lack(PKG_CONFIG, r"Could NOT find GEOS", "geos"),
    _lack(PKG_CONFIG, r"proj executable not found|Proj [\d.]+ must be installed", "proj"),
    _lack(PKG_CONFIG, r"(?:BLAS|LAPACK)[^\n]{0,300}not found|Could NOT find (?:BLAS|LAPACK)", "openblas"),
    _lack(PKG_CONFIG, r"[Dd]id not find netCDF version 4 headers", "netcdf"),
    _lack(PROGRAM, rf"cannot execute {_Q}([\w.+-]+){_Q}"),
    _lack(PROGRAM, rf"error trying to exec {_Q}([\w.+-]+){_Q}"),
    _lack(PROGRAM, rf"command {_Q}(?:[\w./+-]*/)?([\w.+-]+){_Q} failed: No such file"),
    _lack(PROGRAM, rf"unable to execute {_Q}?(?:[\w./+-]*/)?([\w.+-]+){_Q}?: No such file"),
    _lack(PROGRAM, r"No such file or directory: '(?:[\w./+-]*/)?([\w.+-]+)'"),
    _lack(PROGRAM, rf"(?:^|[\s:'\"])(?:[\w./+-]*/)?([\w.+-]+){_Q}?(?: executable)?: (?:command )?not found"),
    _lack(PROGRAM, r"(?<![\w.+-])([\w.+-]+) executable not found"),
    _lack(PROGRAM, r"^make(?:\[\d+\])?: ([\w.+-]+): No such file"),
    _lack(PROGRAM, rf"[Pp]rogram {_Q}?([\w.+-]+){_Q}? not found"),
    _lack(PROGRAM, r"Could (?:not|NOT) find ((?!PkgConfig|Git\b|SWIG)[a-z][\w-]*-config|swig)\b"),
    _lack(PROGRAM, rf"the {_Q}([\w.+-]+){_Q} command could not be (?:found|run)"),
    _lack(PROGRAM, rf"Is {_Q}([\w.+-]+){_Q} not installed\?"),
    _lack(PROGRAM, r"Could NOT find PkgConfig|(?:Did not find|Did not find CMake or) pkg-config", "pkg-config"),
    _lack(PROGRAM, r"pkg-config probably not installed", "pkg-config"),
    _lack(PROGRAM, r"Could NOT find Git\b|Git executable cannot be found", "git"),
    _lack(PROGRAM, r"Could NOT find SWIG", "swig"),
    _lack(PROGRAM, r"Cargo, the Rust package manager, is not installed", "cargo"),
    _lack(PROGRAM, r"can't find Rust compiler|[Rr]ust (?:not found|toolchain.{0,300}not installed)", "cargo"),
    _lack(PROGRAM, r"C[Mm]ake must be installed|Could not find CMake", "cmake"),
    _lack(PROGRAM, r"unable to find a build program corresponding to \"Ninja\"", "ninja"),
    _lack(PROGRAM, r"unable to find a build program corresponding to \"Unix Makefiles\"", "make"),
    _lack(PROGRAM, r"Unknown compiler\(s\): \[\['(?:gfortran|flang)|No CMAKE_Fortran_COMPILER", "gfortran"),
    _lack(PROGRAM, r"no Fortran compiler found|Fortran compiler .{0,300}not found", "gfortran"),
    _lack(PROGRAM, r"Unknown compiler\(s\): \[\['(?:c\+\+|g\+\+)|No CMAKE_CXX_COMPILER", "g++"),
    _lack(PROGRAM, r"Unknown compiler\(s\): \[\['g?cc'|No CMAKE_C_COMPILER|no acceptable C compiler found", "gcc"),
)

_NEWER = "take a later version of {package}, which knows Python {python}, or an older Python (--python)"
_OLD_SETUP = (
    "take a later version of {package}; or build its wheel elsewhere with the tools of its time, "
    "and name the directory: find-links"
)
_MEMORY = "give the engine's machine more memory, or take a version of {package} that has a wheel"
_UNREACHED = (
    "a build that fetches something reaches what the engine's machine reaches, by the proxies that imagekit is "
    "told of (imagekit doctor); a version of {package} that has a wheel needs no build"
)

# What ends a build wherever it happens, before what might be missing is asked.
FATAL = (
    _sign(
        "disk",
        r"No space left on device|Disk quota exceeded",
        "the disk is full where {package} was being built",
        "make room where the engine keeps its data: docker system df, docker builder prune",
    ),
    _sign(
        "memory",
        r"Killed signal terminated program (\S+)|Killed \(program \S+\)|fatal error: Killed",
        "the memory was used up while {package} was being compiled",
        _MEMORY,
    ),
    _sign(
        "memory",
        r"virtual memory exhausted|Cannot allocate memory|out of memory|signal: 9, SIGKILL|^MemoryError",
        "the memory was used up while {package} was being built",
        _MEMORY,
    ),
    _sign(
        "python-too-new",
        r"Python interpreter version \(([\d.]+)\) is newer than PyO3's maximum",
        "the PyO3 that {package} is made with does not know Python {what}",
        _NEWER,
    ),
    _sign(
        "python-too-new",
        r"Cannot install on Python version ([\d.]+); only versions [^\n]{0,300} are supported",
        "{package} does not take Python {what}",
        _NEWER,
    ),
    _sign(
        "python-too-new",
        r"(?:[Pp]ython|version) *(3\.\d+(?:\.\d+)?)[\w ]* (?:is )?(?:not supported|unsupported)|"
        r"[Uu]nsupported [Pp]ython version:? *(?:3\.\d+)?",
        "{package} does not take this Python",
        _NEWER,
    ),
    _sign(
        "cython",
        r"longintrepr\.h: No such file|PyThreadState[^\n]{0,300} has no member named|"
        r"PyLongObject[^\n]{0,300}named .ob_digit|_PyLong_AsByteArray|"
        r"struct _(?:typeobject|frame)[^\n]{0,300} has no member named|"
        r"PyUnicode_(?:GET_SIZE|AS_UNICODE)[^\n]{0,300}undeclared|_PyGen_Send|"
        r"PyFrameObject[^\n]{0,300}(?:incomplete|no member)",
        "the C code of {package}, which Cython wrote, is of the time before Python {python}",
        _NEWER,
    ),
    _sign(
        "cython",
        r"Cython\.Compiler\.Errors\.CompileError|AttributeError: [^\n]{0,300}cython_sources",
        "{package} is not for the Cython that its build takes",
        _OLD_SETUP,
    ),
    _sign(
        "setuptools",
        r"(use_2to3) is invalid",
        "{package} asks setuptools for {what}, gone since 58",
        _OLD_SETUP,
    ),
    _sign(
        "setuptools",
        r"No module named '?(pkg_resources|setuptools\.command\.test|setuptools\.extern)\b|"
        r"cannot import name '(Feature|convert_2to3)' from 'setuptools|"
        r"(?:module|object) 'setuptools[^\n]{0,300}has no attribute",
        "{package} uses what newer releases of setuptools do not have",
        _OLD_SETUP,
    ),
    _sign(
        "distutils",
        r"No module named '?(distutils|numpy\.distutils|imp|asynchat|asyncore|lib2to3)\b|"
        r"has no attribute '(ImpImporter|SafeConfigParser|readfp)'",
        "{package} uses {what}, which Python {python} does not have",
        _NEWER,
    ),
    _sign(
        "rust-too-old",
        r"requires rustc ([\d.]+) or newer|rustc ([\d.]+) is not supported|lock file version \d requires|"
        r"feature `edition20\d\d` is required|requires Rust version ([\d.]+)",
        "the base's Rust is too old for {package}",
        "take a base with a newer one (Debian 13 has 1.85), or a version of {package} that has a wheel",
    ),
    _sign(
        "cmake-too-old",
        r"CMake ([\d.]+) or higher is required",
        "{package} asks for CMake {what}, and its build has an older one",
        "take a base with a newer one, or a version of {package} that has a wheel",
    ),
    _sign(
        "cmake-too-new",
        r"Compatibility with CMake < 3\.5 has been removed",
        "{package} is for a CMake before 4",
        _OLD_SETUP,
    ),
)

# What is told where nothing is missing that anybody could install.
OTHERS = (
    _sign(
        "tls",
        r"CERTIFICATE_VERIFY_FAILED|SSL certificate problem|unable to get local issuer certificate|"
        r"invalid peer certificate|self[- ]signed certificate|x509: certificate",
        "the build of {package} met a server whose certificate nobody there knows",
        "name the certificates to trust: imagekit config set ca-bundle=FILE",
    ),
    _sign(
        "network",
        r"Temporary failure in name resolution|Name or service not known|Could(?:n't| not) resolve host|"
        r"failed to lookup address|dns error|Network is unreachable|No route to host|"
        r"<urlopen error|Max retries exceeded|Failed to connect to|[Cc]onnection (?:refused|timed out|reset by peer)",
        "the build of {package} fetches something, and did not reach it",
        _UNREACHED,
    ),
    _sign(
        "version-control",
        r"setuptools[-_]scm was unable to detect version|vcs_versioning|Unable to determine version from|"
        r"Versioning for this project requires either an sdist|versioneer.{0,300}unable to compute|"
        r"requires Git.{0,300}to determine.{0,300}version",
        "{package} reads its version from version control, which the build does not see",
        "set `version` in pyproject.toml, or build its wheel beforehand",
    ),
    _sign(
        "undeclared",
        r"No module named '?([\w.]+)",
        "{package} imports {what} while it is built, and does not declare it",
        "take a version of {package} that has a wheel, or that declares what its build needs",
    ),
)
