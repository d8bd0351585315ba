"""Logs: any bytes, in bounded room, with the beginning and the end."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.store.logs import LogWriter, follow_log, read_log, remove_log

_PIECES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300)), max_size=60)


def kept(directory: Path) -> tuple[bytes, bytes, int]:
    """What is kept of both streams, and how many bytes were dropped."""
    pieces = list(read_log(directory))
    return (
        b"".join(p.data for p in pieces if p.stream == 1),
        b"".join(p.data for p in pieces if p.stream == 2),
        sum(p.dropped for p in pieces),
    )


@settings(deadline=None)
@given(pieces=_PIECES)
def test_short_logs_are_kept_whole(pieces: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "log"
        with LogWriter(directory) as log:
            for stream, data in pieces:
                log.write(stream, data)
        assert kept(directory) == (
            b"".join(data for stream, data in pieces if stream == 1),
            b"".join(data for stream, data in pieces if stream == 2),
            0,
        )


@settings(deadline=None)
@given(pieces=_PIECES)
def test_of_long_logs_the_beginning_and_the_end_are_kept(pieces: list[tuple[int, bytes]]) -> None:
    limit = 4000
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "log"
        with LogWriter(directory, limit) as log:
            for _, data in pieces:
                log.write(1, data)
        whole = b"".join(data for _, data in pieces)
        found = list(read_log(directory))
        gaps = [n for n, piece in enumerate(found) if piece.dropped]
        cut = gaps[0] if gaps else len(found)
        before, after = (b"".join(p.data for p in part) for part in (found[:cut], found[cut:]))
        assert len(gaps) <= 1
        assert whole.startswith(before)
        assert whole.endswith(after)
        assert len(before) + len(after) + sum(p.dropped for p in found) == len(whole)
        assert sum(path.stat().st_size for path in directory.glob("*")) <= limit


def test_a_gigabyte_without_an_end_of_line_takes_bounded_room(tmp_path: Path) -> None:
    piece = b"\xff\0" * (1 << 17)
    with LogWriter(tmp_path / "log") as log:
        for _ in range(256):
            log.write(1, piece)
    first, second, dropped = kept(tmp_path / "log")
    assert len(first) + dropped == 256 * len(piece)
    assert second == b""
    assert sum(path.stat().st_size for path in (tmp_path / "log").iterdir()) <= 8 << 20
    assert len(first) > 5 << 20


def test_a_log_whose_writer_was_killed_is_read_to_its_last_whole_frame(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log")
    log.write(1, b"whole\n")
    log.write(2, b"torn\n")
    path = tmp_path / "log" / "0"
    os.truncate(path, path.stat().st_size - 2)
    assert [piece.data for piece in read_log(tmp_path / "log")] == [b"whole\n"]
    path.write_bytes(b"\x07" * 100)
    assert list(read_log(tmp_path / "log")) == []
    log.close()


def test_a_log_that_cannot_be_written_is_not_worth_a_run(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with LogWriter(tmp_path / "log") as log:
        log.write(1, b"x")
        log.write(1, b"y")
        assert isinstance(log.failure, OSError)


def test_no_output_makes_no_log(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "log") as log:
        log.write(1, b"")
    assert list(tmp_path.iterdir()) == []
    assert list(read_log(tmp_path / "log")) == []
    remove_log(tmp_path / "log")


def test_a_log_goes_on_where_another_writer_left_it(tmp_path: Path) -> None:
    for text in (b"first ", b"second ", b"third"):
        with LogWriter(tmp_path / "log") as writer:
            writer.write(1, text)
            assert writer.failure is None
    assert b"".join(piece.data for piece in read_log(tmp_path / "log")) == b"first second third"
    assert not any(piece.dropped for piece in read_log(tmp_path / "log"))


def test_who_has_lost_a_log_adds_nothing_to_it(tmp_path: Path) -> None:
    """A writer that stood still, in a log that is short, and in one that has dropped much."""
    for limit, pieces in ((8 << 20, 1), (1000, 40)):
        directory = tmp_path / str(limit)
        first = LogWriter(directory, limit)
        for number in range(pieces):
            first.write(1, b"%d out\n" % number)
            first.write(2, b"%d err\n" % number)
        second = LogWriter(directory, limit)
        second.take_over()
        assert second.counts == first.counts
        first.write(1, b"late\n" * 200)
        second.write(1, b"next\n")
        first.write(2, b"later\n")
        out, err, dropped = kept(directory)
        assert out.endswith(b"%d out\nnext\n" % (pieces - 1))
        assert err.endswith(b"%d err\n" % (pieces - 1))
        assert b"late" not in out + err
        assert len(out) + len(err) + dropped == sum(second.counts.values())
        assert second.failure is None
    nothing = LogWriter(tmp_path / "nothing")
    nothing.take_over()
    assert (nothing.counts, nothing.failure) == ({1: 0, 2: 0}, None)


def test_a_log_is_followed_to_its_end(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    # So small that it has many parts.
    writer = LogWriter(directory, limit=400)
    written = [f"line {number}\n".encode() for number in range(8)]
    waiting = iter(written)

    def is_over() -> bool:
        text = next(waiting, None)
        if text is not None:
            writer.write(1, text)
        return text is None

    found = [piece.data for piece in follow_log(directory, is_over, pause=0.0)]
    assert found == written
    assert list(follow_log(tmp_path / "none", lambda: True)) == []
