"""What people see: sizes, durations, the build's table, bars on a terminal."""

from __future__ import annotations

import io
import os
import pty
import threading
from collections.abc import Callable

import pytest

from imagekit.cli.output import clipped, seconds, size
from imagekit.cli.picture import put_build
from imagekit.cli.progress import TerminalReporter
from imagekit.cli.run import exit_code


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9960, "10 kB"),
        (999_600, "1.0 MB"),
        (6.4e8, "640 MB"),
        (5e12, "5.0 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99.6, "1 min 40 s"), (125, "2 min 5 s")]
)
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


def test_clipping() -> None:
    assert [clipped("abcdef", n) for n in (6, 3, 1)] == ["abcdef", "ab…", "…"]


@pytest.mark.parametrize(
    ("state", "cause", "code"),
    [
        ("completed", None, 0),
        ("failed", None, 1),
        ("crashed", "oom", 8),
        ("timed-out", "timeout", 124),
        ("cancelled", "interrupt", 130),
        ("cancelled", "terminate", 143),
    ],
)
def test_exit_codes_of_runs(state: str, cause: str | None, code: int) -> None:
    assert exit_code({"state": state, "cause": cause}) == code


def test_a_build_shows_new_layers_and_folds_cached_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = [{"title": f"p{n}", "packages": [f"p{n}==1"], "size": 5_000_000, "cached": True} for n in range(118)]
    new = [{"title": "rich 15", "packages": ["rich==15.0"], "size": 2_000_000, "cached": False}]
    result = {"reference": "x:v1", "image_id": "sha256:1", "digest": "sha256:1", "base": "b", "seconds": 1.25}
    put_build({**result, "layers": [*cached, *new], "sent": 2_000_000, "next": "imagekit run flow.py:etl --image x:v1"})
    out = capsys.readouterr().out
    assert "2.0 MB  new  rich 15.0\n" in out
    assert "118 cached layers, 590 MB\n" in out
    assert "p7" not in out
    assert out.endswith("\nnext: imagekit run flow.py:etl --image x:v1\n")
    assert "\x1b" not in out
    # Of a Dockerfile's image nobody knows what it is for.
    put_build({**result, "layers": new})
    assert "next:" not in capsys.readouterr().out


Seen = Callable[..., None]


def drawn_on_terminal(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[TerminalReporter, Seen], None], *, rows: int = 24
) -> str:
    """All that a terminal is given while ``act`` works, which may wait for words; then "after"."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", str(rows))
    monkeypatch.setattr("imagekit.cli.progress.PATIENCE", 0.0)
    leader, follower = pty.openpty()
    drawn, news = io.BytesIO(), threading.Condition()

    def read() -> None:
        while True:
            try:
                data = os.read(leader, 4096)
            except OSError:
                return
            if not data:
                return
            with news:
                drawn.write(data)
                news.notify_all()

    def seen(*words: str) -> None:
        with news:
            news.wait_for(lambda: all(word.encode() in drawn.getvalue() for word in words))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    with os.fdopen(follower, "w") as stream:
        reporter = TerminalReporter(stream)
        act(reporter, seen)
        reporter.close()
        reporter.line("after")
    thread.join()
    os.close(leader)
    return drawn.getvalue().decode()


def test_a_bar_is_drawn_on_a_terminal_and_gone_when_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(reporter: TerminalReporter, seen: Seen) -> None:
        with reporter.task("fetching", total=4) as task:
            task.advance(3)
            task.note("six")
            seen("fetching", "3/4")
            reporter.line("a decision")

    text = drawn_on_terminal(monkeypatch, act)
    assert "a decision" in text
    # The line is cleared and the cursor shown again before anything else is written.
    assert "\x1b[2K" in text
    assert text.rindex("\x1b[?25h") < text.rindex("after")


def test_what_waits_is_drawn_below_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(reporter: TerminalReporter, seen: Seen) -> None:
        with reporter.task("building", total=9):
            reporter.waiting(["next", "second"])
            seen("building", "next", "second")
            reporter.waiting([f"cell-{number}." for number in range(8)])
            seen("cell-2.", "5 more")

    # Five rows: the bar, three of the eight and the number of the others; none below, where the cursor is.
    assert "cell-3." not in drawn_on_terminal(monkeypatch, act, rows=6)


def test_quick_work_draws_nothing() -> None:
    stream = io.StringIO()
    reporter = TerminalReporter(stream)
    with reporter.task("quick"):
        pass
    reporter.close()
    assert stream.getvalue() == ""
