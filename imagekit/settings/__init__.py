"""The environment and the configuration file, read in one place.

``Settings.load`` reads once; the value it gives is passed down. Each setting knows where
it came from (``origin``), so that a person can find the line to change.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imagekit.atomic import is_disk_full
from imagekit.errors import DiskFull, InvalidConfig
from imagekit.network.proxies import Proxies
from imagekit.registry.access import Access
from imagekit.settings.config_file import ConfigFile
from imagekit.settings.directories import config_path, docker_config, home, user_directory
from imagekit.settings.machine import (
    CACHE_SIZE,
    ENGINE_ADDRESS,
    ENGINE_DEADLINE,
    WORKER_PREFETCH,
    Machine,
    chosen_profile,
)
from imagekit.settings.origin import DEFAULT, Origin

if TYPE_CHECKING:
    from imagekit.checkouts.values import SourceAccess
    from imagekit.lock.access import IndexAccess
    from imagekit.settings.package_indexes import PackageIndexes
    from imagekit.spec.table import Table

_Value = TypeVar("_Value")

__all__ = ["ConfigFile", "Origin", "Settings", "config_path", "home"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How imagekit is set up on this machine."""

    engine_address: str = ENGINE_ADDRESS  # unix://, tcp://, ssh://
    engine_deadline: float = ENGINE_DEADLINE  # seconds that one answer of the engine may take
    worker_prefetch: float = WORKER_PREFETCH  # seconds before its time that a worker makes a run ready
    cache_dir: Path
    cache_size: int = CACHE_SIZE  # bytes that it is held to after a build
    config_file: Path  # need not exist
    docker_config: Path  # Docker's own configuration directory
    default_namespace: str | None = None  # "team", "registry.example.com/team", a registry
    ca_bundle: Path | None = None  # certificates that the host trusts, where it says so
    client_cert: Path | None = None  # PEM: a certificate and its key, for package indexes
    offline: bool = False  # packages come from caches and this machine alone
    insecure_registries: tuple[str, ...] = ()  # HOST[:PORT] or networks: without a known certificate, or without TLS
    attest: bool = False  # documents go with images that are pushed or laid out
    frozen: bool = False  # a build is refused without a lock, and where the base has moved
    source_date_epoch: int | None = None  # seconds; reproducible-builds.org/specs/source-date-epoch
    no_color: bool = False  # no-color.org
    debug: bool = False  # show tracebacks
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # for ${VAR} in requirements files
    profile: str | None = None  # of the configuration file
    file: ConfigFile | None = field(default=None, repr=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)  # setting -> where it was set

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """Read the environment (``os.environ``), the configuration file, and Docker's and Prefect's own.

        Raises ``InvalidConfig`` with the variable, or the file and line, that is wrong.
        """
        environ = dict(os.environ if environ is None else environ)
        file = ConfigFile.read(config_path(environ))
        origins: dict[str, Origin] = {}

        def noted(name: str, found: tuple[_Value, Origin]) -> _Value:
            value, origins[name] = found
            return value

        profile = noted("profile", chosen_profile(environ, file))
        machine = Machine(environ=environ, file=file, profile=profile, cwd=cwd or Path.cwd())
        return cls(
            engine_address=noted("engine", machine.engine()),
            engine_deadline=noted("engine-timeout", machine.engine_timeout()),
            worker_prefetch=noted("worker-prefetch-seconds", machine.worker_prefetch()),
            cache_dir=noted("cache-dir", machine.cache_dir()),
            cache_size=noted("cache-size", machine.cache_size()),
            default_namespace=noted("default-namespace", machine.default_namespace()),
            ca_bundle=noted("ca-bundle", machine.ca_bundle()),
            client_cert=noted("client-cert", machine.client_cert()),
            offline=noted("offline", machine.offline()),
            insecure_registries=noted("insecure-registries", machine.insecure_registries()),
            attest=noted("attest", machine.attest()),
            frozen=noted("frozen", machine.frozen()),
            source_date_epoch=noted("source-date-epoch", machine.source_date_epoch()),
            config_file=file.path,
            docker_config=docker_config(environ),
            no_color=bool(environ.get("NO_COLOR")),
            debug=environ.get("IMAGEKIT_DEBUG", "") not in ("", "0"),
            variables=environ,
            profile=profile,
            file=file,
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
            if is_disk_full(error):
                raise DiskFull(f"no space left for {path}", hint=f"free some: df -h {path.parent}") from error
            raise InvalidConfig(
                f"the cache directory {path} ({self.origin('cache-dir')}) cannot be written: {error.strerror}",
                hint="set IMAGEKIT_CACHE_DIR to a directory that can be written, "
                "or: imagekit config set cache-dir=DIRECTORY",
            ) from error

    @property
    def data_dir(self) -> Path:
        """Where stored secrets are kept; it need not exist."""
        return user_directory(self.variables, "XDG_DATA_HOME", ".local/share")

    @property
    def state_dir(self) -> Path:
        """Where the record of runs is kept; it need not exist."""
        return user_directory(self.variables, "XDG_STATE_HOME", ".local/state")

    def registry_access(self) -> Access:
        """How registries are reached and signed in to: Docker's credentials, the host's certificates and proxies."""
        return Access(
            docker_config=self.docker_config,
            ca_bundle=self.ca_bundle,
            proxies=Proxies.of(self.variables),
            insecure=self.insecure_registries,
            variables=self.variables,
        )

    def package_indexes(self) -> PackageIndexes:
        """What uv's and pip's configuration on this machine say of package indexes; files are read now."""
        from imagekit.settings.package_indexes import PackageIndexes

        return PackageIndexes.read(self.variables, home(self.variables))

    def index_access(self, resolver: str = "uv") -> IndexAccess:
        """How package indexes are reached, for ``resolver``. Raises ``InvalidConfig``."""
        from imagekit.secrets.store import SecretStore

        return self.package_indexes().access(
            resolver=resolver,
            ca_bundle=self.ca_bundle,
            client_cert=self.client_cert,
            offline=self.offline,
            secret=lambda name: SecretStore(self.data_dir).get(name),
        )

    def source_access(self) -> SourceAccess:
        """How repositories of flows are reached, and where they are kept."""
        from imagekit.checkouts.values import SourceAccess
        from imagekit.secrets.store import SecretStore

        return SourceAccess(
            cache=self.usable_cache_dir(),
            cache_size=self.cache_size,
            environment=self.variables,
            ca_bundle=self.ca_bundle,
            offline=self.offline,
            secret=SecretStore(self.data_dir).get,
        )

    def project_layers(self) -> tuple[Table, Table]:
        """A project's keys as the environment has them, which go before its own file, and as the user has them."""
        from imagekit.settings.project import table_of_environment, table_of_user

        of_user = table_of_user(self.file, self.profile)[0] if self.file is not None else None
        environment = table_of_environment(self.variables)[0]
        return environment, of_user if of_user is not None else type(environment)()

    def origin(self, name: str) -> str:
        """Where the setting ``name`` (``"default-namespace"``) comes from: a variable, a file, or ``default``."""
        return str(self.origins.get(name.replace("_", "-"), DEFAULT))

    def view(self) -> dict[str, Any]:
        """The settings by the names that ``origin`` takes, as JSON has them."""
        return {
            "profile": self.profile,
            "default-namespace": self.default_namespace,
            "cache-dir": str(self.cache_dir),
            "cache-size": self.cache_size,
            "engine": self.engine_address,
            "engine-timeout": self.engine_deadline,
            "worker-prefetch-seconds": self.worker_prefetch,
            "insecure-registries": list(self.insecure_registries),
            "attest": self.attest,
            "frozen": self.frozen,
            "ca-bundle": str(self.ca_bundle) if self.ca_bundle else None,
            "client-cert": str(self.client_cert) if self.client_cert else None,
            "offline": self.offline,
            "source-date-epoch": self.source_date_epoch,
        }
