"""The environment and the configuration file, read in one place.

``Settings.load`` reads once; the value it gives is passed down. Each setting knows where
it came from (``origin``), so that a person can find the line to change.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from imagekit.errors import DiskFull, InvalidConfig
from imagekit.network.proxies import Proxies
from imagekit.registry.access import Access
from imagekit.settings.config_file import ConfigFile
from imagekit.settings.docker_context import current_endpoint, tls_refused
from imagekit.settings.keys import KEYS, bytes_of, read_engine, read_namespace, read_registries, read_seconds
from imagekit.settings.prefect_profile import prefect_namespace

ENGINE_ADDRESS = "unix:///var/run/docker.sock"
ENGINE_DEADLINE = 120.0
# Room for several projects of the largest usual kind: with CUDA, torch takes some 10 GB as wheels, layers and blobs.
CACHE_SIZE = "20GB"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_Value = TypeVar("_Value")

__all__ = ["KEYS", "ConfigFile", "Settings", "config_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How imagekit is set up on this machine."""

    engine_address: str = ENGINE_ADDRESS  # unix://, tcp://, ssh://
    engine_deadline: float = ENGINE_DEADLINE  # seconds that one answer of the engine may take
    cache_dir: Path
    cache_size: int = bytes_of(CACHE_SIZE, "default")  # bytes that it is held to after a build
    config_file: Path  # need not exist
    docker_config: Path  # Docker's own configuration directory
    default_namespace: str | None = None  # "team", "registry.example.com/team", a registry
    ca_bundle: Path | None = None  # certificates that the host trusts, where it says so
    insecure_registries: tuple[str, ...] = ()  # HOST[:PORT] or networks: without a known certificate, or without TLS
    source_date_epoch: int | None = None  # seconds; reproducible-builds.org/specs/source-date-epoch
    no_color: bool = False  # no-color.org
    debug: bool = False  # show tracebacks
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # for ${VAR} in requirements files
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)  # setting -> where it was set

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """Read the environment (``os.environ``), the configuration file, and Docker's and Prefect's own.

        Raises ``InvalidConfig`` with the variable, or the file and line, that is wrong.
        """
        environ = dict(os.environ if environ is None else environ)
        cwd = cwd or Path.cwd()
        file = ConfigFile.read(config_path(environ))
        origins: dict[str, str] = {}

        def noted(name: str, found: tuple[_Value, str]) -> _Value:
            value, origins[name] = found
            return value

        return cls(
            engine_address=noted("engine", _engine(environ, file)),
            engine_deadline=noted("engine-timeout", _deadline(environ, file)),
            cache_dir=noted("cache-dir", _cache_dir(environ, file, cwd)),
            cache_size=noted("cache-size", _cache_size(environ, file)),
            default_namespace=noted("default-namespace", _namespace(environ, file, cwd)),
            ca_bundle=noted("ca-bundle", _ca_bundle(environ)),
            insecure_registries=noted("insecure-registries", _insecure_registries(environ, file)),
            source_date_epoch=noted("source-date-epoch", _source_date_epoch(environ)),
            config_file=file.path,
            docker_config=_docker_config(environ),
            no_color=bool(environ.get("NO_COLOR")),
            debug=environ.get("IMAGEKIT_DEBUG", "") not in ("", "0"),
            variables=environ,
            origins=origins,
        )

    def usable_cache_dir(self) -> Path:
        """``cache_dir``, made where it is missing.

        Raises ``InvalidConfig`` where it cannot be made or written, ``DiskFull`` where there is no room.
        """
        path = self.cache_dir
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=path):
                return path
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no space left for {path}", hint=f"free some: df -h {path.parent}") from error
            raise InvalidConfig(
                f"the cache directory {path} ({self.origin('cache-dir')}) cannot be written: {error.strerror}",
                hint="set IMAGEKIT_CACHE_DIR to a directory that can",
            ) from error

    @property
    def data_dir(self) -> Path:
        """Where stored secrets are kept; it need not exist."""
        return _user_directory(self.variables, "XDG_DATA_HOME", ".local/share")

    def registry_access(self) -> Access:
        """How registries are reached and signed in to: Docker's credentials, the host's certificates and proxies."""
        return Access(
            docker_config=self.docker_config,
            ca_bundle=self.ca_bundle,
            proxies=Proxies.of(self.variables),
            insecure=self.insecure_registries,
            variables=self.variables,
        )

    def origin(self, name: str) -> str:
        """Where the setting ``name`` (``"default-namespace"``) comes from: a variable, a file, or ``default``."""
        return self.origins.get(name.replace("_", "-"), "default")

    def view(self) -> dict[str, str | float | None]:
        """The settings by the names that ``origin`` takes, as JSON has them."""
        return {
            "default-namespace": self.default_namespace,
            "cache-dir": str(self.cache_dir),
            "cache-size": self.cache_size,
            "engine": self.engine_address,
            "engine-timeout": self.engine_deadline,
            "ca-bundle": str(self.ca_bundle) if self.ca_bundle else None,
            "insecure-registries": ",".join(self.insecure_registries) or None,
            "source-date-epoch": self.source_date_epoch,
        }


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is, or would be."""
    if explicit := environ.get("IMAGEKIT_CONFIG_FILE"):
        return _expanded(explicit, environ, "IMAGEKIT_CONFIG_FILE")
    return _user_directory(environ, "XDG_CONFIG_HOME", ".config") / "config.toml"


def home(environ: Mapping[str, str]) -> Path:
    """The user's home directory: ``HOME``, or the account's where that is unset or relative."""
    chosen = Path(environ.get("HOME", ""))
    if chosen.is_absolute():
        return chosen
    if sys.platform == "win32":
        return Path.home()
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")  # as engines have it for a user without an account


def _expanded(text: str, environ: Mapping[str, str], variable: str) -> Path:
    """``text`` with a leading ``~`` replaced."""
    if text == "~" or text.startswith("~/"):
        return home(environ) / text[2:]
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InvalidConfig(f"{variable} is {text!r}, in a home that is not there", hint="write it out") from None


def _user_directory(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    if sys.platform in ("darwin", "win32"):
        import platformdirs

        of_platform = {
            "XDG_CACHE_HOME": platformdirs.user_cache_path,
            "XDG_CONFIG_HOME": platformdirs.user_config_path,
            "XDG_DATA_HOME": platformdirs.user_data_path,
        }
        return of_platform[variable]("imagekit")
    # XDG Base Directory Specification: a relative path is invalid and to be ignored.
    chosen = environ.get(variable, "")
    return (Path(chosen) if chosen.startswith("/") else home(environ) / below_home) / "imagekit"


def _engine(environ: Mapping[str, str], file: ConfigFile) -> tuple[str, str]:
    # The order of Docker's own client, ours first.
    if address := environ.get("IMAGEKIT_ENGINE"):
        return read_engine(address, "IMAGEKIT_ENGINE"), "IMAGEKIT_ENGINE"
    if "engine" in file.values:
        return str(file.values["engine"]), file.origin("engine")
    if address := environ.get("DOCKER_HOST"):
        # Docker takes HOST:PORT alone for TCP, and any text in DOCKER_TLS_VERIFY for yes.
        address = address if "://" in address else f"tcp://{address}"
        if environ.get("DOCKER_TLS_VERIFY") and address.startswith(("tcp://", "http://", "https://")):
            raise tls_refused("DOCKER_TLS_VERIFY asks for TLS")
        return read_engine(address, "DOCKER_HOST"), "DOCKER_HOST"
    name, endpoint = current_endpoint(_docker_config(environ), environ.get("DOCKER_CONTEXT") or None)
    if endpoint is None:
        return ENGINE_ADDRESS, "default"
    return read_engine(endpoint, f"docker context {name}"), f"docker context {name}"


def _docker_config(environ: Mapping[str, str]) -> Path:
    return Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home(environ) / ".docker"


def _deadline(environ: Mapping[str, str], file: ConfigFile) -> tuple[float, str]:
    variable = "IMAGEKIT_ENGINE_TIMEOUT"
    if text := environ.get(variable):
        return read_seconds(text, variable), variable
    if "engine-timeout" in file.values:
        return float(file.values["engine-timeout"]), file.origin("engine-timeout")
    return ENGINE_DEADLINE, "default"


def _cache_dir(environ: Mapping[str, str], file: ConfigFile, cwd: Path) -> tuple[Path, str]:
    if text := environ.get("IMAGEKIT_CACHE_DIR"):
        return cwd / _expanded(text, environ, "IMAGEKIT_CACHE_DIR"), "IMAGEKIT_CACHE_DIR"
    if "cache-dir" in file.values:
        return Path(str(file.values["cache-dir"])), file.origin("cache-dir")
    return _user_directory(environ, "XDG_CACHE_HOME", ".cache"), "default"


def _cache_size(environ: Mapping[str, str], file: ConfigFile) -> tuple[int, str]:
    variable = "IMAGEKIT_CACHE_SIZE"
    if text := environ.get(variable):
        return bytes_of(text, variable), variable
    if "cache-size" in file.values:
        origin = file.origin("cache-size")
        return bytes_of(str(file.values["cache-size"]), origin), origin
    return bytes_of(CACHE_SIZE, "default"), "default"


def _namespace(environ: Mapping[str, str], file: ConfigFile, cwd: Path) -> tuple[str | None, str]:
    variable = "IMAGEKIT_DEFAULT_NAMESPACE"
    if text := environ.get(variable):
        return read_namespace(text, variable), variable
    if "default-namespace" in file.values:
        return str(file.values["default-namespace"]), file.origin("default-namespace")
    found = prefect_namespace(environ, cwd, home(environ))
    if found is not None:
        text, origin = found
        return read_namespace(text, origin), origin
    return None, "default"


def _ca_bundle(environ: Mapping[str, str]) -> tuple[Path | None, str]:
    for variable in _CA_VARIABLES:
        text = environ.get(variable)
        if text and Path(text).is_file():
            return Path(text), variable
    return None, "default"


def _insecure_registries(environ: Mapping[str, str], file: ConfigFile) -> tuple[tuple[str, ...], str]:
    variable, key = "IMAGEKIT_INSECURE_REGISTRIES", "insecure-registries"
    if text := environ.get(variable):
        return tuple(read_registries(text, variable).split(",")), variable
    if text := str(file.values.get(key) or ""):
        return tuple(text.split(",")), file.origin(key)
    return (), "default"


def _source_date_epoch(environ: Mapping[str, str]) -> tuple[int | None, str]:
    variable = "SOURCE_DATE_EPOCH"
    text = environ.get(variable)
    if not text:
        return None, "default"
    if not (text.isascii() and text.isdigit()):
        raise InvalidConfig(
            f"{variable} is {text!r} and no number of seconds",
            hint=f"for the last commit's time: {variable}=$(git log -1 --format=%ct)",
        )
    return int(text), variable
