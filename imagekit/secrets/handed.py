"""What a build hands to its steps in secret: values that go to BuildKit's client by its environment, never by a file
of ours or an argument, and ssh agents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.secrets.needles import Needles
    from imagekit.secrets.specs import Holder, SecretSpecs, StepAgent, StepSecret

_VARIABLE = "IMAGEKIT_STEP_SECRET_"


@dataclass(frozen=True, kw_only=True)
class Handed:
    """Secrets and ssh agents for the steps of a build. ``repr`` shows no value."""

    secrets: tuple[StepSecret, ...] = ()
    agents: tuple[StepAgent, ...] = ()
    own: tuple[StepSecret, ...] = ()  # for steps that imagekit writes
    may_be_seen: bool = False  # credentials are taken where everyone sees them (allow_secret_build_args)
    arguments_by_name: Mapping[str, str] = field(default_factory=dict, repr=False)  # build arguments
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # this process's environment
    sensitive: tuple[bytes, ...] = field(default=(), repr=False)  # further values that are not to be seen

    @classmethod
    def read(
        cls,
        secrets: SecretSpecs | None,
        ssh: str | Iterable[str] | None,
        *,
        variables: Mapping[str, str],
        load: Callable[[str], Holder],
        may_be_seen: bool = False,
    ) -> Handed:
        """From ``secrets=`` and ``ssh=``; ``InvalidSecret`` for what is not there. See ``specs.read_secrets``."""
        if not secrets and not ssh:
            return cls(may_be_seen=may_be_seen, variables=variables)
        from imagekit.secrets.specs import read_agents, read_secrets

        return cls(
            secrets=read_secrets(secrets or (), variables, load),
            agents=read_agents(ssh or (), variables),
            may_be_seen=may_be_seen,
            variables=variables,
        )

    def __bool__(self) -> bool:
        return bool(self.secrets or self.agents)

    def with_own(self, values: Mapping[str, str], *, files: Mapping[str, Path] | None = None) -> Handed:
        """The same, and what imagekit's own steps need, by their IDs: ``values`` that may hold logins, and ``files``
        that are no secret but no part of the image either (certificates)."""
        from imagekit.secrets.needles import parts
        from imagekit.secrets.specs import StepSecret

        more = [StepSecret(id=name, value=_bytes(value)) for name, value in values.items() if value]
        more += [StepSecret(id=name, file=path, value=b"") for name, path in (files or {}).items()]
        sensitive = [part for secret in more for part in parts(secret.value, by_looks=False)]
        return replace(self, own=(*self.own, *more), sensitive=(*self.sensitive, *sensitive))

    def with_arguments(self, arguments: Mapping[str, str]) -> Handed:
        """The same, and build arguments that are credentials: they are named on the command line, and no more."""
        values = tuple(map(_bytes, arguments.values()))
        return replace(self, arguments_by_name=arguments, sensitive=(*self.sensitive, *values))

    def arguments(self) -> list[str]:
        """``--secret``, ``--ssh``, ``--build-arg`` for ``docker buildx build``; the values are in ``environment``."""
        words: list[str] = []
        for number, secret in enumerate((*self.secrets, *self.own)):
            place = f"src={secret.file}" if secret.file is not None else f"env={_VARIABLE}{number}"
            words += ["--secret", f"id={secret.id}," + (f'"{place}"' if set(place) & set(',"') else place)]
        for agent in self.agents:
            words += ["--ssh", str(agent)]
        for name in self.arguments_by_name:
            words += ["--build-arg", name]
        return words

    def environment(self) -> dict[str, str] | None:
        """The environment of the process that gets ``arguments``; ``None``: this process's own will do."""
        more = {
            f"{_VARIABLE}{number}": secret.value.decode("utf-8", "surrogateescape")
            for number, secret in enumerate((*self.secrets, *self.own))
            if secret.file is None
        }
        more |= self.arguments_by_name
        return {**self.variables, **more} if more else None

    def mounts(self) -> list[str]:
        """``--mount`` for a ``RUN`` that is to see what the user handed over, each secret in ``/run/secrets/ID``."""
        return [
            *(f"--mount=type=secret,id={secret.id}" for secret in self.secrets),
            *(f"--mount=type=ssh,id={agent.id}" for agent in self.agents),
        ]

    @cached_property
    def needles(self) -> Needles:
        """The values, for looking whether they are somewhere."""
        from imagekit.secrets.needles import needles

        keys = [path.read_bytes() for agent in self.agents for path in agent.paths if path.is_file()]
        return needles([*(secret.value for secret in self.secrets), *self.sensitive, *keys])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


NOTHING = Handed()
