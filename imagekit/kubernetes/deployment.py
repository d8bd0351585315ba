"""A run of an embedded deployment as a Kubernetes ``Job``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.deploying.submit import submission_of
from imagekit.deploying.template import run_settings
from imagekit.errors import InputError
from imagekit.kubernetes.manifest import job_manifest
from imagekit.oci.digest import is_digest
from imagekit.store.work_values import Deployment, WorkPool


def deployment_manifest(
    deployment: Deployment,
    pool: WorkPool,
    *,
    name: str | None = None,
    image: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    job_variables: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A run of ``deployment`` as ``job_manifest`` writes it; ``more`` are its keywords.

    ``image`` takes the place of the pinned one, ``parameters`` and ``job_variables`` go before the deployment's, as in
    any run of it. Without a ``name`` it is a new one each time.
    Raises ``InputError``: for an image that no cluster can pull, and a source that is not in it.
    """
    if deployment.source is not None:
        raise InputError(
            f"{deployment.name}: its flow's source is not in its image",
            hint="deploy it from its project, without from_source: FLOW.deploy(…, image='REGISTRY/NAME:TAG')",
        )
    run = submission_of(deployment, pool, parameters=parameters, job_variables=job_variables)
    # Which secret it is, is the cluster's to say; none is read here.
    settings = run_settings(pool.template, run.wanted["job_variables"], secret=lambda _: "secret")
    reference = image or run.wanted["image"] or (settings.image if deployment.image is None else None)
    if reference is None or is_digest(reference):
        raise InputError(
            f"{deployment.name}: its image was not pushed, so no cluster can pull it",
            hint=f"deploy it with push=True, or name one: --image NAME@sha256:… ({deployment.image} is here alone)",
        )
    return job_manifest(
        run.entrypoint,
        image=reference,
        name=name or run.name,
        parameters=run.parameters,
        job_variables=settings,
        flow_options=deployment.flow_options,
        **more,
    )
