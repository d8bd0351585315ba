"""What a build hands to its steps in secret: values that go to BuildKit's client by its environment, never by a file
of ours or an argument, and ssh agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from imagekit.secrets.needles import Needles, needles
from imagekit.secrets.specs import Holder, SecretSpecs, StepAgent, StepSecret, read_agents, read_secrets

_VARIABLE = "IMAGEKIT_STEP_SECRET_"


@dataclass(frozen=True, kw_only=True)
class Handed:
    """Secrets and ssh agents for the steps of a build. ``repr`` shows no value."""

    secrets: tuple[StepSecret, ...] = ()
    agents: tuple[StepAgent, ...] = ()
    _concealed: tuple[bytes, ...] = field(default=(), repr=False)  # values that go elsewhere and are not to be seen

    @classmethod
    def read(
        cls,
        secrets: SecretSpecs | None,
        ssh: str | tuple[str, ...] | list[str] | None,
        *,
        variables: Mapping[str, str],
        load: Callable[[str], Holder],
        directory: Path,
    ) -> Handed:
        """From ``secrets=`` and ``ssh=``; ``InvalidSecret`` for what is not there. See ``specs.read_secrets``."""
        return cls(
            secrets=read_secrets(secrets or (), variables, load, directory),
            agents=read_agents(ssh or (), variables, directory),
        )

    def __bool__(self) -> bool:
        return bool(self.secrets or self.agents)

    def with_values(self, values: Mapping[str, str]) -> Handed:
        """The same, and ``values`` by their IDs; those of imagekit's own, for steps that it writes."""
        more = tuple(
            StepSecret(id=name, value=value.encode("utf-8", "surrogateescape")) for name, value in values.items()
        )
        return replace(self, secrets=(*self.secrets, *more))

    def with_file(self, name: str, path: Path) -> Handed:
        """The same, and the file at ``path``, which is no secret, but no part of the image either (certificates)."""
        return replace(self, secrets=(*self.secrets, StepSecret(id=name, file=path, value=b"")))

    def concealing(self, *values: str) -> Handed:
        """The same, with ``values`` to be taken out of what is said and looked for in what is made."""
        more = tuple(value.encode("utf-8", "surrogateescape") for value in values)
        return replace(self, _concealed=(*self._concealed, *more))

    def arguments(self) -> list[str]:
        """``--secret`` and ``--ssh`` for ``docker buildx build``; what they name is in ``environment``."""
        words: list[str] = []
        for number, secret in enumerate(self.secrets):
            place = f"src={secret.file}" if secret.file is not None else f"env={_VARIABLE}{number}"
            words += ["--secret", f"id={secret.id}," + (f'"{place}"' if set(place) & set(',"') else place)]
        for agent in self.agents:
            words += ["--ssh", str(agent)]
        return words

    def environment(self) -> dict[str, str]:
        """Variables for the process that gets ``arguments``."""
        return {
            f"{_VARIABLE}{number}": secret.value.decode("utf-8", "surrogateescape")
            for number, secret in enumerate(self.secrets)
            if secret.file is None
        }

    def mounts(self) -> list[str]:
        """``--mount`` for a ``RUN`` that is to see all of it, each secret in ``/run/secrets/ID``."""
        return [
            *(f"--mount=type=secret,id={secret.id}" for secret in self.secrets),
            *(f"--mount=type=ssh,id={agent.id}" for agent in self.agents),
        ]

    @cached_property
    def needles(self) -> Needles:
        """The values, for looking whether they are somewhere."""
        keys = [path.read_bytes() for agent in self.agents for path in agent.paths if path.is_file()]
        return needles([*(secret.value for secret in self.secrets), *self._concealed, *keys])


NOTHING = Handed()
