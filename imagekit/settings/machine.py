"""Each setting of the machine: our variable, the profile, the user's configuration, then other programs' own.

What declares and checks the keys is imported where there is a value to check: most machines have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import InvalidConfig
from imagekit.settings.config_file import ConfigFile
from imagekit.settings.directories import docker_config, expanded, home, user_directory
from imagekit.settings.docker_context import current_endpoint, tls_refused
from imagekit.settings.origin import DEFAULT, Origin
from imagekit.settings.prefect_profile import prefect_namespace
from imagekit.spec.variable import variable_of

ENGINE_ADDRESS = "unix:///var/run/docker.sock"
# As the declarations of these keys have it.
ENGINE_DEADLINE = 120.0
CACHE_SIZE = 20_000_000_000
WORKER_PREFETCH = 10.0  # as Prefect's workers have it
PROFILE = "IMAGEKIT_PROFILE"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine's settings are found in."""

    environ: Mapping[str, str]
    file: ConfigFile
    profile: str | None
    cwd: Path

    def own(self, name: str) -> tuple[Any, Origin] | None:
        """What our variable, the profile or the user's configuration say of ``name``."""
        variable = variable_of(name)
        if text := self.environ.get(variable):
            from imagekit.settings.keys import machine_keys

            return machine_keys()[name].of_text(text, variable), Origin.of_variable(variable)
        return self.file.find(name, self.profile)

    def engine(self) -> tuple[str, Origin]:
        # The order of Docker's own client, ours first.
        if (found := self.own("engine")) is not None:
            return found
        if address := self.environ.get("DOCKER_HOST"):
            from imagekit.settings.keys import read_engine

            # Docker takes HOST:PORT alone for TCP, and any text in DOCKER_TLS_VERIFY for yes.
            address = address if "://" in address else f"tcp://{address}"
            if self.environ.get("DOCKER_TLS_VERIFY") and address.startswith(("tcp://", "http://", "https://")):
                raise tls_refused("DOCKER_TLS_VERIFY asks for TLS")
            return read_engine(address, "DOCKER_HOST"), Origin.of_variable("DOCKER_HOST")
        name, endpoint = current_endpoint(docker_config(self.environ), self.environ.get("DOCKER_CONTEXT") or None)
        if endpoint is None:
            return ENGINE_ADDRESS, DEFAULT
        from imagekit.settings.keys import read_engine

        return read_engine(endpoint, f"docker context {name}"), Origin(words=f"docker context {name}")

    def engine_timeout(self) -> tuple[float, Origin]:
        return self.own("engine-timeout") or (ENGINE_DEADLINE, DEFAULT)

    def worker_prefetch(self) -> tuple[float, Origin]:
        return self.own("worker-prefetch-seconds") or (WORKER_PREFETCH, DEFAULT)

    def cache_dir(self) -> tuple[Path, Origin]:
        variable = variable_of("cache-dir")
        if text := self.environ.get(variable):
            # Relative to the working directory, which a file's cannot be.
            return self.cwd / expanded(text, self.environ, variable), Origin.of_variable(variable)
        if (found := self.own("cache-dir")) is not None:
            return Path(found[0]), found[1]
        return user_directory(self.environ, "XDG_CACHE_HOME", ".cache"), DEFAULT

    def cache_size(self) -> tuple[int, Origin]:
        if (found := self.own("cache-size")) is None:
            return CACHE_SIZE, DEFAULT
        from imagekit.settings.keys import bytes_of

        return bytes_of(found[0], "cache-size"), found[1]

    def default_namespace(self) -> tuple[str | None, Origin]:
        if (own := self.own("default-namespace")) is not None:
            return own
        found = prefect_namespace(self.environ, self.cwd, home(self.environ))
        if found is None:
            return None, DEFAULT
        from imagekit.settings.keys import read_namespace

        return read_namespace(*found), Origin(words=found[1])

    def insecure_registries(self) -> tuple[tuple[str, ...], Origin]:
        return self.own("insecure-registries") or ((), DEFAULT)

    def attest(self) -> tuple[bool, Origin]:
        return self.own("attest") or (False, DEFAULT)

    def frozen(self) -> tuple[bool, Origin]:
        return self.own("frozen") or (False, DEFAULT)

    def offline(self) -> tuple[bool, Origin]:
        return self.own("offline") or (False, DEFAULT)

    def client_cert(self) -> tuple[Path | None, Origin]:
        found = self.own("client-cert")
        return (None, DEFAULT) if found is None else (Path(found[0]), found[1])

    def ca_bundle(self) -> tuple[Path | None, Origin]:
        if (found := self.own("ca-bundle")) is not None:
            return Path(found[0]), found[1]
        for variable in CA_VARIABLES:
            text = self.environ.get(variable)
            if text and Path(text).is_file():
                return Path(text), Origin.of_variable(variable)
        return None, DEFAULT

    def source_date_epoch(self) -> tuple[int | None, Origin]:
        variable = "SOURCE_DATE_EPOCH"
        text = self.environ.get(variable)
        if not text:
            return None, DEFAULT
        if not (text.isascii() and text.isdigit()):
            raise InvalidConfig(
                f"{variable} is {text!r} and no number of seconds",
                hint=f"for the last commit's time: {variable}=$(git log -1 --format=%ct)",
            )
        return int(text), Origin.of_variable(variable)


def chosen_profile(environ: Mapping[str, str], file: ConfigFile) -> tuple[str | None, Origin]:
    """The profile that holds: the one named (``--profile``, ``IMAGEKIT_PROFILE``), or else the file's own choice."""
    if name := environ.get(PROFILE):
        origin = f"--profile or {PROFILE}"
        return file.known_profile(name, origin), Origin(words=origin, variable=PROFILE)
    if file.profile is not None:
        return file.profile, Origin(source=file.source, path=("profile",))
    return None, DEFAULT
