"""What layers say of packages, put on each other as an engine does it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from imagekit.attest.layer_contents import ContentsCache, merged
from imagekit.oci.digest import digest_of

from .layers import Entry, contents, metadata, paths_of

SITE = "opt/venv/lib/python3.11/site-packages"
RECORDS = (
    f"{SITE}/alpha-1.0.dist-info/METADATA",
    f"{SITE}/alpha-1.0.dist-info/direct_url.json",
    f"{SITE}/beta-1.0.egg-info",
    "var/lib/dpkg/status",
)
PARENTS = sorted({"/".join(path.split("/")[:n]) for path in RECORDS for n in range(1, path.count("/") + 1)})


def whiteout(path: str) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/.wh.{name}".lstrip("/")


_ENTRIES = st.one_of(
    st.sampled_from(RECORDS).map(lambda path: (path, "Name: x\nVersion: 1\n\n")),
    st.sampled_from(PARENTS).map(lambda path: (path, None)),
    st.sampled_from((*RECORDS, *PARENTS)).map(lambda path: (whiteout(path), "")),
    st.sampled_from(PARENTS).map(lambda path: (f"{path}/.wh..wh..opq", "")),
)


def _is_a_layer(entries: list[Entry]) -> bool:
    """A layer of which no two members are about one path, as engines write them."""
    paths = [path for path, _ in entries]
    about = [path.replace("/.wh..wh..opq", "").replace(".wh.", "") for path in paths]
    return len(set(about)) == len(about)


@given(st.lists(st.lists(_ENTRIES, max_size=5).filter(_is_a_layer), max_size=4))
def test_the_same_records_are_there_as_when_the_layers_are_unpacked(layers: list[list[Entry]]) -> None:
    found = merged([contents(entries) for entries in layers])
    assert set(found) == {path for path in paths_of(layers) if path in RECORDS}


def test_a_link_in_a_directory_s_place_takes_away_what_was_below() -> None:
    below = contents([(RECORDS[0], metadata("alpha", "1.0"))])
    assert merged([below, contents([("opt/venv", "-> /srv/venv")])]) == {}
    assert set(merged([below, contents([("srv/venv", "-> /opt/venv")])])) == {RECORDS[0]}


def test_only_the_header_of_metadata_is_kept() -> None:
    (text,) = contents([(RECORDS[0], metadata("alpha", "1.0", "License: MIT"))]).files.values()
    assert "MIT" in text
    assert "description" not in text


def test_what_packages_carry_within_themselves_is_no_record() -> None:
    vendored = f"{SITE}/setuptools/_vendor/wheel-0.45.dist-info/METADATA"
    assert contents([(vendored, metadata("wheel", "0.45"))]).files == {}


def test_a_note_comes_back_as_it_was_or_not_at_all(tmp_path: Path) -> None:
    kept, diff_id = ContentsCache(tmp_path), digest_of(b"layer")
    assert kept.get(diff_id) is None
    found = kept.keep(diff_id, contents([(RECORDS[0], metadata("alpha", "1.0")), (whiteout(PARENTS[0]), "")]))
    assert kept.get(diff_id) == found
    (note,) = (tmp_path / "contents").iterdir()
    right = note.read_bytes()
    for position in range(0, len(right), 7):
        note.write_bytes(right[:position] + bytes([right[position] ^ 1]) + right[position + 1 :])
        assert kept.get(diff_id) is None
