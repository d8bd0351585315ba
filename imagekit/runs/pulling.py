"""The image of a run, found in the engine or pulled, by the policies that Prefect and Kubernetes have."""

from __future__ import annotations

from imagekit.engine.client import Engine, EngineImage
from imagekit.errors import AuthError, EngineError, EngineLost, EngineTimeout, ImagekitError
from imagekit.oci.digest import is_digest
from imagekit.oci.reference import MADE_HERE, Reference
from imagekit.progress import Reporter
from imagekit.registry.access import Access
from imagekit.runs.credentials import RegistryCredentials

ALWAYS, IF_NOT_PRESENT, IF_POSSIBLE, NEVER = "Always", "IfNotPresent", "IfPossible", "Never"
_DENIED = ("unauthorized", "authentication required", "no basic auth", "insufficient_scope")


def present(
    engine: Engine,
    reference: str,
    *,
    policy: str | None,
    access: Access,
    reporter: Reporter,
    credentials: RegistryCredentials | None = None,
) -> EngineImage:
    """The image that ``reference`` (or an ID) names, as it is in the engine after what ``policy`` asks for.

    What imagekit makes on a machine is never pulled. What is pulled by its digest is that, whatever its tag has come
    to name. Raises ``EngineError`` or ``AuthError`` with the registry's words.
    """
    found = engine.image(reference)
    if is_digest(reference):
        # An ID is of this engine alone.
        if found is None:
            raise EngineError(f"{reference} is not in the engine", hint="docker image ls --no-trunc lists IDs")
        return found
    parsed = Reference.parse(reference)
    if parsed.registry is None and parsed.repository.startswith(MADE_HERE):
        # A registry that has something of that name has it from somebody else.
        if found is None:
            raise EngineError(
                f"{reference} is not in the engine, and names that begin with {MADE_HERE} are never pulled",
                hint=f"make it here (imagekit build, imagekit base build); Docker Hub's is docker.io/{reference}",
            )
        return found
    policy = policy or default_policy(parsed, found)
    if policy == NEVER or (policy == IF_NOT_PRESENT and found is not None):
        if found is None:
            raise EngineError(
                f"{reference} is not in the engine",
                hint=f"build it, or docker pull {reference}; nothing is pulled here",
            )
        return found
    try:
        return _pulled(engine, parsed, access, credentials, reporter)
    except (EngineLost, EngineTimeout):
        raise
    except ImagekitError as error:
        if found is None:
            raise
        if policy != IF_POSSIBLE:
            error.hint = "image_pull_policy IfPossible or IfNotPresent (--pull) takes the one that is here"
            raise
        reporter.line(f"{error.message}: the one that is here is taken")
        return found


def default_policy(reference: Reference, found: EngineImage | None) -> str:
    """``Always`` for ``latest`` or no tag, as Prefect's worker has it, unless the image was made in this engine.

    A digest says all, and any other tag is taken to stay where it is.
    """
    if reference.digest is not None or reference.tag not in (None, "latest"):
        return IF_NOT_PRESENT
    return IF_NOT_PRESENT if found is not None and not found.repo_digests else ALWAYS


def _pulled(
    engine: Engine,
    reference: Reference,
    access: Access,
    credentials: RegistryCredentials | None,
    reporter: Reporter,
) -> EngineImage:
    name = str(reference if reference.tag or reference.digest else reference.with_tag("latest"))
    try:
        with reporter.task(f"pulling {name}"):
            return engine.pull(name, None, auth=login(reference, access, credentials))
    except (EngineLost, EngineTimeout):
        raise
    except EngineError as error:
        words = error.details or error.message
        if any(word in words.lower() for word in _DENIED):
            from imagekit.registry.hosts import registry_of

            hint = f"docker login {registry_of(reference)}, or --registry-credentials FILE (registry_credentials)"
            raise AuthError(f"the registry gives {name} to nobody without a login", hint=hint, details=words) from error
        hint = "check its name, and whether the registry can be reached; build it, if it is to be made here"
        raise EngineError(f"{name} cannot be pulled", hint=hint, details=words) from error


def login(reference: Reference, access: Access, credentials: RegistryCredentials | None) -> dict[str, str]:
    """What the engine signs in with: ``credentials`` of this registry, else what ``docker login`` keeps for it."""
    from imagekit.registry.credentials import find_credentials
    from imagekit.registry.hosts import login_of, registry_of

    registry = registry_of(reference)
    if credentials is not None and credentials.host == registry:
        found = {"username": credentials.username, "password": credentials.password}
    else:
        kept = find_credentials(registry, access)
        if kept is None:
            return {}
        found = {
            "username": kept.user,
            "password": kept.password,
            "identitytoken": kept.identity_token,
            "registrytoken": kept.registry_token,
        }
    return {**{name: value for name, value in found.items() if value}, "serveraddress": login_of(registry)}
