"""All SQL of the store.

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
)

COLUMNS = (
    "id, name, entrypoint, parameters, reference, image_id, repo_digest, lock_digest, source, env_names, settings,"
    " extras, state, created, started, ended, container_id, cause, exit_code, error, result, result_file, python,"
    " cpu_seconds, peak_memory, owner, machine"
)

BEGIN_RUN = """
    INSERT INTO flow_run (id, name, entrypoint, parameters, reference, image_id, repo_digest, lock_digest, source,
                          env_names, settings, extras, state, created, owner, machine)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)
"""

# Only an open run can start or end: whoever comes second, or too late, changes nothing.
START_RUN = """
    UPDATE flow_run
       SET state = 'running', started = ?, container_id = ?,
           image_id = coalesce(?, image_id), repo_digest = coalesce(?, repo_digest)
     WHERE id = ? AND ended IS NULL
"""
END_RUN = """
    UPDATE flow_run
       SET state = ?, cause = ?, exit_code = ?, error = ?, result = ?, result_file = ?, python = ?, cpu_seconds = ?,
           peak_memory = ?, started = coalesce(?, started), ended = ?, container_id = coalesce(?, container_id),
           image_id = coalesce(?, image_id)
     WHERE id = ? AND ended IS NULL
"""

RUN_BY_ID = f"SELECT {COLUMNS} FROM flow_run WHERE id = ?"
# Of several runs of one name the last is meant that came to have it, if one did: others were refused for wanting it.
RUN_BY_NAME = f"SELECT {COLUMNS} FROM flow_run WHERE name = ? ORDER BY cause IS 'refused', seq DESC LIMIT 1"
# IDs are ASCII, so a prefix is a range, which the index of the column answers.
RUNS_BY_PREFIX = f"SELECT {COLUMNS} FROM flow_run WHERE id >= ? AND id < ? || 'g' ORDER BY seq DESC LIMIT 10"
OPEN_RUNS = f"SELECT {COLUMNS} FROM flow_run WHERE ended IS NULL ORDER BY seq"
# Filters that are NULL let everything pass. States are a JSON list: SQLite binds none of its own.
RUNS = f"""
    SELECT {COLUMNS}
      FROM flow_run
     WHERE (:states IS NULL OR instr(:states, '"' || state || '"'))
       AND (:since IS NULL OR created >= :since)
     ORDER BY seq DESC
     LIMIT :limit
"""
NAMES = "SELECT name FROM flow_run GROUP BY name ORDER BY max(seq) DESC LIMIT 1000"

# An open run is somebody's: it is ended first.
DELETE_RUN = "DELETE FROM flow_run WHERE id = ? AND ended IS NOT NULL"

QUICK_CHECK = "PRAGMA quick_check(1)"
