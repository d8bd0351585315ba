"""Resolving and fetching with an index that fails: tried again for a while, then told, and nothing wrong is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.errors import HashMismatch, IndexUnreachable, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.resolve import resolve
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.progress import SilentReporter
from imagekit.spec.image import ImageSpec, Indexes
from tests.lock.faulty_index import FaultyIndex, cut, other, slow, status

Wanted = Callable[..., ImageSpec]


@pytest.fixture
def index() -> Iterator[FaultyIndex]:
    running = FaultyIndex()
    yield running
    running.close()


class Session:
    """One user's cache, index and target."""

    def __init__(self, index: FaultyIndex, wanted: Wanted, target: Target, tmp_path: Path) -> None:
        self.index, self.wanted, self.target, self.directory = index, wanted, target, tmp_path
        # No answer of this machine's is that late, however busy it is.
        self.be_patient_for(30)

    def be_patient_for(self, seconds: float) -> None:
        """An answer that stalls for longer is given up."""
        # uv waits between its tries for seconds; it is asked for fewer of them.
        self.access = IndexAccess(
            variables={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "UV_CACHE_DIR": str(self.directory / "uv"),
                "UV_HTTP_TIMEOUT": str(math.ceil(seconds)),
                "UV_HTTP_RETRIES": "2",
            }
        )
        self.store = WheelStore(self.directory / "wheels", access=self.access, pause=0.001, read_seconds=seconds)

    def lock(self, *requirements: str) -> Lock:
        spec = self.wanted(*requirements, indexes=Indexes(default=self.index.url))
        return resolve(spec, self.target, reporter=SilentReporter(), access=self.access)

    def fetch(self, lock: Lock) -> dict[str, bytes]:
        found = fetch_all(lock.packages, self.store, reporter=SilentReporter())
        return {package.name: path.read_bytes() for package, path in found}

    def left(self) -> list[str]:
        return [path.name for path in (self.directory / "wheels").rglob("*") if path.is_file()]


@pytest.fixture
def session(index: FaultyIndex, wanted: Wanted, target: Target, tmp_path: Path) -> Session:
    return Session(index, wanted, target, tmp_path)


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_twice_and_then_well(code: int, session: Session) -> None:
    path = session.index.add("alpha", "1.0")
    session.index.faults["/simple/alpha/"] = [status(code)] * 2
    lock = session.lock("alpha")
    session.index.faults[path] = [status(code)] * 2
    assert session.fetch(lock) == {"alpha": session.index.pages[path]}
    assert session.index.asked.count("/simple/alpha/") == 3


def test_an_index_that_always_fails(session: Session) -> None:
    session.index.add("alpha", "1.0")
    session.index.always["/simple/alpha/"] = status(503)
    with pytest.raises(IndexUnreachable) as caught:
        session.lock("alpha")
    assert "/simple/alpha/" in caught.value.message
    assert session.index.asked.count("/simple/alpha/") == 3


def test_an_index_that_stalls(session: Session) -> None:
    session.index.add("alpha", "1.0")
    session.index.always["/simple/alpha/"] = session.index.stall
    session.be_patient_for(1)
    with pytest.raises(IndexUnreachable, match="/simple/alpha/"):
        session.lock("alpha")


@pytest.mark.parametrize("fault", ["503", "cut", "stalls"])
def test_a_file_that_never_comes(fault: str, session: Session) -> None:
    path = session.index.add("alpha", "1.0")
    lock = session.lock("alpha")
    asked = session.index.asked.count(path)
    session.index.always[path] = {"503": status(503), "cut": cut, "stalls": session.index.stall}[fault]
    if fault == "stalls":
        session.be_patient_for(1)
    with pytest.raises(IndexUnreachable) as caught:
        session.fetch(lock)
    assert caught.value.message.startswith("alpha: ")
    assert path in caught.value.message
    assert session.index.asked.count(path) - asked == 5
    assert session.left() == []
    # And when it is well again, nothing has to be cleaned up.
    del session.index.always[path]
    session.be_patient_for(30)
    assert session.fetch(lock) == {"alpha": session.index.pages[path]}


def test_a_file_that_stalls_once(session: Session) -> None:
    path = session.index.add("alpha", "1.0")
    lock = session.lock("alpha")
    session.index.faults[path] = [session.index.stall, cut]
    session.be_patient_for(1)
    assert session.fetch(lock) == {"alpha": session.index.pages[path]}


def test_a_slow_file_is_waited_for(session: Session) -> None:
    """Longer in all than may pass between two pieces of it."""
    path = session.index.add("alpha", "1.0")
    lock = session.lock("alpha")
    session.index.always[path] = slow
    session.be_patient_for(1.5)
    assert session.fetch(lock) == {"alpha": session.index.pages[path]}


def test_a_file_that_is_gone(session: Session) -> None:
    path = session.index.add("alpha", "1.0")
    lock = session.lock("alpha")
    del session.index.pages[path]
    asked = session.index.asked.count(path)
    with pytest.raises(IndexUnreachable, match=rf"alpha: .*{path}.*404") as caught:
        session.fetch(lock)
    assert "imagekit lock" in (caught.value.hint or "")
    assert session.index.asked.count(path) - asked == 1


def test_a_file_that_a_page_lists_and_the_index_has_not(session: Session) -> None:
    path = session.index.add("alpha", "1.0")
    session.index.always[path] = status(404)
    with pytest.raises(IndexUnreachable, match=rf"lists a file that it does not have: .*{path}"):
        session.lock("alpha")


def test_other_bytes_are_never_taken(session: Session) -> None:
    """Not even after it was tried again."""
    path = session.index.add("alpha", "1.0")
    lock = session.lock("alpha")
    session.index.faults[path] = [status(503), cut, other]
    asked = session.index.asked.count(path)
    with pytest.raises(HashMismatch, match=f"alpha: .*{path}"):
        session.fetch(lock)
    assert session.index.asked.count(path) - asked == 3
    assert session.left() == []


def test_an_index_that_names_another_hash(session: Session) -> None:
    """What it says of a file goes into the lock; what it sends is held to that."""
    session.index.add("alpha", "1.0", sha256="0" * 64)
    with pytest.raises(HashMismatch, match="alpha"):
        session.fetch(session.lock("alpha"))
    assert session.left() == []


def test_what_was_fetched_before_is_kept(session: Session) -> None:
    paths = [session.index.add(name, "1.0") for name in ("alpha", "beta")]
    lock = session.lock("alpha", "beta")
    session.index.always[paths[1]] = status(503)
    with pytest.raises(IndexUnreachable, match="beta"):
        session.fetch(lock)
    assert session.left() == ["alpha-1.0-py3-none-any.whl"]
    session.index.always[paths[0]] = status(503)
    del session.index.always[paths[1]]
    assert session.fetch(lock).keys() == {"alpha", "beta"}


def test_yanked_versions_are_not_chosen(session: Session) -> None:
    session.index.add("alpha", "1.0")
    session.index.add("alpha", "2.0", yanked=True)
    assert [package.version for package in session.lock("alpha").packages] == ["1.0"]
    session.index.add("beta", "1.0", yanked=True)
    with pytest.raises(Unsatisfiable) as caught:
        session.lock("beta")
    assert "yanked" in str(caught.value.to_json())


def test_a_locked_version_that_was_yanked_is_still_fetched(session: Session) -> None:
    """PEP 592: what is pinned exactly stays installable."""
    path = session.index.add("alpha", "1.0", yanked=True)
    lock = session.lock("alpha==1.0")
    assert session.fetch(lock) == {"alpha": session.index.pages[path]}
