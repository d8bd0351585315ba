"""What failing builds really said, and what is to be made of it.

Those marked ``built`` were built in the base images of this project, and their last words kept; those marked ``told``
are as people showed them in the issues of the projects named. Cut to the lines that count.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Captured:
    package: str
    words: str
    kind: str  # of the first cause
    wants: str = ""  # what is missing: its kind and name
    advice: str = ""  # a part of what is advised in Debian 12, where recipes bring nothing
    recipe: str = ""  # the recipe that is advised, where the provided ones are at hand
    python: str = "3.11"
    from_: str = "built"


CASES = {
    "no compiler for C++ (pyodbc)": Captured(
        package="pyodbc",
        words="""running build_ext
building 'pyodbc' extension
x86_64-linux-gnu-g++ -Wsign-compare -DNDEBUG -g -fwrapv -O2 -Wall -fPIC -DPYODBC_VERSION=5.5.0 -c src/cnxninfo.cpp
error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-g++'
error: Failed to build `/tmp/imagekit-1442o7ja/source/pyodbc-5.5.0.tar.gz`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)""",
        kind="missing",
        wants="program g++",
        advice="apt-get install g++",
        recipe="unixodbc",
    ),
    "cc1plus (pyodbc, gcc without g++)": Captured(
        package="pyodbc",
        words="""gcc -pthread -Wno-unused-result -fPIC -DPYODBC_VERSION=4.0.26 -c src/buffer.cpp -o build/temp/buffer.o
gcc: error trying to exec 'cc1plus': execvp: No such file or directory
error: command 'gcc' failed with exit status 1""",
        kind="missing",
        wants="program cc1plus",
        advice="apt-get install g++",
        recipe="unixodbc",
        from_="told: michiya/django-pyodbc-azure 206",
    ),
    "cc1plus, in another locale": Captured(
        package="spconv",
        words="""gcc: fatal error: cannot execute ‘cc1plus’: execvp: No such file or directory
compilation terminated.""",
        kind="missing",
        wants="program cc1plus",
        advice="apt-get install g++",
        recipe="compiler",
        from_="told: traveller59/spconv 388",
    ),
    "pkg-config is not there (mysqlclient)": Captured(
        package="mysqlclient",
        words="""/bin/sh: 1: pkg-config: not found
/bin/sh: 1: pkg-config: not found
Trying pkg-config --exists mysqlclient
Command 'pkg-config --exists mysqlclient' returned non-zero exit status 127.
Exception: Can not find valid pkg-config name.
Specify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually""",
        kind="missing",
        wants="pkg-config mysqlclient",
        advice="apt-get install default-libmysqlclient-dev pkg-config",
        recipe="mysql",
        from_="told: PyMySQL/mysqlclient 636",
    ),
    "mysql_config": Captured(
        package="mysqlclient",
        words="/bin/sh: 1: mysql_config: not found\nOSError: mysql_config not found",
        kind="missing",
        wants="program mysql_config",
        advice="default-libmysqlclient-dev",
        recipe="mysql",
        from_="told: PyMySQL/mysqlclient 584",
    ),
    "a module of pkg-config (pycairo)": Captured(
        package="pycairo",
        words='../cairo/meson.build:31:12: ERROR: Dependency "cairo" not found, tried pkgconfig and cmake',
        kind="missing",
        wants="pkg-config cairo",
        advice="apt-get install libcairo2-dev",
        recipe="cairo",
        from_="told: pygobject/pycairo 425",
    ),
    "a module of pkg-config, by pkg-config itself": Captured(
        package="PyGObject",
        words="""Package libpq was not found in the pkg-config search path.
Perhaps you should add the directory containing `libpq.pc'
to the PKG_CONFIG_PATH environment variable
Package 'libpq', required by 'virtual:world', not found""",
        kind="missing",
        wants="pkg-config libpq",
        advice="libpq-dev",
        recipe="postgresql",
        from_="told: kantord/i3-gnome-pomodoro 49, another module",
    ),
    "gdal-config": Captured(
        package="GDAL",
        words="""  File "<string>", line 95, in fetch_config
gdal_config_error: [Errno 2] No such file or directory: 'gdal-config'

Could not find gdal-config. Make sure you have installed the GDAL native library and development headers.""",
        kind="missing",
        wants="program gdal-config",
        advice="libgdal-dev",
        recipe="gdal",
        from_="told: girder/large_image 1954",
    ),
    "Cargo": Captured(
        package="tokenizers",
        words="""Cargo, the Rust package manager, is not installed or is not on PATH.
This package requires Rust and Cargo to compile extensions. Install it through
the system's package manager or via https://rustup.rs/

Checking for Rust toolchain....""",
        kind="missing",
        wants="program cargo",
        advice="apt-get install cargo",
        from_="told: anthropics/claude-quickstarts 56",
    ),
    "a library to link": Captured(
        package="psycopg2",
        words="""x86_64-linux-gnu-gcc -shared build/temp/psycopg/psycopgmodule.o -lpq -o build/lib/psycopg2/_psycopg.so
/usr/bin/ld: cannot find -lpq: No such file or directory
collect2: error: ld returned 1 exit status""",
        kind="missing",
        wants="link pq",
        advice="libpq-dev",
        recipe="postgresql",
        from_="told: psycopg/psycopg2's FAQ",
    ),
    "killed for its memory": Captured(
        package="rdkit",
        words="""c++: fatal error: Killed signal terminated program cc1plus
compilation terminated.
make[2]: *** [CMakeFiles/Makefile2:3138: src/p2p/CMakeFiles/obj_p2p.dir/all] Error 2""",
        kind="memory",
        advice="more memory",
        from_="told: mcs07/docker-rdkit 1",
    ),
    "killed, by an older compiler": Captured(
        package="tensorflow",
        words="gcc: internal compiler error: Killed (program cc1plus)\nPlease submit a full bug report",
        kind="memory",
        advice="more memory",
        from_="told: tensorflow/tensorflow 40043",
    ),
    "a full disk": Captured(
        package="numpy",
        words="error: could not write to 'build/temp/x.o': No space left on device",
        kind="disk",
        advice="docker system df",
        from_="told: errno(3)",
    ),
    "no name is resolved": Captured(
        package="pyzmq",
        words="urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        kind="network",
        advice="a version of pyzmq that has a wheel",
        from_="told: zeromq/pyzmq",
    ),
    "nobody knows the certificate": Captured(
        package="pyzmq",
        words="""urllib.error.URLError: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: \
unable to get local issuer certificate (_ssl.c:992)>""",
        kind="tls",
        advice="imagekit config set ca-bundle FILE",
        from_="told: zeromq/pyzmq",
    ),
    "use_2to3": Captured(
        package="nose",
        words="error in nose setup command: use_2to3 is invalid.",
        kind="setuptools",
        advice="find-links",
        from_="told: nose-devs/nose 1115",
    ),
    "pkg_resources": Captured(
        package="openai-whisper",
        words="""  File "<string>", line 5, in <module>
ModuleNotFoundError: No module named 'pkg_resources'
error: Failed to build `openai-whisper==20240930`""",
        kind="setuptools",
        advice="a later version of openai-whisper",
        from_="told: openmpf/openmpf 2048",
    ),
    "distutils": Captured(
        package="numpy",
        words="""  File "<string>", line 10, in <module>
ModuleNotFoundError: No module named 'distutils'""",
        kind="distutils",
        advice="an older Python (--python)",
        python="3.12",
        from_="told: numpy/numpy 23808",
    ),
    "longintrepr.h": Captured(
        package="aiohttp",
        words="""aiohttp/_websocket.c:198:12: fatal error: longintrepr.h: No such file or directory
   #include "longintrepr.h"
            ^~~~~~~~~~~~~~~
compilation terminated.
error: command '/usr/bin/gcc' failed with exit code 1""",
        kind="cython",
        advice="which knows Python 3.11",
        from_="told: aio-libs/aiohttp 6600",
    ),
    "PyO3": Captured(
        package="gtars",
        words="""  --- stderr
  error: the configured Python interpreter version (3.13) is newer than PyO3's maximum supported version (3.12)
  = help: please check if an updated version of PyO3 is available. Current version: 0.20.3
warning: build failed, waiting for other jobs to finish...""",
        kind="python-too-new",
        advice="which knows Python 3.13",
        python="3.13",
        from_="told: PyO3/maturin-action 246",
    ),
    "Rust is too old for the lock": Captured(
        package="efs-utils",
        words="""error: failed to parse lock file at: /tmp/efs-utils/src/proxy/Cargo.lock

Caused by:
   lock file version 4 requires `-Znext-lockfile-bump`""",
        kind="rust-too-old",
        advice="a newer one",
        from_="told: aws/efs-utils 293",
    ),
    "CMake has forgotten the old ways": Captured(
        package="dlib",
        words="""CMake Error at CMakeLists.txt:1 (cmake_minimum_required):
  Compatibility with CMake < 3.5 has been removed from CMake.""",
        kind="cmake-too-new",
        advice="tools of its time",
        from_="told: davisking/dlib",
    ),
    "a version from version control": Captured(
        package="orders",
        words="LookupError: setuptools-scm was unable to detect version for /tmp/x.",
        kind="version-control",
        advice="set `version` in pyproject.toml",
        from_="told: pypa/setuptools-scm",
    ),
}
