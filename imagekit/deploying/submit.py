"""A run of a deployment: its parameters and job variables checked, and put to those that wait for a worker."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imagekit.deploying.template import check_variables, merged
from imagekit.errors import InputError
from imagekit.runs.request import new_name
from imagekit.spec.entrypoint import Entrypoint, FlowSignature, check_json
from imagekit.store.values import StoredRun, now
from imagekit.store.work_values import Deployment, Submission, WorkPool

if TYPE_CHECKING:
    from imagekit.store.store import Store


def run_deployment(
    store: Store,
    name: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    job_variables: Mapping[str, Any] | None = None,
    scheduled_for: str | None = None,
) -> Submission:
    """Submit a run of the deployment ``FLOW/NAME``. Raises ``InputError``'s kinds and what the store raises."""
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.queue import Queue

    deployment = Deployments(store.file).get(name)
    pool = Pools(store.file).get(deployment.pool)
    submission = submission_of(
        deployment,
        pool,
        parameters=parameters,
        job_variables=job_variables,
        scheduled_for=scheduled_for,
    )
    Queue(store).submit(submission)
    return submission


def retry(store: Store, run: StoredRun) -> Submission:
    """A run like ``run``, of a deployment, which ended: the same image, parameters and job variables."""
    from imagekit.store.pools import Pools
    from imagekit.store.queue import Queue

    if run.deployment is None or run.pool is None:
        raise InputError(
            f"the run {run.record.name} is of no deployment", hint=f"imagekit run {run.record.entrypoint} runs it again"
        )
    Pools(store.file).get(run.pool)
    if run.end is None:
        raise InputError(f"the run {run.record.name} has not ended", hint=f"imagekit flow-run cancel {run.id[:8]}")
    submission = Submission(
        name=_name(run.record.entrypoint, run.wanted.get("job_variables") or {}),
        deployment=run.deployment,
        pool=run.pool,
        entrypoint=run.record.entrypoint,
        reference=run.record.reference,
        wanted=run.wanted,
        parameters=run.record.parameters,
        source=run.record.source,
    )
    Queue(store).submit(submission)
    return submission


def submission_of(
    deployment: Deployment,
    pool: WorkPool,
    *,
    parameters: Mapping[str, Any] | None = None,
    job_variables: Mapping[str, Any] | None = None,
    scheduled_for: str | None = None,
    occurrence: str | None = None,
) -> Submission:
    """The run that is to be submitted, checked as far as that can be done without its image."""
    given = {**deployment.parameters, **(parameters or {})}
    check_json(given)
    if deployment.checks_parameters and deployment.signature is not None:
        signature_of(deployment.signature).check(given)
    variables = merged(deployment.job_variables, job_variables or {})
    if job_variables:
        # What was deployed has been checked, and what a pool has come to be meanwhile is for the worker to say.
        check_json(variables, "job_variables")
        check_variables(pool.template, variables)
    chosen = (job_variables or {}).get("image")
    source = {"kind": "baked"} if deployment.source is None else _record_of(deployment.source)
    return Submission(
        name=_name(deployment.entrypoint, variables),
        deployment=deployment.name,
        pool=deployment.pool,
        entrypoint=deployment.entrypoint,
        reference=str(chosen or deployment.image or variables.get("image") or ""),
        wanted={
            "image": chosen or deployment.pinned,
            "source": deployment.source,
            "source_secret": deployment.source_secret,
            "job_variables": variables,
            **({"flow_options": dict(deployment.flow_options)} if deployment.flow_options else {}),
        },
        parameters=given,
        source=source,
        scheduled_for=scheduled_for or now(),
        occurrence=occurrence,
    )


def signature_of(found: Mapping[str, Any]) -> FlowSignature:
    """From ``deploy.signature_json``'s."""
    return FlowSignature(
        function=found["function"],
        positional_only=tuple(found["positional_only"]),
        names=tuple(found["names"]),
        required=tuple(found["required"]),
        takes_any=found["takes_any"],
    )


def _record_of(source: str) -> dict[str, Any]:
    # The commit is written when it is known.
    kind = "git" if source.startswith("git+") else "mounted"
    return {"kind": kind, "url": source.removeprefix("git+")} if kind == "git" else {"kind": kind, "path": source}


def _name(entrypoint: str, variables: Mapping[str, Any]) -> str:
    """A container's name that no other run has: containers of one name exclude each other."""
    chosen = variables.get("name")
    if isinstance(chosen, str):
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', chosen)[:100]}-{secrets.token_hex(3)}"
    return new_name(Entrypoint.parse(entrypoint).function)
