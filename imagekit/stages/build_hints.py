"""What a failed build misses, read from its words, and the Debian package that has it."""

from __future__ import annotations

import re

# How shells, setuptools, subprocess, meson and cmake name a program that is not there.
_PROGRAM = (
    re.compile(r"No such file or directory: '(?:[\w./+-]*/)?([\w.+-]+)'"),
    re.compile(r"command '(?:[\w./+-]*/)?([\w.+-]+)' failed: No such file"),
    re.compile(r"unable to execute '(?:[\w./+-]*/)?([\w.+-]+)'"),
    re.compile(r"cannot execute '([\w.+-]+)'"),
    re.compile(r"(?:^|[\s:'\"])([\w.+-]+)['\"]?(?: executable)?: (?:command )?not found", re.MULTILINE),
    re.compile(r"([\w.+-]+) executable not found"),
    re.compile(r"can't find (Rust) compiler"),
    re.compile(r"(Rust) (?:not found|toolchain.*not installed)"),
    re.compile(r"(CMake|cmake) must be installed"),
)
_PACKAGE_OF_PROGRAM = {
    "c++": "g++",
    "cargo": "cargo",
    "cc": "gcc",
    "cc1plus": "g++",
    "cmake": "cmake",
    "f2py": "gfortran",
    "g++": "g++",
    "gcc": "gcc",
    "gfortran": "gfortran",
    "git": "git",
    "krb5-config": "libkrb5-dev",
    "make": "make",
    "mysql_config": "default-libmysqlclient-dev",
    "ninja": "ninja-build",
    "pg_config": "libpq-dev",
    "pkg-config": "pkg-config",
    "rust": "cargo",
    "rustc": "cargo",
    "swig": "swig",
    "xslt-config": "libxml2-dev libxslt1-dev",
}

_HEADER = re.compile(r"fatal error: ([\w/.+-]+\.h(?:pp)?): No such file")
_PACKAGE_OF_HEADER = {
    "Python.h": "python3-dev",
    "curl/curl.h": "libcurl4-openssl-dev",
    "ffi.h": "libffi-dev",
    "gssapi/gssapi.h": "libkrb5-dev",
    "jpeglib.h": "libjpeg-dev",
    "lber.h": "libldap2-dev",
    "libpq-fe.h": "libpq-dev",
    "libxml/xmlversion.h": "libxml2-dev libxslt1-dev",
    "mysql.h": "default-libmysqlclient-dev",
    "sasl/sasl.h": "libsasl2-dev",
    "sql.h": "unixodbc-dev",
    "sqlite3.h": "libsqlite3-dev",
    "stdio.h": "libc6-dev",
    "stdlib.h": "libc6-dev",
    "limits.h": "libc6-dev",
    "yaml.h": "libyaml-dev",
    "zlib.h": "zlib1g-dev",
}

# Words that name neither a program nor a header.
_OTHER = (
    (re.compile(r"Unknown compiler\(s\): \[\['(?:gfortran|flang)"), "a Fortran compiler", "gfortran"),
    (re.compile(r"Unknown compiler\(s\): \[\['(?:c\+\+|g\+\+)"), "a C++ compiler", "g++"),
    (re.compile(r"[Uu]nknown compiler|No CMAKE_C_COMPILER"), "a C compiler", "gcc"),
    (re.compile(r"No CMAKE_CXX_COMPILER"), "a C++ compiler", "g++"),
    (re.compile(r"Can not find valid pkg-config name"), "MySQL's client library", "default-libmysqlclient-dev"),
    (re.compile(r"libxml2 and libxslt development packages"), "libxml2's headers", "libxml2-dev libxslt1-dev"),
    (re.compile(r"RequiredDependencyException: jpeg|headers or library files .*for jpeg"), "libjpeg", "libjpeg-dev"),
    (re.compile(r"RequiredDependencyException: zlib|headers or library files .*for zlib"), "zlib", "zlib1g-dev"),
    (
        re.compile(r"openssl/\w+\.h: No such file|Could not find directory of OpenSSL"),
        "OpenSSL's headers",
        "libssl-dev",
    ),
)
_VERSION_CONTROL = re.compile(
    r"setuptools[-_]scm was unable to detect version|vcs_versioning|Unable to determine version from|"
    r"Versioning for this project requires either an sdist|versioneer.*unable to compute|"
    r"requires Git.*to determine.*version"
)


def build_hint(name: str, words: str) -> str:
    """What to do about the build of ``name`` that ended with ``words``."""
    missing = _missing(words)
    if missing is not None:
        what, package = missing
        return (
            f"the base has no {what}: use a base image with it (on Debian: apt-get install {package}), "
            f"or a version of {name} that has a wheel"
        )
    if _VERSION_CONTROL.search(words):
        return (
            f"{name} reads its version from version control, which the build does not see: "
            "set `version` in pyproject.toml, or build its wheel beforehand"
        )
    if "ModuleNotFoundError" in words or "No module named" in words:
        return f"{name} does not declare all that its build needs; choose a version that has a wheel"
    return f"the details are the build's own last words; a version of {name} that has a wheel needs no build"


def _missing(words: str) -> tuple[str, str] | None:
    for header in _HEADER.findall(words):
        if header in _PACKAGE_OF_HEADER:
            return header, _PACKAGE_OF_HEADER[header]
    for pattern, what, package in _OTHER:
        if pattern.search(words):
            return what, package
    for pattern in _PROGRAM:
        for program in pattern.findall(words):
            # Cross names are of the same package: x86_64-linux-gnu-gcc, aarch64-linux-gnu-g++-12.
            short = re.sub(r"^.*-linux-(?:gnu|musl)-|-\d+$", "", program.lower())
            if short in _PACKAGE_OF_PROGRAM:
                return program, _PACKAGE_OF_PROGRAM[short]
    return None
