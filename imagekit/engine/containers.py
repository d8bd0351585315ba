"""The Docker Engine's API behind one seam: containers.

What imagekit creates carries labels that say so, with the process that owns it, so that
what a killed process left behind can be told from what is in use.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import select
import socket
import ssl
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagekit.engine.client import Engine
from imagekit.engine.faults import lost, refusal
from imagekit.engine.wire import Answer, part, query
from imagekit.errors import ContainerNameTaken, EngineError, EngineLost, EngineTimeout

LABEL_KIND = "imagekit.kind"  # probe, compile, check, run
LABEL_OWNER = "imagekit.owner"  # host_id, process ID and start time of the process that made it
LABEL_RECORDED = "imagekit.recorded"  # the ID of a run that the record of runs has, or
KEPT = "kept"  # for one whose container is to stay

_MOST_EVENTS = 256
# Of a directory whose archive is larger the files are asked for one by one.
_AT_ONCE = 1 << 20
_BOUNDED_LOG = {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "2"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container that is to be made."""

    image: str
    command: Sequence[str]
    kind: str
    called: str | None = None  # the image's name in messages, where ``image`` is an ID
    entrypoint: Sequence[str] | None = None  # None: the image's own; (): none
    env: Mapping[str, str | None] = field(default_factory=dict)  # None takes one of the image's away
    user: str | None = None
    workdir: str | None = None
    name: str | None = None
    network: str | None = None  # "none": no network; None: the engine's default
    networks: Sequence[str] = ()  # user-defined ones, all of which it joins
    labels: Mapping[str, str] = field(default_factory=dict)
    interactive: bool = False  # stdin is attached, and its end ends it
    auto_remove: bool = False
    keeps_output: bool = False  # the engine keeps what it writes; who is attached has it either way
    host_config: Mapping[str, Any] = field(default_factory=dict)  # more of the API's HostConfig
    more: Mapping[str, Any] = field(default_factory=dict)  # more of the API's body


class Container:
    """A container of ours on an engine. As a context manager it is gone at the end of the block."""

    def __init__(self, engine: Engine, container_id: str) -> None:
        self._engine = engine
        self.id = container_id

    @classmethod
    def create(cls, engine: Engine, spec: ContainerSpec) -> Container:
        host_config: dict[str, Any] = {"AutoRemove": spec.auto_remove, **spec.host_config}
        # As JSON in a file, bytecode took the engine longer than unpacking it; and what a flow writes has no end.
        host_config["LogConfig"] = _BOUNDED_LOG if spec.keeps_output else {"Type": "none"}
        if spec.network is not None:
            host_config["NetworkMode"] = spec.network
        body: dict[str, Any] = {
            "Image": spec.image,
            "Cmd": list(spec.command),
            "Env": [k if v is None else f"{k}={v}" for k, v in spec.env.items()],
            "Labels": {LABEL_KIND: spec.kind, LABEL_OWNER: owner(), **spec.labels},
            "AttachStdout": True,
            "AttachStderr": True,
            "HostConfig": host_config,
            **spec.more,
        }
        if spec.entrypoint is not None:
            # An empty list would mean "the image's own"; one empty string means none.
            body["Entrypoint"] = list(spec.entrypoint) or [""]
        if spec.user is not None:
            body["User"] = spec.user
        if spec.workdir is not None:
            body["WorkingDir"] = spec.workdir
        if spec.interactive:
            body |= {"AttachStdin": True, "OpenStdin": True, "StdinOnce": True}
        later: Sequence[str] = ()
        if spec.networks:
            # Before 1.44 the API takes one network here.
            at_once = spec.networks if engine.speaks(1, 44) else spec.networks[:1]
            body["NetworkingConfig"] = {"EndpointsConfig": {name: {} for name in at_once}}
            later = spec.networks[len(at_once) :]
        doing = f"creating a container of {spec.called or spec.image}"
        answer = engine.ask(doing, "POST", query("/containers/create", name=spec.name), body=body, accept=(404, 409))
        if answer.status == 404:
            raise _missing(spec, doing, answer)
        if answer.status == 409:
            raise ContainerNameTaken(
                f"{doing}: {answer.message}", hint=f"choose another name, or: docker rm -f {spec.name}"
            )
        made = cls(engine, answer.json["Id"])
        try:
            for name in later:
                made._join(name)
        except BaseException:
            made.remove()
            raise
        return made

    def _join(self, network: str) -> None:
        path = f"/networks/{part(network)}/connect"
        self._engine.ask(f"joining the network {network}", "POST", path, body={"Container": self.id})

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()

    def put(self, directory: str, archive: bytes | Iterable[bytes]) -> None:
        """Unpack the tar ``archive`` below ``directory``; works before the container is started."""
        path = query(f"/containers/{self.id}/archive", path=directory)
        self._engine.ask(
            "copying into a container", "PUT", path, archive=[archive] if isinstance(archive, bytes) else archive
        )

    def get(self, path: str, *, largest: int = 64 << 20) -> bytes | None:
        """The content of the file at ``path``, also after the end; ``None`` where there is none.

        ``EngineError`` where it has more than ``largest`` bytes: the container may have written anything.
        """
        # The tar's own blocks come on top.
        whole = self._archive(path, largest + (1 << 16))
        if whole is None:
            raise EngineError(
                f"{path} in the container has more than {largest >> 20} MiB", hint="look why the image writes so much"
            )
        return next((content for _, content in _contents(whole)), None)

    def files(self, directory: str, names: Iterable[str], *, largest: int) -> dict[str, bytes]:
        """Those of the files ``names`` that are right below ``directory``, also after the end, whatever else is there.

        What is no regular file, or has more than ``largest`` bytes, is left out.
        """
        whole = self._archive(directory, _AT_ONCE)
        if whole is not None:
            found = {name.partition("/")[2]: content for name, content in _contents(whole)}
            return {name: found[name] for name in names if name in found}
        found = {}
        for name in names:
            path = f"{directory}/{name}"
            if self._size(path) <= largest:
                # The tar's own blocks come on top.
                one = self._archive(path, largest + (1 << 16))
                found.update((name, content) for _, content in _contents(one or b""))
        return found

    def has(self, path: str) -> bool:
        """Whether there is a file, or a link, at ``path``."""
        question = query(f"/containers/{self.id}/archive", path=path)
        return self._engine.ask("looking into a container", "HEAD", question, accept=(400, 404)).status == 200

    def _size(self, path: str) -> int:
        """Bytes of a file, however few of them are on a disk."""
        question = query(f"/containers/{self.id}/archive", path=path)
        answer = self._engine.ask("looking into a container", "HEAD", question, accept=(404,))
        stat = answer.headers.get("x-docker-container-path-stat")
        return int(json.loads(base64.b64decode(stat))["size"]) if stat else 0

    def _archive(self, path: str, most: int) -> bytes | None:
        """The tar of ``path``, empty where there is none; ``None`` where it has ``most`` bytes or more."""
        question = query(f"/containers/{self.id}/archive", path=path)
        answer = self._engine.ask("copying from a container", "GET", question, accept=(404,), most=most)
        if answer.status == 404:
            return b""
        return answer.body if len(answer.body) < most else None

    def start(self) -> None:
        self._engine.ask("starting a container", "POST", f"/containers/{self.id}/start")

    def attach(self, *, stdin: bool = False) -> Attached:
        """Its streams. Attach before starting, or the first lines are lost."""
        path = query(f"/containers/{self.id}/attach", stdin=stdin, stdout=True, stderr=True, stream=True)
        return Attached(self._engine.hijack("attaching to a container", path), self._engine)

    def attach_again(self) -> tuple[Attached, bool]:
        """Its streams, when it was started before: from their first byte, if the engine keeps them (``True``), and
        otherwise from now on. Bytes that are no UTF-8 may be others then."""
        path = query(f"/containers/{self.id}/logs", stdout=True, stderr=True, follow=True)
        try:
            connection = self._engine.hijack("reading what a container wrote", path, method="GET")
        except (EngineLost, EngineTimeout):
            raise
        except EngineError:
            # Not every log driver gives back what it takes.
            return self.attach(), False
        return Attached(connection, self._engine), True

    def wait(self) -> int:
        """Block until it ends; its exit code. The deadline is of each call, not of the container's life."""
        while True:
            try:
                answer = self._engine.ask("waiting for a container", "POST", f"/containers/{self.id}/wait")
                return int(answer.json["StatusCode"])
            except EngineTimeout:
                # It may only be the container that takes its time.
                self._engine.ping()

    def inspect(self) -> Mapping[str, Any] | None:
        answer = self._engine.ask("inspecting a container", "GET", f"/containers/{self.id}/json", accept=(404,))
        found: Mapping[str, Any] | None = answer.json if answer.status != 404 else None
        return found

    def remembered(self, until: float) -> tuple[frozenset[str], bool]:
        """What befell it, of what the engine remembers (``start``, ``die`` …) until then (its own clock's, seconds
        since 1970); and whether that is all since the engine's start: it keeps the last 256 events of all kinds
        (moby/moby, ``daemon/events``)."""
        path = query("/events", since=1, until=int(until))
        lines = self._engine.ask("asking what befell a container", "GET", path).body.splitlines()
        events = [json.loads(line) for line in lines]
        own = {str(event["Action"]) for event in events if (event.get("Actor") or {}).get("ID") == self.id}
        return frozenset(own), len(events) < _MOST_EVENTS

    def stop(self, grace: int) -> None:
        """SIGTERM, and SIGKILL after ``grace`` seconds."""
        path = query(f"/containers/{self.id}/stop", t=grace)
        self._engine.ask("stopping a container", "POST", path, accept=(404,), alive=self._engine.ping)

    def remove(self, *, force: bool = True) -> None:
        """Kill and remove it, with its anonymous volumes; no error where it is gone already, or, without ``force``,
        where it runs and stays."""
        # 404: gone; 409: its removal is under way, or it runs.
        path = query(f"/containers/{self.id}", force=force, v=True)
        self._engine.ask("removing a container", "DELETE", path, accept=(404, 409))


def _contents(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the regular files in a tar."""
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            content = members.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content.read()


def _missing(spec: ContainerSpec, doing: str, answer: Answer) -> Exception:
    if "network" in answer.message.lower():
        return refusal(f"{doing}: {answer.message}", answer.status)
    name = spec.called or spec.image
    return EngineError(f"{name} is not in the engine", hint=f"build it, or docker pull {name}")


class Attached:
    """A container's streams over one hijacked connection.

    A container may be silent for as long as it likes; then the engine is asked in between, over another
    connection, whether it is there.
    """

    def __init__(self, connection: Any, engine: Engine) -> None:
        self._connection = connection
        # Behind the SDK's file object there is the socket (or the TLS one).
        self._socket: socket.socket = getattr(connection, "_sock", connection)
        self._socket.settimeout(None)
        self._engine = engine
        self._address = engine.address

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise lost("writing to a container", self._address) from error

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """``(1, bytes)`` of standard output and ``(2, bytes)`` of standard error, as they come."""
        while True:
            header = self._exactly(8)
            if header is None:
                return
            stream, length = struct.unpack(">BxxxL", header)
            # A frame can be any size; hand it on in pieces that stay small.
            while length:
                piece = self._receive(min(length, 1 << 18))
                if not piece:
                    raise lost("reading a container's output", self._address)
                length -= len(piece)
                yield stream, piece

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            piece = self._receive(count - len(data))
            if not piece:
                return None
            data += piece
        return data

    def _receive(self, count: int) -> bytes:
        try:
            while not self._readable():
                self._engine.ping()
            return self._socket.recv(count)
        except OSError as error:
            raise lost("reading a container's output", self._address) from error

    def _readable(self) -> bool:
        """Whether something comes within the deadline. The socket itself has none, as what is sent may wait."""
        # TLS may hold what the socket has given already.
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(self._engine.deadline * 1000))

    def break_off(self) -> None:
        """End both directions at once, so that whoever waits on either goes on."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # What is closed under a reader that waits does not wake it.
        self.break_off()
        self._connection.close()


def host_id() -> str:
    """What process IDs of this process's kind are valid in: the machine, since its start, and the PID namespace.

    Machines and containers may share a host name, and an engine.
    """
    known = [socket.gethostname()]
    with contextlib.suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:12]


def owner(pid: int | None = None) -> str:
    """``HOST:PID:START`` of a process, which names it even after its number is used again."""
    pid = pid or os.getpid()
    try:
        # Field 22 is the start time; the name in field 2 may hold spaces and brackets.
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        start = ""
    return f"{host_id()}:{pid}:{start}"


def is_abandoned(host: str, pid: str, start: str) -> bool:
    """Whether these name a process of this machine that has ended. What is malformed names none."""
    if host != host_id() or not (pid.isascii() and pid.isdigit() and len(pid) < 10 and int(pid)):
        return False
    return owner(int(pid)) != f"{host}:{pid}:{start}"


def labelled(engine: Engine, label: str) -> list[Mapping[str, Any]]:
    """Containers with ``label`` (``NAME`` or ``NAME=VALUE``), as the API lists them."""
    path = query("/containers/json", all=True, filters={"label": [label]})
    found: list[Mapping[str, Any]] = engine.ask("listing containers", "GET", path).json
    return found


def sweep(engine: Engine, is_over: Callable[[str], bool] | None = None) -> int:
    """Remove containers of ours whose process is gone; how many. Those of other hosts are left alone.

    So are those of recorded runs, as what they left behind is read before they go (``runs.reconcile``): but for those
    whose ID ``is_over`` says yes to. Whoever wrote down how they ended did not come to their removal.
    """
    removed = 0
    for entry in labelled(engine, LABEL_OWNER):
        parts = entry["Labels"].get(LABEL_OWNER, "").split(":")
        recorded = entry["Labels"].get(LABEL_RECORDED)
        if recorded is None:
            is_left = len(parts) == 3 and is_abandoned(*parts)
        else:
            is_left = recorded != KEPT and is_over is not None and is_over(recorded)
        if is_left:
            Container(engine, entry["Id"]).remove()
            removed += 1
    return removed
