"""Flows that end in every way there is."""

import asyncio
import os
import signal
import sys
import threading
import time


def total(n=1, *, text="x"):
    print("hello", text)
    print("careful", file=sys.stderr)
    return {"n": n, "pair": (1, 2.5), "none": None, "text": "é\U0001f600"}


async def later(n):
    await asyncio.sleep(0.01)
    return n * 2


def give(value):
    return value


def long(n):
    return "x" * n


def raising():
    raise ValueError("no such order\nsecond line")


def lazily_missing():
    import cv2

    return cv2.__version__


def unserializable(kind):
    class Order:
        pass

    return {"set": {"rows": [1, {2, 3}]}, "object": [Order()]}[kind]


def exiting(code):
    sys.exit(code)


def vanishing():
    os._exit(7)


def segfault():
    os.kill(os.getpid(), signal.SIGSEGV)


def result_and_then_crash():
    import atexit

    atexit.register(os._exit, 9)
    return "kept"


def sleeping(seconds):
    try:
        print("asleep", flush=True)
        time.sleep(seconds)
    finally:
        print("tidied", flush=True)


async def sleeping_async(seconds):
    try:
        print("asleep", flush=True)
        await asyncio.sleep(seconds)
    finally:
        print("tidied", flush=True)


def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("asleep", flush=True)
    time.sleep(3600)


def finishing_when_asked():
    print("asleep", flush=True)
    try:
        time.sleep(3600)
    except KeyboardInterrupt:
        return "finished"


def ticking(times, pause):
    for n in range(times):
        print("tick", n)
        time.sleep(pause)
    return times


def any_bytes(megabytes):
    piece = bytes(range(256)) * 4096
    for _ in range(megabytes):
        sys.stdout.buffer.write(piece)
    sys.stderr.buffer.write(b"\xff\xfe no newline")


def greedy():
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20)))


def greedy_child():
    import subprocess

    code = "x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))"
    subprocess.run([sys.executable, "-c", code], check=True)


def orphans():
    """Leaves a grandchild behind that process 1 has to reap; how many are there in the end."""
    import subprocess

    before = set(os.listdir("/proc"))
    subprocess.run(["sh", "-c", "sleep 0.05 & exit 0"], check=True)
    until = time.monotonic() + 60
    while (left := [name for name in os.listdir("/proc") if name.isdigit() and name not in before]) and (
        time.monotonic() < until
    ):
        time.sleep(0.05)
    return len(left)


def silent(seconds):
    print("asleep", flush=True)
    time.sleep(seconds)
    return seconds


def waiting(flush=True):
    print("asleep", flush=flush)
    while not os.path.exists("/.imagekit/out/go"):
        time.sleep(0.05)
    print("awake", flush=True)
    return "told"


def lingering():
    """Has a result, which is written down, and does not end."""
    threading.Thread(target=time.sleep, args=(3600,)).start()
    print("asleep", flush=True)
    return "kept"


def reading(path):
    waiting()
    with open(path) as file:
        return file.read()


def asking(variable):
    from urllib.request import urlopen

    with urlopen(os.environ[variable]) as answer:
        return answer.read().decode()


def forking():
    if os.fork() == 0:
        return "child"
    os.wait()
    os._exit(3)


def raising_controls():
    raise ValueError("one\x1b[2J\ntwo")


def surroundings():
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {
        "cwd": os.getcwd(),
        "env": dict(os.environ),
        "uid": os.getuid(),
        "capabilities": status["CapEff"].strip(),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "socket": os.path.exists("/var/run/docker.sock"),
        "argv": sys.argv,
        "main_thread": threading.current_thread() is threading.main_thread(),
        "path": sys.path[:2],
    }


not_a_function = 3


def no_json(number):
    return {number: complex(number, 1)}


def unpicklable():
    return lambda: None


def keeping(path, text):
    with open(path, "w") as file:
        file.write(text)
    with open(path) as file:
        return file.read()


def home():
    with open(os.path.expanduser("~/kept"), "w") as file:
        file.write("x")
    return [os.getuid(), os.path.expanduser("~")]


def limits():
    found = {}
    for name, path in (
        ("memory", "memory/memory.limit_in_bytes"),
        ("memory", "memory.max"),
        ("pids", "pids/pids.max"),
        ("pids", "pids.max"),
    ):
        if os.path.exists("/sys/fs/cgroup/" + path):
            with open("/sys/fs/cgroup/" + path) as file:
                found[name] = int(file.read())
    found["shm"] = os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize
    return found


def interfaces():
    return sorted(os.listdir("/sys/class/net"))


def busy():
    held = bytearray(os.urandom(1 << 20) * 100)
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    return len(held)


def sparse(name):
    """A file of a terabyte, all of it a hole, beside or in place of the outcome."""
    with open(f"/.imagekit/out/{name}", "wb") as file:
        file.truncate(1 << 40)
    if name == "outcome.json":
        os._exit(0)
    return name
