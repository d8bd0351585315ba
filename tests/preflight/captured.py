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
        advice='[apt] build = ["g++"]',
        recipe="unixodbc",
    ),
    "cc1plus (pyodbc, gcc without g++)": Captured(
        package="pyodbc",
        words="""gcc -pthread -Wno-unused-result -fPIC -DPYODBC_VERSION=4.0.26 -c src/buffer.cpp -o build/temp/buffer.o
gcc: error trying to exec 'cc1plus': execvp: No such file or directory
error: command 'gcc' failed with exit status 1""",
        kind="missing",
        wants="program cc1plus",
        advice='[apt] build = ["g++"]',
        recipe="unixodbc",
        from_="told: michiya/django-pyodbc-azure 206",
    ),
    "cc1plus, in another locale": Captured(
        package="spconv",
        words="""gcc: fatal error: cannot execute ‘cc1plus’: execvp: No such file or directory
compilation terminated.""",
        kind="missing",
        wants="program cc1plus",
        advice='[apt] build = ["g++"]',
        recipe="compiler",
        from_="told: traveller59/spconv 388",
    ),
    "pkg-config is not there (mysqlclient)": Captured(
        package="mysqlclient",
        words="""Exception: Can not find valid pkg-config name.
Specify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually
Trying pkg-config --exists mysqlclient
Command 'pkg-config --exists mysqlclient' returned non-zero exit status 127.
Trying pkg-config --exists mariadb
Command 'pkg-config --exists mariadb' returned non-zero exit status 127.
/bin/sh: 1: pkg-config: not found
error: Failed to build `/tmp/imagekit-_2z1nwib/source/mysqlclient-2.3.1.tar.gz`""",
        kind="missing",
        wants="pkg-config mysqlclient",
        advice='[apt] build = ["default-libmysqlclient-dev", "pkg-config"]',
        recipe="mysql",
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
    "a module of pkg-config (pycairo, with a compiler)": Captured(
        package="pycairo",
        words="""Found pkg-config: YES (/usr/bin/pkg-config) 1.8.1
Did not find CMake 'cmake'
Found CMake: NO
Run-time dependency cairo found: NO  (tried pkg-config)

../cairo/meson.build:31:12: ERROR: Dependency "cairo" not found (tried pkg-config)

error: Failed to build `/tmp/imagekit-3q99_yrr/source/pycairo-1.29.2.tar.gz`""",
        kind="missing",
        wants="pkg-config cairo",
        advice='[apt] build = ["libcairo2-dev"]',
        recipe="cairo",
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
        package="gdal",
        words="""error: Failed to build `gdal==3.6.2`
  cause: The build backend returned an error
         FileNotFoundError: [Errno 2] No such file or directory: 'gdal-config'

         During handling of the above exception, another exception occurred:

         gdal_config_error: [Errno 2] No such file or directory: 'gdal-config'

         Could not find gdal-config. Make sure you have installed the GDAL native library and development headers.""",
        kind="missing",
        wants="program gdal-config",
        advice="libgdal-dev",
        recipe="gdal",
    ),
    "Cargo": Captured(
        package="tokenizers",
        words="""Cargo, the Rust package manager, is not installed or is not on PATH.
This package requires Rust and Cargo to compile extensions. Install it through
the system's package manager or via https://rustup.rs/

Checking for Rust toolchain....""",
        kind="missing",
        wants="program cargo",
        advice='[apt] build = ["cargo"]',
        from_="told: anthropics/claude-quickstarts 56",
    ),
    "a header (pyodbc, with a compiler)": Captured(
        package="pyodbc",
        words="""In file included from src/cnxninfo.cpp:7:
src/pyodbc.h:52:10: fatal error: sql.h: No such file or directory
   52 | #include <sql.h>
      |          ^~~~~~~
compilation terminated.
error: Command '['x86_64-linux-gnu-g++', '-Wsign-compare', '-fPIC', '-c', 'src/cnxninfo.cpp']' \
returned non-zero exit status 1.
error: Failed to build `/tmp/imagekit-4q6c_9tw/source/pyodbc-5.5.0.tar.gz`
hint: This error likely indicates that you need to install a library that provides `sql.h` for `pyodbc@5.5.0`""",
        kind="missing",
        wants="header sql.h",
        advice='[apt] build = ["unixodbc-dev"]',
        recipe="unixodbc",
    ),
    "a header (python-ldap, with a compiler)": Captured(
        package="python-ldap",
        words="""In file included from Modules/LDAPObject.c:3:
Modules/common.h:15:10: fatal error: lber.h: No such file or directory
   15 | #include <lber.h>
      |          ^~~~~~~~
compilation terminated.""",
        kind="missing",
        wants="header lber.h",
        advice='[apt] build = ["libldap-dev"]',
        recipe="ldap",
    ),
    "another Cython (PyYAML 5.4.1)": Captured(
        package="pyyaml",
        words="""  File "<string>", line 201, in get_source_files
AttributeError: 'build_ext' object has no attribute 'cython_sources'
error: Failed to build `/tmp/imagekit-joymhz74/source/PyYAML-5.4.1.tar.gz`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.get_requires_for_build_wheel` failed (exit status: 1)""",
        kind="cython",
        advice="a later version of pyyaml",
    ),
    "a header (pymssql, with a compiler)": Captured(
        package="pymssql",
        words="""src/pymssql/_mssql.c:1410:10: fatal error: sqlfront.h: No such file or directory
 1410 | #include "sqlfront.h"
      |          ^~~~~~~~~~~~
compilation terminated.""",
        kind="missing",
        wants="header sqlfront.h",
        advice='[apt] build = ["freetds-dev"]',
        recipe="freetds",
    ),
    "a library, in the package's own words (Pillow, with a compiler)": Captured(
        package="pillow",
        words="""RequiredDependencyException:

The headers or library files could not be found for jpeg,
a required dependency when compiling Pillow from source.

error: Failed to build `/tmp/imagekit-ykhol3qj/source/pillow-13.0.0.tar.gz`""",
        kind="missing",
        wants="pkg-config libjpeg",
        advice='[apt] build = ["libjpeg-dev"]',
        recipe="image-libraries",
    ),
    "HDF5 (h5py, with a compiler)": Captured(
        package="h5py",
        words="""error: libhdf5.so: cannot open shared object file: No such file or directory
Loading library to get build settings and version: libhdf5.so
error: Unable to load dependency HDF5, make sure HDF5 is installed properly
on sys.platform='linux' with platform.machine()='x86_64'""",
        kind="missing",
        wants="pkg-config hdf5-serial",
        advice='[apt] build = ["libhdf5-dev"]',
        recipe="hdf5",
    ),
    "pg_config (psycopg2)": Captured(
        package="psycopg2",
        words="""Error: pg_config executable not found.

pg_config is required to build psycopg2 from source.  Please add the directory
containing pg_config to the $PATH or specify the full executable path with the
option:

    python setup.py build_ext --pg-config /path/to/pg_config build ...

error: Failed to build `/tmp/imagekit-k79ao6fu/source/psycopg2-2.9.13.tar.gz`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.get_requires_for_build_wheel` failed (exit status: 1)""",
        kind="missing",
        wants="program pg_config",
        advice='[apt] build = ["libpq-dev"]',
        recipe="postgresql",
    ),
    "curl-config (pycurl)": Captured(
        package="pycurl",
        words="""  File "<string>", line 127, in configure_unix
ConfigurationError: Could not run curl-config: [Errno 2] No such file or directory: 'curl-config'
error: Failed to build `/tmp/imagekit-j8xeavfy/source/pycurl-7.49.0.tar.gz`
  cause: The build backend returned an error""",
        kind="missing",
        wants="program curl-config",
        advice='[apt] build = ["libcurl4-openssl-dev"]',
    ),
    "krb5-config (gssapi)": Captured(
        package="gssapi",
        words="""/bin/sh: 1: krb5-config: not found
    raise CalledProcessError(retcode, process.args,
subprocess.CalledProcessError: Command 'krb5-config --libs gssapi' returned non-zero exit status 127.
error: Failed to build `/tmp/imagekit-jj6owatn/source/gssapi-1.12.0.tar.gz`""",
        kind="missing",
        wants="program krb5-config",
        advice='[apt] build = ["libkrb5-dev"]',
        recipe="kerberos",
    ),
    "Rust, and no way to fetch it (cryptography)": Captured(
        package="cryptography",
        words="""  File "/lib/python3.11/site-packages/puccinialin/_setup_rust.py", line 34, in download_rustup
httpx.ConnectError: [Errno -2] Name or service not known
Rust not found, installing into a temporary directory
error: Failed to build `/tmp/imagekit-4s5kqvgw/source/cryptography-50.0.2.tar.gz`
  cause: The build backend returned an error
  cause: Call to `maturin.build_wheel` failed (exit status: 1)""",
        kind="missing",
        wants="program cargo",
        advice='[apt] build = ["cargo"]',
    ),
    "libxml2 and libxslt (lxml)": Captured(
        package="lxml",
        words="""Building lxml version 6.1.3.
Building without Cython.
Error: Please make sure the libxml2 and libxslt development packages are installed.
error: Failed to build `/tmp/imagekit-kzzuatyz/source/lxml-6.1.3.tar.gz`""",
        kind="missing",
        wants="pkg-config libxslt",
        advice='[apt] build = ["libxslt1-dev"]',
        recipe="xml",
    ),
    "no compiler, by Meson (numpy)": Captured(
        package="numpy",
        words="""../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang'], \
['nvc'], ['pgcc'], ['icc'], ['icx']]
The following exception(s) were encountered:
Running `cc --version` gave "[Errno 2] No such file or directory: 'cc'"
Running `gcc --version` gave "[Errno 2] No such file or directory: 'gcc'"
Running `clang --version` gave "[Errno 2] No such file or directory: 'clang'"
Running `icx --version` gave "[Errno 2] No such file or directory: 'icx'"
error: Failed to build `/tmp/imagekit-tb5czskj/source/numpy-2.4.6.tar.gz`""",
        kind="missing",
        wants="program gcc",
        advice='[apt] build = ["gcc"]',
        recipe="compiler",
    ),
    "pkg-config is not there (h5py)": Captured(
        package="h5py",
        words="""running build_ext
Building h5py requires pkg-config unless the HDF5 path is explicitly specified using the environment variable HDF5_DIR.
error: pkg-config probably not installed: FileNotFoundError(2, 'No such file or directory')
error: Failed to build `/tmp/imagekit-6k4v4ttr/source/h5py-3.16.0.tar.gz`""",
        kind="missing",
        wants="program pkg-config",
        advice='[apt] build = ["pkg-config"]',
        recipe="hdf5",
    ),
    "netCDF's headers": Captured(
        package="netcdf4",
        words="""    raise ValueError("Did not find netCDF version 4 headers.")
ValueError: Did not find netCDF version 4 headers.
error: Failed to build `/tmp/imagekit-ta57j9db/source/netcdf4-1.7.5.1.post1.tar.gz`""",
        kind="missing",
        wants="pkg-config netcdf",
        advice='[apt] build = ["libnetcdf-dev"]',
        recipe="netcdf",
    ),
    "the preprocessor alone (m2crypto)": Captured(
        package="m2crypto",
        words="""INFO:write_file:writing top-level names to src/M2Crypto.egg-info/top_level.txt
error: [Errno 2] No such file or directory: 'cpp'
error: Failed to build `/tmp/imagekit-vwvzsya8/source/m2crypto-0.51.0.tar.gz`""",
        kind="missing",
        wants="program gcc",
        advice='[apt] build = ["gcc"]',
        recipe="compiler",
    ),
    "a Python that is too new (llvmlite)": Captured(
        package="llvmlite",
        words="""RuntimeError: Cannot install on Python version 3.11.2; only versions >=3.7,<3.11 are supported.
error: Failed to build `/tmp/imagekit-b1x9p3n7/source/llvmlite-0.38.1.tar.gz`""",
        kind="python-too-new",
        advice="llvmlite does not take Python 3.11.2",
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
        advice="imagekit config set ca-bundle=FILE",
        from_="told: zeromq/pyzmq",
    ),
    "use_2to3": Captured(
        package="anyjson",
        words="""error: Failed to build `anyjson==0.3.3`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.get_requires_for_build_wheel` failed (exit status: 1)

         [stderr]
         error in anyjson setup command: use_2to3 is invalid.""",
        kind="setuptools",
        advice="find-links",
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
        words="""    import distutils.core
ModuleNotFoundError: No module named 'distutils'
error: Failed to build `/tmp/imagekit-9d0cw3fx/source/numpy-1.24.4.tar.gz`
  cause: The build backend returned an error
hint: `distutils` was removed from the standard library in Python 3.12. Consider adding a constraint to avoid \
building a package that depends on `distutils`.""",
        kind="distutils",
        advice="an older Python (--python)",
        python="3.13",
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
