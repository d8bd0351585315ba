"""What a run took, as its container's cgroup has it; imported by ``bootstrap.py``, whose rules hold here, too."""

from __future__ import annotations


def oom_kills() -> int:
    """How many processes of this container the kernel killed for want of memory; best effort."""
    return counter("oom_kill", "memory.events", "memory/memory.oom_control") or 0


def counter(key: str, *paths: str) -> int | None:
    """A number of this container's cgroup, by the first of ``paths`` that is there (version 2, then 1).

    ``key`` is the word before it; ``""`` where the file is the number alone.
    """
    for path in paths:
        try:
            with open("/sys/fs/cgroup/" + path) as file:
                for line in file:
                    name, _, value = line.rpartition(" ")
                    if name == key:
                        return int(value)
        except (OSError, ValueError):
            continue
    return None


def end_document(code: int) -> str:
    """What the run took, as JSON. Where no cgroup tells, what was counted of the processes that were waited for."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = counter("usage_usec", "cpu.stat")
    if cpu is not None:
        seconds = cpu / 1e6
    else:
        cpu = counter("", "cpuacct/cpuacct.usage", "cpu,cpuacct/cpuacct.usage")
        seconds = cpu / 1e9 if cpu is not None else used.ru_utime + used.ru_stime
    peak = counter("", "memory.peak", "memory/memory.max_usage_in_bytes")
    if peak is None:
        peak = used.ru_maxrss * 1024
    # By hand, as above.
    return f'{{"exit_code": {code}, "cpu_seconds": {seconds:.3f}, "peak_memory": {peak}}}'
