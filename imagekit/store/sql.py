"""All SQL of the store, but for the statements of work pools, deployments and the queue (``work_sql``).

One database, ``store.sqlite``. Each migration brings it from one schema version (``PRAGMA user_version``) to the
next; those that were released are never edited, only followed by another. Statements name their columns, so a
column that is added later does not disturb an older imagekit's reading.

Times are texts, ISO 8601 in UTC: they sort as they follow each other, and a person can read them. What is a list or
an object is JSON, written in ASCII: SQLite's texts cannot hold a lone surrogate, and a traceback may.
"""

# ruff: noqa: S608 (nothing but constants is put together here)
from __future__ import annotations

# "imgk": file(1) and we can tell our database from any other (sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x696D676B

MIGRATIONS: tuple[str, ...] = (
    # 1: runs.
    """
    CREATE TABLE flow_run (
        seq             INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which runs were accepted, never used again
        id              TEXT NOT NULL UNIQUE,               -- a UUID; the container's label imagekit.run
        name            TEXT NOT NULL,                      -- the container's; one that is gone leaves its name free
        entrypoint      TEXT NOT NULL,                      -- PATH.py:FUNCTION
        parameters      TEXT NOT NULL,                      -- JSON object
        reference       TEXT NOT NULL,                      -- the image as it was asked for
        image_id        TEXT,                               -- sha256:…, as the engine has it
        repo_digest     TEXT,                               -- NAME@sha256:…, where it came from a registry
        lock_digest     TEXT,                               -- of the lock that the image was built from
        source          TEXT NOT NULL,                      -- JSON object: kind (baked, mounted, git), url, commit, …
        env_names       TEXT NOT NULL,                      -- JSON list; values may be secrets and are never here
        settings        TEXT NOT NULL,                      -- JSON object: limits, network, mounts, … without secrets
        extras          TEXT,                               -- JSON object: extra packages, and the digest of their lock
        state           TEXT NOT NULL,                      -- pending, running, or how it ended
        created         TEXT NOT NULL,
        started         TEXT,
        ended           TEXT,
        container_id    TEXT,
        cause           TEXT,                               -- oom, engine, removed, worker, timeout, …
        exit_code       INTEGER,
        error           TEXT,                               -- JSON object: kind, message, traceback, …
        result          TEXT,                               -- JSON; NULL where there is none, or in a file
        result_file     TEXT,                               -- below the state directory, or a path of its own
        python          TEXT,
        cpu_seconds     REAL,
        peak_memory     INTEGER,                            -- bytes
        owner           TEXT NOT NULL,                      -- HOST:PID:START of the process that sees to it
        machine         TEXT NOT NULL,                      -- MACHINE/BOOT that this process is of
        CHECK (ended IS NOT NULL OR state IN ('pending', 'running', 'scheduled'))
    );
    CREATE INDEX flow_run_name ON flow_run (name, seq);
    -- The few that are open are looked for at each start, among many that are not.
    CREATE INDEX flow_run_open ON flow_run (seq) WHERE ended IS NULL;
    """,
    # 2: work pools, deployments, and runs that wait for a worker.
    """
    CREATE TABLE work_pool (
        name              TEXT PRIMARY KEY,
        type              TEXT NOT NULL,                    -- docker
        description       TEXT,
        is_paused         INTEGER NOT NULL,                 -- 1: nothing of it is begun
        concurrency_limit INTEGER,                          -- runs at a time, of all its workers; NULL: no limit
        template          TEXT NOT NULL,                    -- JSON object: variables (JSON Schema), job_configuration
        created           TEXT NOT NULL,
        updated           TEXT NOT NULL
    );
    CREATE TABLE deployment (
        id                TEXT PRIMARY KEY,                 -- a UUID
        name              TEXT NOT NULL UNIQUE,             -- FLOW/NAME
        pool              TEXT NOT NULL REFERENCES work_pool (name),
        is_paused         INTEGER NOT NULL,                 -- 1: its schedules make no runs
        concurrency_limit INTEGER,                          -- runs of it at a time; NULL: no limit
        definition        TEXT NOT NULL,                    -- JSON object: entrypoint, image, source, parameters, …
        created           TEXT NOT NULL,
        updated           TEXT NOT NULL
    );
    CREATE TABLE schedule (
        deployment_id     TEXT NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
        position          INTEGER NOT NULL,                 -- in the definition's list
        next_time         TEXT,                             -- when a run is due; NULL: never again
        PRIMARY KEY (deployment_id, position)
    );
    CREATE TABLE worker (
        id                TEXT PRIMARY KEY,                 -- a UUID
        name              TEXT NOT NULL,
        pool              TEXT NOT NULL REFERENCES work_pool (name) ON DELETE CASCADE,
        owner             TEXT NOT NULL,                    -- HOST:PID:START of its process
        machine           TEXT NOT NULL,                    -- MACHINE/BOOT that this process is of
        slots             INTEGER NOT NULL,                 -- runs that it carries out at a time
        started           TEXT NOT NULL,
        last_polled       TEXT NOT NULL,
        state             TEXT NOT NULL                     -- online, stopping, stopped
    );
    ALTER TABLE flow_run ADD COLUMN deployment TEXT;        -- FLOW/NAME; NULL: it was started directly
    ALTER TABLE flow_run ADD COLUMN pool TEXT;
    ALTER TABLE flow_run ADD COLUMN scheduled_for TEXT;     -- not before
    ALTER TABLE flow_run ADD COLUMN wanted TEXT;            -- JSON object: image, source, job variables
    ALTER TABLE flow_run ADD COLUMN occurrence TEXT;        -- DEPLOYMENT/POSITION/TIME of the schedule that made it
    -- Counts claims. Whoever holds a claim writes only while this is still its number: the fencing token.
    ALTER TABLE flow_run ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
    -- Until when the claim holds, in seconds of CLOCK_MONOTONIC of the boot in ``machine``: no clock change moves it.
    ALTER TABLE flow_run ADD COLUMN lease REAL;
    ALTER TABLE flow_run ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0;
    CREATE UNIQUE INDEX flow_run_occurrence ON flow_run (occurrence) WHERE occurrence IS NOT NULL;
    CREATE INDEX flow_run_due ON flow_run (pool, scheduled_for, seq) WHERE state = 'scheduled';
    -- Those that somebody sees to: few, among many that wait.
    CREATE INDEX flow_run_live ON flow_run (seq) WHERE ended IS NULL AND state <> 'scheduled';
    DROP INDEX flow_run_open;
    """,
    # 3: a clock for the time limits of runs that are adopted.
    """
    ALTER TABLE flow_run ADD COLUMN started_clock REAL;     -- as ``started``, in seconds as those of ``lease``
    """,
    # 4: how far ahead a worker looks.
    """
    ALTER TABLE worker ADD COLUMN prefetch REAL NOT NULL DEFAULT 0;  -- seconds before its time that a run is claimed
    """,
)

COLUMNS = (
    "id, name, entrypoint, parameters, reference, image_id, repo_digest, lock_digest, source, env_names, settings,"
    " extras, state, created, started, ended, container_id, cause, exit_code, error, result, result_file, python,"
    " cpu_seconds, peak_memory, owner, machine, deployment, pool, scheduled_for, wanted, attempt, lease, cancel_asked,"
    " started_clock"
)

BEGIN_RUN = """
    INSERT INTO flow_run (id, name, entrypoint, parameters, reference, image_id, repo_digest, lock_digest, source,
                          env_names, settings, extras, state, created, owner, machine)
    VALUES (:id, :name, :entrypoint, :parameters, :reference, :image_id, :repo_digest, :lock_digest, :source,
            :env_names, :settings, :extras, 'pending', :created, :owner, :machine)
"""

# Only an open run can start or end: whoever comes second, or too late, changes nothing.
START_RUN = """
    UPDATE flow_run
       SET state = 'running', started = ?, container_id = ?,
           image_id = coalesce(?, image_id), repo_digest = coalesce(?, repo_digest)
     WHERE id = ? AND ended IS NULL
"""
# The same files, by another name for good; see Store.image_became.
IMAGE_BECAME = "UPDATE flow_run SET image_id = ? WHERE id = ?"
# Of a claimed run the attempt says whose word it is; NULL is anybody's.
END_RUN = """
    UPDATE flow_run
       SET state = :state, cause = :cause, exit_code = :exit_code, error = :error, result = :result,
           result_file = :result_file, python = :python, cpu_seconds = :cpu_seconds, peak_memory = :peak_memory,
           started = coalesce(started, :started), ended = :ended, container_id = coalesce(:container_id, container_id),
           image_id = coalesce(:image_id, image_id), lease = NULL
     WHERE id = :id AND ended IS NULL AND (:attempt IS NULL OR attempt = :attempt)
"""

MAY_END = "SELECT 1 FROM flow_run WHERE id = :id AND ended IS NULL AND (:attempt IS NULL OR attempt = :attempt)"

RUN_BY_ID = f"SELECT {COLUMNS} FROM flow_run WHERE id = ?"
# Of several runs of one name the last is meant that came to have it, if one did: others were refused for wanting it.
RUN_BY_NAME = f"SELECT {COLUMNS} FROM flow_run WHERE name = ? ORDER BY cause IS 'refused', seq DESC LIMIT 1"
# IDs are ASCII, so a prefix is a range, which the index of the column answers.
RUNS_BY_PREFIX = f"SELECT {COLUMNS} FROM flow_run WHERE id >= ? AND id < ? || 'g' ORDER BY seq DESC LIMIT 10"
# Those that wait for a worker are nobody's yet.
LIVE_RUNS = f"SELECT {COLUMNS} FROM flow_run WHERE ended IS NULL AND state <> 'scheduled' ORDER BY seq"
# Filters that are NULL let everything pass. States are a JSON list: SQLite binds none of its own.
RUNS = f"""
    SELECT {COLUMNS}
      FROM flow_run
     WHERE (:states IS NULL OR instr(:states, '"' || state || '"'))
       AND (:deployment IS NULL OR deployment = :deployment)
       AND (:since IS NULL OR created >= :since)
     ORDER BY seq DESC
     LIMIT :limit
"""
NAMES = "SELECT name FROM flow_run GROUP BY name ORDER BY max(seq) DESC LIMIT 1000"

# An open run is somebody's: it is ended first.
DELETE_RUN = "DELETE FROM flow_run WHERE id = ? AND ended IS NOT NULL"

QUICK_CHECK = "PRAGMA quick_check(1)"
