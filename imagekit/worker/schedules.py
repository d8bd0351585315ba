"""Runs that schedules are due for. Of what was missed while no worker polled, one run is made and no more."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imagekit.deploying.schedules import schedule_of, written
from imagekit.deploying.submit import submission_of
from imagekit.errors import InputError
from imagekit.store.values import now

if TYPE_CHECKING:
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.queue import Queue
    from imagekit.store.store import Store
    from imagekit.worker.told import Told


def submit_due(
    store: Store,
    deployments: Deployments,
    pools: Pools,
    queue: Queue,
    pool_name: str,
    told: Told,
    *,
    ahead: float = 0,
) -> int:
    """Submit a run for each schedule of the pool that is due within ``ahead`` seconds, and note when it is due next;
    how many there were.

    Several workers may do this at once: of one occurrence there is one run.
    """
    moment = datetime.now(timezone.utc)
    count = 0
    for name, position, due in deployments.due(pool_name, now(ahead=ahead)):
        try:
            deployment = deployments.get(name)
            if deployments.next_times(deployment)[position : position + 1] != [due]:
                continue  # it was deployed anew just now
            last = max(moment, datetime.fromisoformat(due))
            next_time = written(schedule_of(deployment.schedules[position]).after(last))
        except InputError as problem:
            # Deleted just now; or in a time zone that this machine does not know.
            told.trouble(problem)
            continue
        try:
            submission = submission_of(
                deployment,
                pools.get(pool_name),
                scheduled_for=due,
                occurrence=f"{deployment.id}/{position}/{due}",
            )
        except InputError as problem:
            told.trouble(problem)
            submission = None
        if queue.move_schedule(deployment.id, position, due, next_time, submission):
            count += submission is not None
    return count
