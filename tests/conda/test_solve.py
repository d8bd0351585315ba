"""Environments solved by py-rattler, from channels of this machine and of a server that asks for a login."""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from imagekit.cache.kinds import scan
from imagekit.cache.verify import verify
from imagekit.conda.channels import ChannelPlace, unmet
from imagekit.conda.lock_table import lock_of, table_of
from imagekit.conda.obtain import obtain
from imagekit.conda.values import CondaLock
from imagekit.errors import (
    BaseUnusable,
    ImagekitError,
    IndexUnreachable,
    InputError,
    InvalidProject,
    ResolveError,
    StaleLock,
    Unsatisfiable,
)
from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Artifact
from imagekit.network.proxies import Proxies
from imagekit.progress import Reporter, SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.spec.conda import CondaLine, CondaWanted

from ..certificates import Authority
from ..layers.bases import base
from ..own_proxy import OwnProxy
from .channel import Package, write_channel

PASSWORD = "p4ss-w0rd/of+a:channel"


def wanted(*texts: str, channels: tuple[str, ...], **more: Any) -> CondaWanted:
    lines = tuple(CondaLine(text=text, origin=f"environment.yml:{n}") for n, text in enumerate(texts, 3))
    return CondaWanted(packages=lines, channels=channels, **more)


def solved(
    asked: CondaWanted,
    cache: Path,
    *,
    on: BaseImage | None = None,
    lock_file: Path | None = None,
    reporter: Reporter | None = None,
    **access: Any,
) -> CondaLock:
    return obtain(
        asked,
        on or base(),
        lock_file=lock_file,
        cache_dir=cache,
        access=IndexAccess(**access),
        reporter=reporter or SilentReporter(),
    )


class Lines(SilentReporter):
    """What is said."""

    text = ""

    def line(self, text: str) -> None:
        self.text += f"{text}\n"


def pins(lock: CondaLock) -> list[str]:
    return [package.pin for package in lock.packages]


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """A channel with an old ``tool`` and one with a newer, which needs ``part``; the first alone has ``only``."""
    first = [Package("tool", "1.0"), Package("only", "1.0"), Package("wants", depends=("tool >=2",))]
    second = [Package("tool", "2.0", depends=("part",)), Package("part", "3.1")]
    return write_channel(tmp_path / "first", first), write_channel(tmp_path / "second", second)


def test_what_is_locked(tmp_path: Path) -> None:
    packages = [Package("tool", "1.0", depends=("part >=3",), constrains=("other <2",)), Package("part", "3.1")]
    channel = write_channel(tmp_path / "ours", packages)
    lock = solved(wanted("tool", channels=(channel,)), tmp_path / "cache")
    assert pins(lock) == ["part=3.1=0", "tool=1.0=0"]
    part, tool = lock.packages
    file = tmp_path / "ours" / "linux-64" / "tool-1.0-0.conda"
    entry = json.loads((file.parent / "repodata.json").read_text())["packages.conda"][file.name]
    assert (tool.url, tool.sha256, tool.md5, tool.size) == (file.as_uri(), entry["sha256"], entry["md5"], entry["size"])
    assert (tool.depends, tool.constrains, tool.channel, tool.subdir) == (
        ("part >=3",),
        ("other <2",),
        "ours",
        "linux-64",
    )
    assert (tool.direct, part.direct, tool.shown_url) == (True, False, "")
    assert lock_of(table_of(lock), "here") == lock
    # What is kept of the channels is an entry of the cache.
    kept = scan(tmp_path / "cache")
    assert [unit.kind.name for unit in kept.units if unit.kind.name == "repodata"] == ["repodata"]
    assert kept.other == []
    assert verify(tmp_path / "cache", SilentReporter())[1] == []


def test_the_order_of_channels(tmp_path: Path, two: tuple[str, str]) -> None:
    cache = tmp_path / "cache"
    for priority in ("strict", "flexible"):
        assert pins(solved(wanted("tool", channels=two, priority=priority), cache)) == ["tool=1.0=0"]
    assert pins(solved(wanted("tool", channels=two[::-1]), cache)) == ["part=3.1=0", "tool=2.0=0"]
    assert "tool=2.0=0" in pins(solved(wanted("tool", channels=two, priority="disabled"), cache))
    # conda's "flexible" reaches into a lower channel where nothing of the first fits; "strict" does not.
    assert "tool=2.0=0" in pins(solved(wanted("wants", channels=two), cache))
    with pytest.raises(Unsatisfiable) as caught:
        solved(wanted("wants", channels=two, priority="strict"), cache)
    assert "tool" in str(caught.value.details)


def test_nothing_fits(tmp_path: Path, two: tuple[str, str]) -> None:
    with pytest.raises(Unsatisfiable, match="no set of conda packages fits") as caught:
        solved(wanted("tool=9", "only", channels=two), tmp_path / "cache")
    # In the solver's own words.
    assert "tool 9.*" in str(caught.value.details)
    assert "No candidates" in str(caught.value.details)


def test_what_the_base_gives(tmp_path: Path) -> None:
    packages = [
        Package("new", depends=("__glibc >=2.99",)),
        Package("old", depends=("__glibc >=2.17", "__linux", "__unix", "__archspec * x86_64")),
    ]
    channel = write_channel(tmp_path / "ours", [*packages, Package("old", "2.0", subdir="linux-aarch64")])
    assert pins(solved(wanted("old", channels=(channel,)), tmp_path / "cache")) == ["old=1.0=0"]
    with pytest.raises(Unsatisfiable) as caught:
        solved(wanted("new", channels=(channel,)), tmp_path / "cache")
    assert "__glibc" in str(caught.value.details)
    musl = base()
    with pytest.raises(BaseUnusable, match="made for glibc, and the C library of base:1 is musl"):
        solved(
            wanted("old", channels=(channel,)),
            tmp_path / "cache",
            on=replace(musl, python=replace(musl.python, libc="musl")),
        )
    arm = base()
    document = {**arm.config.document, "architecture": "arm64"}
    other = replace(arm, config=type(arm.config)(document))
    assert pins(solved(wanted("old", channels=(channel,)), tmp_path / "cache", on=other)) == ["old=2.0=0"]


def test_a_lock_is_kept_and_goes_stale_by_what_is_wanted(tmp_path: Path) -> None:
    cache, place = tmp_path / "cache", tmp_path / "ours"
    channel = write_channel(place, [Package("tool", "1.0"), Package("part", "1.0")])
    asked = wanted("tool", channels=(channel,))
    before = solved(asked, cache)
    write_channel(place, [Package("tool", version) for version in ("1.0", "2.0")] + [Package("part", "1.0")])
    assert solved(asked, cache) == before
    assert pins(solved(replace(asked, newest=True), cache)) == ["tool=2.0=0"]
    assert pins(solved(asked, cache)) == ["tool=2.0=0"]
    # What is asked for besides leaves the versions of a lock as they are, where they fit.
    file = tmp_path / "pylock.toml"
    _write(file, before)
    more = wanted("tool", "part", channels=(channel,), previous=file)
    assert pins(solved(more, cache)) == ["part=1.0=0", "tool=1.0=0"]
    assert pins(solved(wanted("tool>=2", "part", channels=(channel,), previous=file), cache)) == [
        "part=1.0=0",
        "tool=2.0=0",
    ]


def _write(path: Path, lock: CondaLock) -> None:
    import tomli_w

    path.write_text(tomli_w.dumps({"tool": {"imagekit": {"conda": table_of(lock)}}}))


def test_the_project_s_lock(tmp_path: Path) -> None:
    channel = write_channel(tmp_path / "ours", [Package("tool", "1.0"), Package("part", "1.0")])
    asked, file = wanted("tool", channels=(channel,)), tmp_path / "pylock.toml"
    lock = solved(asked, tmp_path / "cache")
    _write(file, lock)
    # Nothing is solved: no channel is there any more.
    (tmp_path / "ours").rename(tmp_path / "gone")
    assert solved(asked, tmp_path / "other", lock_file=file) == lock
    with pytest.raises(StaleLock, match="another environment"):
        solved(wanted("tool", "part", channels=(channel,)), tmp_path / "other", lock_file=file)
    file.write_text("[tool.imagekit]\n")
    with pytest.raises(StaleLock, match="has no conda packages"):
        solved(asked, tmp_path / "other", lock_file=file)
    file.write_text("[tool.imagekit.conda]\ninputs = 'x'\npackages = []\n")
    with pytest.raises(InvalidProject, match="cannot be read: inputs is no digest"):
        solved(asked, tmp_path / "other", lock_file=file)
    broken = table_of(lock)
    broken["packages"][0]["sha256"] = "abc"
    with pytest.raises(InvalidProject, match="tool has no sha256"):
        lock_of(broken, "here")


def test_a_package_without_a_hash(tmp_path: Path) -> None:
    channel = write_channel(tmp_path / "ours", [Package("tool", "1.0")])
    file = tmp_path / "ours" / "linux-64" / "repodata.json"
    document = json.loads(file.read_text())
    del document["packages.conda"]["tool-1.0-0.conda"]["sha256"]
    file.write_text(json.dumps(document))
    with pytest.raises(ResolveError, match=r"tool-1\.0-0\.conda has no sha256 in the channel ours"):
        solved(wanted("tool", channels=(channel,)), tmp_path / "cache")


def test_lines_that_are_no_match_specs_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 problems") as caught:
        solved(wanted("tool", "a=!=1", "b[version='>=']", channels=("file:///nowhere",)), tmp_path / "cache")
    assert [p.message.partition(": ")[0] for p in caught.value.problems] == ["environment.yml:4", "environment.yml:5"]


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    missing = (tmp_path / "nowhere").as_uri()
    with pytest.raises(IndexUnreachable, match="the channel nowhere cannot be read") as caught:
        solved(wanted("tool", channels=(missing,)), tmp_path / "cache")
    assert "conda-channels" in str(caught.value.hint)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)
    with pytest.raises(ResolveError, match="py-rattler, which is not installed") as caught:
        solved(wanted("tool", channels=("file:///nowhere",)), tmp_path / "cache")
    assert caught.value.hint == "install it: pip install 'py-rattler>=0.28'"
    # As the extra has it.
    assert '\nconda = ["py-rattler>=0.28"]\n' in (Path(__file__).parents[2] / "pyproject.toml").read_text()


class _Guarded(SimpleHTTPRequestHandler):
    """The files of a directory, to who has the password, or a token in the path."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        token = "/t/tk-0123456789abcdef"
        login = b64encode(f"me:{PASSWORD}".encode()).decode()
        if self.path.startswith(f"{token}/"):
            self.path = self.path.removeprefix(token)
        elif self.headers.get("Authorization") != f"Basic {login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="channel"')
            self.end_headers()
            return
        super().do_GET()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    write_channel(tmp_path / "served" / "team", [Package("tool", "1.0", files={"a": "x"})])
    asked: list[str] = []
    handler = type("Handler", (_Guarded,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/team", asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("secret", [f"me:{PASSWORD}", "tk-0123456789abcdef"], ids=["password", "token"])
def test_a_login_is_a_secret(tmp_path: Path, guarded: tuple[str, list[str]], secret: str) -> None:
    channel, _ = guarded
    known = {"login": secret}
    named = wanted("tool", channels=(channel,), secrets=((f"{channel}/", "login"),))
    lock = solved(named, tmp_path / "cache", secret=known.__getitem__)
    (tool,) = lock.packages
    assert (tool.url, tool.channel) == (f"{channel}/linux-64/tool-1.0-0.conda", channel)
    assert tool.shown_url == tool.url
    # It stands nowhere: not in the lock, and not in what py-rattler keeps.
    words = (secret.rpartition("me:")[2], quote(PASSWORD, safe=""), b64encode(secret.encode()).decode())
    for path in (tmp_path / "cache").rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not [word for word in words if word.encode() in data], path
    from imagekit.building.conda_login import channel_login

    access = IndexAccess(secret=known.__getitem__)
    url = channel_login(named, access)(tool.url)
    store = WheelStore(tmp_path / "store", access=access)
    path = store.get(Artifact(filename=tool.filename, url=url, sha256=tool.sha256))
    assert path.stat().st_size == tool.size
    assert secret not in repr(lock)


def test_a_login_that_is_refused(tmp_path: Path, guarded: tuple[str, list[str]]) -> None:
    channel, _ = guarded
    for secrets in ((), ((channel, "login"),)):
        with pytest.raises(ImagekitError, match=f"the channel {channel} cannot be read") as caught:
            solved(
                wanted("tool", channels=(channel,), secrets=secrets),
                tmp_path / "cache",
                secret={"login": "me:wr0ng-w0rd"}.__getitem__,
            )
        told = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
        assert "401" in told
        assert "wr0ng" not in told


def test_settings_reach_the_solver(tmp_path: Path) -> None:
    """Its certificates, its proxy, and nothing of this process's own environment."""
    write_channel(tmp_path / "served" / "team", [Package("tool", "1.0")])
    authority, proxy = Authority(tmp_path / "ca"), OwnProxy(tmp_path / "proxy")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = authority.server().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        channel = f"https://127.0.0.1:{server.server_port}/team"
        asked = wanted("tool", channels=(channel,))
        with pytest.raises(IndexUnreachable, match="certificate"):
            solved(asked, tmp_path / "cache", variables={})
        # What py-rattler does not know is said, and no success is played.
        told = Lines()
        with pytest.raises(IndexUnreachable, match="certificate"):
            solved(asked, tmp_path / "cache", reporter=told, variables={}, insecure_hosts=("127.0.0.1",))
        assert "insecure-hosts, and py-rattler looks at its certificate all the same" in told.text
        known: dict[str, Any] = {"ca_bundle": authority.bundle, "proxies": Proxies(https=proxy.url), "variables": {}}
        assert pins(solved(asked, tmp_path / "cache", **known)) == ["tool=1.0=0"]
        assert set(proxy.asked) == {f"127.0.0.1:{server.server_port}"}
    finally:
        proxy.close()
        server.shutdown()
        server.server_close()


def test_what_py_rattler_does_not_know_is_said_where_it_matters() -> None:
    def of(*urls: str, **access: Any) -> list[str]:
        asked = [ChannelPlace(name="it", url=url, fetched=url) for url in urls]
        return [line.partition(":")[0] for line in unmet(asked, IndexAccess(**access))]

    one, other = "https://conda.example.com:8443/team", "https://conda.example.com:8443/other"
    for host in ("conda.example.com", "conda.example.com:8443"):
        assert of(one, other, insecure_hosts=(host,)) == ["conda.example.com"]
    assert of(one, insecure_hosts=("example.com", "conda.example.com:443")) == []
    assert of("https://conda.example.com/team", insecure_hosts=("conda.example.com",)) != []
    assert of(one, client_cert=Path("client.pem")) == ["client-cert"]
    # Where no certificate is shown or looked at, there is nothing to say.
    nobody = ("file:///srv/channel", "http://127.0.0.1:8000/team")
    assert of(*nobody, client_cert=Path("client.pem"), insecure_hosts=("127.0.0.1",)) == []


def test_offline(tmp_path: Path, guarded: tuple[str, list[str]]) -> None:
    channel, asked = guarded
    named = wanted("tool", channels=(channel,), secrets=((channel, "login"),))
    with pytest.raises(IndexUnreachable, match="offline, and what the channel"):
        solved(named, tmp_path / "cache", secret={"login": f"me:{PASSWORD}"}.__getitem__, offline=True)
    assert asked == []
    local = write_channel(tmp_path / "ours", [Package("tool", "1.0")])
    assert pins(solved(wanted("tool", channels=(local,)), tmp_path / "cache", offline=True)) == ["tool=1.0=0"]
