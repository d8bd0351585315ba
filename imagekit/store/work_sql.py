"""The SQL of work pools, deployments, workers, and the runs that wait for them. The schema is in ``sql``.

A run waits as ``scheduled``; a worker's claim makes it ``pending`` and counts its ``attempt`` up. All that the holder
of a claim writes later says which attempt it is of: where another one has begun, it changes nothing.
"""

from __future__ import annotations

PUT_POOL = """
    INSERT INTO work_pool (name, type, description, is_paused, concurrency_limit, template, created, updated)
    VALUES (:name, :type, :description, :is_paused, :concurrency_limit, :template, :created, :updated)
    ON CONFLICT (name) DO UPDATE
       SET description = :description, is_paused = :is_paused, concurrency_limit = :concurrency_limit,
           template = :template, updated = :updated
"""
POOLS = """
    SELECT name, type, description, is_paused, concurrency_limit, template, created, updated
      FROM work_pool WHERE :name IS NULL OR name = :name ORDER BY name
"""
DELETE_POOL = "DELETE FROM work_pool WHERE name = ?"
DEPLOYMENTS_OF_POOL = "SELECT name FROM deployment WHERE pool = ? ORDER BY name"
WAITING_IN_POOL = "SELECT count(*) FROM flow_run WHERE pool = ? AND ended IS NULL"

# A name of its own stays with the ID and the first time that it had.
PUT_DEPLOYMENT = """
    INSERT INTO deployment (id, name, pool, is_paused, concurrency_limit, definition, created, updated)
    VALUES (:id, :name, :pool, :is_paused, :concurrency_limit, :definition, :created, :updated)
    ON CONFLICT (name) DO UPDATE
       SET pool = :pool, is_paused = :is_paused, concurrency_limit = :concurrency_limit,
           definition = :definition, updated = :updated
"""
DEPLOYMENTS = """
    SELECT id, name, pool, is_paused, concurrency_limit, created, updated, definition
      FROM deployment WHERE (:name IS NULL OR name = :name) AND (:pool IS NULL OR pool = :pool) ORDER BY name
"""
DELETE_DEPLOYMENT = "DELETE FROM deployment WHERE name = ?"
CANCEL_OF_DEPLOYMENT = """
    UPDATE flow_run SET state = 'cancelled', cause = 'deleted', ended = :now
     WHERE deployment = :deployment AND state = 'scheduled'
"""
# Claimed ahead of its time, it waits as well.
CANCEL_CLAIMED_OF_DEPLOYMENT = """
    UPDATE flow_run SET cancel_asked = 1
     WHERE deployment = :deployment AND state = 'pending' AND scheduled_for > :now AND scheduled_for > created
"""
# What its schedules made ahead of its time, where it is changed or deleted meanwhile: it is made anew as it is by then,
# so its occurrence is free again. Nothing of it has been started.
WITHDRAW_WAITING = """
    UPDATE flow_run SET state = 'cancelled', cause = 'unscheduled', ended = :now, occurrence = NULL
     WHERE deployment = :deployment AND occurrence IS NOT NULL AND state = 'scheduled'
       AND scheduled_for > :now AND scheduled_for > created
"""
WITHDRAW_CLAIMED = """
    UPDATE flow_run SET cancel_asked = 1, occurrence = NULL
     WHERE deployment = :deployment AND occurrence IS NOT NULL AND state = 'pending'
       AND scheduled_for > :now AND scheduled_for > created
"""
FORGET_SCHEDULES = "DELETE FROM schedule WHERE deployment_id = ?"
PUT_SCHEDULE = "INSERT INTO schedule (deployment_id, position, next_time) VALUES (?, ?, ?)"
# The next time of one that is as it was: what was missed stays due, and what was withdrawn is due again.
KEEP_SCHEDULE = """
    UPDATE schedule SET next_time = coalesce(min(next_time, :time), next_time, :time)
     WHERE deployment_id = :deployment_id AND position = :position
"""
# Times are texts of one form (``values.now``), which sort as they follow each other.
DUE_SCHEDULES = """
    SELECT deployment.name, schedule.position, schedule.next_time
      FROM schedule JOIN deployment ON deployment.id = schedule.deployment_id
     WHERE deployment.pool = ? AND NOT deployment.is_paused AND schedule.next_time <= ?
     ORDER BY schedule.next_time
"""
# What is due later than :after, of schedules and of runs that wait. What was due before waits for something else.
NEXT_TIME = """
    SELECT min(time)
      FROM (SELECT min(schedule.next_time) AS time
              FROM schedule JOIN deployment ON deployment.id = schedule.deployment_id
             WHERE deployment.pool = :pool AND NOT deployment.is_paused AND schedule.next_time > :after
             UNION ALL
            SELECT min(scheduled_for) FROM flow_run
             WHERE pool = :pool AND state = 'scheduled' AND scheduled_for > :after)
"""
NEXT_OF_DEPLOYMENT = "SELECT position, next_time FROM schedule WHERE deployment_id = ? ORDER BY position"
MOVE_SCHEDULE = "UPDATE schedule SET next_time = ? WHERE deployment_id = ? AND position = ? AND next_time = ?"

# Of one occurrence of a schedule there is one run, whoever notices first that it is due.
SUBMIT = """
    INSERT INTO flow_run (id, name, entrypoint, parameters, reference, source, env_names, settings, state, created,
                          owner, machine, deployment, pool, scheduled_for, wanted, occurrence)
    VALUES (:id, :name, :entrypoint, :parameters, :reference, :source, '[]', '{}', 'scheduled', :created,
            '', '', :deployment, :pool, :scheduled_for, :wanted, :occurrence)
    ON CONFLICT (occurrence) WHERE occurrence IS NOT NULL DO NOTHING
"""

# The oldest run whose time has come (or had, when it was accepted: a clock may be set back) or comes until :ahead,
# where neither its pool nor its deployment has as many as it may by then. One that is claimed ahead of its time takes a
# place when that comes: what is due before is not kept waiting by it.
NEXT_DUE = """
    SELECT waiting.id
      FROM flow_run AS waiting
      JOIN work_pool ON work_pool.name = waiting.pool
      LEFT JOIN deployment ON deployment.name = waiting.deployment
     WHERE waiting.pool = :pool AND waiting.state = 'scheduled'
       AND (waiting.scheduled_for <= :ahead OR waiting.scheduled_for <= waiting.created)
       AND NOT work_pool.is_paused
       AND (work_pool.concurrency_limit IS NULL OR work_pool.concurrency_limit >
            (SELECT count(*) FROM flow_run AS live
              WHERE live.pool = waiting.pool AND live.ended IS NULL AND live.state <> 'scheduled'
                AND (live.scheduled_for <= max(:now, waiting.scheduled_for) OR live.scheduled_for <= live.created)))
       AND (deployment.concurrency_limit IS NULL OR deployment.concurrency_limit >
            (SELECT count(*) FROM flow_run AS live
              WHERE live.deployment = waiting.deployment AND live.ended IS NULL AND live.state <> 'scheduled'
                AND (live.scheduled_for <= max(:now, waiting.scheduled_for) OR live.scheduled_for <= live.created)))
     ORDER BY waiting.scheduled_for, waiting.seq
     LIMIT 1
"""
# Whether one that was claimed ahead of its time may begin now that it has come: as above, beside all others.
MAY_BEGIN = """
    SELECT 1
      FROM flow_run AS own
      JOIN work_pool ON work_pool.name = own.pool
      LEFT JOIN deployment ON deployment.name = own.deployment
     WHERE own.id = :id AND NOT work_pool.is_paused
       AND (work_pool.concurrency_limit IS NULL OR work_pool.concurrency_limit >
            (SELECT count(*) FROM flow_run AS live
              WHERE live.pool = own.pool AND live.id <> own.id AND live.ended IS NULL AND live.state <> 'scheduled'
                AND (live.scheduled_for <= :now OR live.scheduled_for <= live.created)))
       AND (deployment.concurrency_limit IS NULL OR deployment.concurrency_limit >
            (SELECT count(*) FROM flow_run AS live
              WHERE live.deployment = own.deployment AND live.id <> own.id AND live.ended IS NULL
                AND live.state <> 'scheduled'
                AND (live.scheduled_for <= :now OR live.scheduled_for <= live.created)))
"""
CLAIM = """
    UPDATE flow_run SET state = 'pending', attempt = attempt + 1, owner = :owner, machine = :machine, lease = :lease
     WHERE id = :id AND state = 'scheduled' AND ended IS NULL
"""
# Whose lease is over, or whose process is gone, is said by who asks; that it is still so, by the attempt.
TAKE_OVER = """
    UPDATE flow_run SET attempt = attempt + 1, owner = :owner, machine = :machine, lease = :lease
     WHERE id = :id AND attempt = :attempt AND state <> 'scheduled' AND ended IS NULL
       AND lease IS :seen
"""
RENEW = "UPDATE flow_run SET lease = ? WHERE id = ? AND attempt = ? AND ended IS NULL"
# Back to those that wait, or to those that were cancelled meanwhile: nothing of it has been started.
HAND_BACK = """
    UPDATE flow_run
       SET state = CASE cancel_asked WHEN 0 THEN 'scheduled' ELSE 'cancelled' END,
           cause = CASE cancel_asked WHEN 0 THEN NULL ELSE 'cancel' END,
           ended = CASE cancel_asked WHEN 0 THEN NULL ELSE ? END,
           lease = NULL, owner = '', machine = ''
     WHERE id = ? AND attempt = ? AND state = 'pending' AND ended IS NULL
"""
IS_OURS = "SELECT cancel_asked FROM flow_run WHERE id = ? AND attempt = ? AND ended IS NULL"
BEGIN_CLAIMED = """
    UPDATE flow_run
       SET image_id = :image_id, repo_digest = :repo_digest, lock_digest = :lock_digest, source = :source,
           env_names = :env_names, settings = :settings, extras = :extras, name = :name,
           -- As it was asked for, where that was known.
           reference = CASE reference WHEN '' THEN :reference ELSE reference END
     WHERE id = :id AND attempt = :attempt AND ended IS NULL
"""
START_CLAIMED = """
    UPDATE flow_run
       SET state = 'running', started = coalesce(started, ?), started_clock = coalesce(started_clock, ?),
           container_id = ?
     WHERE id = ? AND attempt = ? AND ended IS NULL
"""
CANCEL_WAITING = """
    UPDATE flow_run SET state = 'cancelled', cause = 'cancel', ended = ? WHERE id = ? AND state = 'scheduled'
"""
ASK_CANCEL = "UPDATE flow_run SET cancel_asked = 1 WHERE id = ? AND ended IS NULL AND pool IS NOT NULL"

PUT_WORKER = """
    INSERT INTO worker (id, name, pool, owner, machine, slots, prefetch, started, last_polled, state)
    VALUES (:id, :name, :pool, :owner, :machine, :slots, :prefetch, :started, :last_polled, :state)
    ON CONFLICT (id) DO UPDATE SET last_polled = :last_polled, state = :state
"""
WORKERS = """
    SELECT id, name, pool, owner, machine, slots, prefetch, started, last_polled, state
      FROM worker WHERE :pool IS NULL OR pool = :pool ORDER BY last_polled DESC
"""
# Enough to see who was there; a worker that is started anew each minute must not fill the list.
FORGET_WORKERS = "DELETE FROM worker WHERE pool = ? AND last_polled < ?"
