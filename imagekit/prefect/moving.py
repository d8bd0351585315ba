"""``to_prefect``: an embedded deployment and its work pool, made on a Prefect server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagekit.errors import ImagekitError, InputError
from imagekit.prefect.translation import Translated, translated

if TYPE_CHECKING:
    from uuid import UUID

    from imagekit.store.work_values import Deployment


def to_prefect(name: str, *, image: str | None = None, replace_pool: bool = False, pause: bool = True) -> UUID:
    """Make the embedded deployment ``FLOW/NAME`` on the Prefect server in use (``PREFECT_API_URL``); its ID there.

    Its pool goes along: one of that name that the server has is left as it is, unless ``replace_pool`` says otherwise.
    ``image`` takes the place of the one that the deployment is pinned to: one that was not pushed is known to this
    machine's engine alone. The image must hold Prefect, as those of ``imagekit.prefect.DockerImage`` do.
    ``pause``: the embedded one is paused then, so that no schedule runs a flow in two places.

    Raises ``InputError`` before the server is asked for anything, where Prefect's Docker worker cannot do it.
    """
    from imagekit.settings import Settings
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    with Store.open(Settings.load().state_dir) as store:
        kept = Deployments(store.file)
        deployment = kept.get(name)
        found = translated(deployment, Pools(store.file).get(deployment.pool), image=image)
        identity = _sent(found, replace_pool=replace_pool)
        for line in found.told:
            print(line)
        if pause and not deployment.is_paused:
            _pause(kept, deployment)
    return identity


def _sent(wanted: Translated, *, replace_pool: bool) -> UUID:
    try:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
    except ImportError as error:
        raise ImportError("imagekit.prefect is for where Prefect 3 is: pip install 'imagekit[prefect]'") from error
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        if client.server_type.name == "EPHEMERAL":
            raise InputError("there is no Prefect server to go to", hint="set PREFECT_API_URL: prefect server start")
        try:
            known = client.read_work_pool(wanted.pool["name"])
        except ObjectNotFound:
            known = None
        if known is not None and known.type != wanted.pool["type"]:
            raise ImagekitError(
                f"the server has a work pool {known.name!r} of the type {known.type}",
                hint=f"delete or rename one of them; here it is of the type {wanted.pool['type']}",
            )
        if known is None or replace_pool:
            client.create_work_pool(WorkPoolCreate(**wanted.pool), overwrite=known is not None)
        fields: dict[str, Any] = dict(wanted.deployment)
        fields["schedules"] = [DeploymentScheduleCreate(**each) for each in fields["schedules"]]
        identity: UUID = client.create_deployment(flow_id=client.create_flow_from_name(wanted.flow), **fields)
        return identity


def _pause(kept: Any, deployment: Deployment) -> None:
    from dataclasses import replace

    kept.put(replace(deployment, is_paused=True), [None] * len(deployment.schedules))
