"""``to_prefect``: an embedded deployment and its work pool, made on a Prefect server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from imagekit.errors import ImagekitError, InputError
from imagekit.prefect.translation import Translated, translated
from imagekit.store.values import now


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A deployment on a Prefect server, and what somebody should know of it."""

    id: UUID
    told: tuple[str, ...]


def to_prefect(name: str, *, image: str | None = None, replace_pool: bool = False, pause: bool = True) -> UUID:
    """Make the embedded deployment ``FLOW/NAME`` on the Prefect server in use (``PREFECT_API_URL``); its ID there.

    Its pool goes along: one of that name that the server has is left as it is, unless ``replace_pool`` says otherwise.
    ``image`` takes the place of the one that the deployment is pinned to: one that was not pushed is known to this
    machine's engine alone. The image must hold Prefect, as those of ``imagekit.prefect.DockerImage`` do.
    ``pause``: the embedded one is paused then, so that no schedule runs a flow in two places. What is to be known
    besides is printed.

    Raises ``InputError`` before the server is asked for anything, where Prefect's Docker worker cannot do it.
    """
    moved = move(name, image=image, replace_pool=replace_pool, pause=pause)
    for line in moved.told:
        print(line)
    return moved.id


def move(name: str, *, image: str | None, replace_pool: bool, pause: bool) -> Moved:
    """As ``to_prefect``; nothing is printed."""
    from imagekit.settings import Settings
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    with Store.open(Settings.load().state_dir) as store:
        kept = Deployments(store.file)
        deployment = kept.get(name)
        wanted = translated(deployment, Pools(store.file).get(deployment.pool), image=image)
        moved = _sent(wanted, replace_pool=replace_pool)
        if pause and not deployment.is_paused:
            kept.put(replace(deployment, is_paused=True, updated=now()), [None] * len(deployment.schedules))
    return moved


def _sent(wanted: Translated, *, replace_pool: bool) -> Moved:
    try:
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
        from prefect.exceptions import ObjectNotFound
        from prefect.settings import PREFECT_API_URL
    except ImportError as error:
        raise ImagekitError("Prefect 3 is not installed here", hint="pip install 'prefect>=3,<4'") from error
    address = PREFECT_API_URL.value()
    if not address:
        raise InputError("no Prefect server is named", hint="prefect config set PREFECT_API_URL=http://HOST:4200/api")
    told = list(wanted.told)
    try:
        with get_client(sync_client=True) as client:
            try:
                known = client.read_work_pool(wanted.pool["name"])
            except ObjectNotFound:
                known = None
            if known is not None and known.type != wanted.pool["type"]:
                raise ImagekitError(
                    f"the server's work pool {known.name!r} is of the type {known.type}",
                    hint=f"rename one of them: here it is of the type {wanted.pool['type']}",
                )
            if known is None or replace_pool:
                client.create_work_pool(WorkPoolCreate(**wanted.pool), overwrite=known is not None)
            elif known.base_job_template != wanted.pool["base_job_template"]:
                told.append(f"the server's work pool {known.name!r} stays as it is, and has other defaults than ours")
            fields: dict[str, Any] = dict(wanted.deployment)
            # Moved once, the one here is paused; whether the one there is, is the server's to say.
            with suppress(ObjectNotFound):
                fields["paused"] = client.read_deployment_by_name(f"{wanted.flow}/{fields['name']}").paused
            fields["schedules"] = [DeploymentScheduleCreate(**each) for each in fields["schedules"]]
            identity = client.create_deployment(flow_id=client.create_flow_from_name(wanted.flow), **fields)
    except httpx.HTTPError as error:
        raise ImagekitError(
            f"the Prefect server at {address} did not take {wanted.flow}/{wanted.deployment['name']}",
            hint=f"whether it answers: curl {address.rstrip('/')}/health",
            details=str(error),
        ) from error
    return Moved(id=identity, told=tuple(told))
