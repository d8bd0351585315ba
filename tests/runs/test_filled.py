"""Files that are put into a run's container before it starts."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, labelled
from imagekit.errors import FlowFailed
from imagekit.mailbox import Mailbox
from imagekit.runs import runner
from imagekit.runs.adding import Stopped
from imagekit.runs.watch import Happening, LetGo, StopAsked, Unstarted
from imagekit.store.store import Store

from .ordering import ordered

FLOW = "def f():\n    import added\n    return added.VALUE\n"


@pytest.fixture(scope="module")
def image(build_image: Callable[..., str], python_image: str) -> str:
    # Its Python is called python3 alone.
    return build_image(
        f"FROM {python_image}\nENV PYTHONPATH=/opt/added\nCOPY flow.py /srv/\nWORKDIR /srv\n", {"flow.py": FLOW}
    )


def archive(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def test_the_flow_has_them(engine: Engine, image: str) -> None:
    seen: list[bytes] = []

    def put(container: Container, flow: bytes, is_stopped: Callable[[], bool]) -> None:
        seen.append(flow)
        assert not is_stopped()
        container.put("/", archive("opt/added/added.py", "VALUE = 3\n"))

    begun: list[bool] = []
    result = runner.run_flow(
        engine, ordered(engine, "flow.py:f", image=image), put=put, on_started=lambda: begun.append(True)
    )
    assert (result.state, result.result) == ("completed", 3)
    # Once, and not for a Python that is not there.
    assert (seen, begun) == ([FLOW.encode()], [True])


@pytest.mark.parametrize("happening", [StopAsked(why="terminate"), LetGo()])
def test_somebody_ends_it_meanwhile(engine: Engine, image: str, tmp_path: Path, happening: Happening) -> None:
    happenings: Mailbox[Happening] = Mailbox()

    def put(container: Container, flow: bytes, is_stopped: Callable[[], bool]) -> None:
        happenings.put(happening)
        assert is_stopped()
        raise Stopped

    order = ordered(engine, "flow.py:f", image=image)
    with Store.open(tmp_path) as store:
        if isinstance(happening, LetGo):
            with pytest.raises(Unstarted):
                runner.run_flow(engine, order, store=store, put=put, happenings=happenings)
            # Whoever comes next begins anew.
            assert store.run(order.run_id).end is None
            assert labelled(engine, f"imagekit.run={order.run_id}") == []
            return
        result = runner.run_flow(engine, order, store=store, put=put, happenings=happenings)
        assert (result.state, result.cause) == ("cancelled", "terminate")
        recorded = store.run(order.run_id)
        assert recorded is not None
        assert recorded.end is not None
        assert recorded.end.cause == "terminate"
    assert labelled(engine, f"imagekit.run={order.run_id}") == []


def test_what_goes_wrong_is_raised_and_leaves_nothing(engine: Engine, image: str) -> None:
    def put(container: Container, flow: bytes, is_stopped: Callable[[], bool]) -> None:
        raise FlowFailed("of the test's own")

    order = ordered(engine, "flow.py:f", image=image)
    with pytest.raises(FlowFailed, match="of the test's own"):
        runner.run_flow(engine, order, put=put)
    assert labelled(engine, f"imagekit.run={order.run_id}") == []
