"""``imagekit cache`` as a person starts it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cache.entries import DAY, kept, put, wheel
from tests.cache.test_verify import flip
from tests.cli.conftest import Imagekit


@pytest.fixture
def cache(environ: dict[str, str], tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    environ["IMAGEKIT_CACHE_DIR"] = str(root)
    return root


@pytest.fixture
def imagekit(here: Imagekit) -> Imagekit:
    """In this process: that one of its own says the same is looked at in ``test_refusals``."""
    return here


def test_a_cache_that_is_not_there_yet(imagekit: Imagekit, cache: Path) -> None:
    done = imagekit("cache", "ls")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"0 B in {cache}, of 20 GB (default)\n"
    assert imagekit("cache", "prune").stdout == "freed 0 B (0 entries); 0 B kept\n"
    assert imagekit("cache", "verify").stdout == "0 entries read, 0 damaged\n"
    assert not cache.exists()


def test_ls(imagekit: Imagekit, cache: Path) -> None:
    put(cache, 1, title="six==1.17.0", size=100_000)
    put(cache, 2, title="rich==14.0", age=3 * DAY)
    wheel(cache)
    (cache / "mine").write_bytes(b"1234")
    lines = imagekit("cache", "ls", env={"IMAGEKIT_CACHE_SIZE": "1.5GB"}).stdout.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["layers", "2", "115"],
        ["wheels", "1", "5"],
        ["other", "1", "4"],
    ]
    assert lines[3].endswith("of 1.5 GB (IMAGEKIT_CACHE_SIZE)")
    table = imagekit("cache", "ls", "--layers").stdout.splitlines()
    assert [(line.split()[0], line.split()[3:]) for line in table] == [
        ("six==1.17.0", ["now"]),
        ("rich==14.0", ["3", "d", "ago"]),
    ]
    report = json.loads(imagekit("cache", "ls", "--layers", "--json").stdout)
    assert report["kinds"]["layers"]["entries"] == 2
    assert report["limit"] == 20_000_000_000
    assert report["size"] == sum(kind["size"] for kind in report["kinds"].values())
    assert [layer["title"] for layer in report["layers"]] == ["six==1.17.0", "rich==14.0"]
    assert all(layer["diff_id"].startswith("sha256:") for layer in report["layers"])


def test_prune(imagekit: Imagekit, cache: Path) -> None:
    for number in range(3):
        put(cache, number, age=number * DAY, size=1_000_000)
    dry = imagekit("cache", "prune", "--keep", "2.5MB", "--dry-run")
    assert dry.stdout == "would free 1.0 MB (1 entry); 2.0 MB kept\n"
    done = json.loads(imagekit("cache", "prune", "--older-than", "36h", "--json").stdout)
    assert done["entries"] == 1
    assert done["dry_run"] is False
    assert done["in_use"] == 0
    assert kept(cache, 0, 1, 2) == [0, 1]
    # Without options it is the size that is set.
    assert imagekit("cache", "prune", env={"IMAGEKIT_CACHE_SIZE": "1500kB"}).stdout.startswith("freed 1.0 MB (1 entry)")
    assert kept(cache, 0, 1) == [0]
    assert imagekit("cache", "prune", "--all").stdout.endswith("; 0 B kept\n")
    assert kept(cache, 0) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--keep", "much"], "no number of bytes"),
        (["--older-than", "long"], "no length of time"),
        (["--all", "--keep", "1GB"], "nothing to choose"),
    ],
)
def test_what_cannot_be_meant(here: Imagekit, cache: Path, arguments: list[str], words: str) -> None:
    put(cache, 1)
    done = here("cache", "prune", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert kept(cache, 1) == [1]


def test_a_cache_that_cannot_be_locked(imagekit: Imagekit, cache: Path) -> None:
    put(cache, 1)
    (cache / ".gate").unlink(missing_ok=True)
    (cache / ".gate").mkdir()
    done = imagekit("cache", "prune", "--all")
    assert done.returncode == 1
    assert "cannot be locked" in done.stderr
    assert kept(cache, 1) == [1]


def test_verify(imagekit: Imagekit, cache: Path) -> None:
    put(cache, 1)
    entry = put(cache, 2)
    assert imagekit("cache", "verify").returncode == 0
    flip(entry.path)
    done = imagekit("cache", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "entries": 2,
        "damaged": [{"kind": "layers", "key": entry.path.stem, "reason": "other bytes than were written"}],
    }
    assert kept(cache, 1, 2) == [1]
    again = imagekit("cache", "verify")
    assert (again.returncode, again.stdout) == (0, "1 entries read, 0 damaged\n")


@pytest.mark.parametrize("text", ["20", "20GB", "1.5 TiB", "512mib", "0"])
def test_sizes(text: str, here: Imagekit) -> None:
    assert here("config", "set", f"cache-size={text}").returncode == 0
    done = here("config", "view", "--origin", "--json")
    found = json.loads(done.stdout)["cache-size"]
    assert (
        found["value"]
        == {
            "20": 20,
            "20GB": 20 * 10**9,
            "1.5 TiB": 3 * 2**39,
            "512mib": 2**29,
            "0": 0,
        }[text]
    )
    assert "config.toml:1" in found["origin"]


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e3", "NaN", "20XB", "٣GB", "1.GB"])
def test_what_is_no_size(text: str, here: Imagekit) -> None:
    done = here("config", "set", f"cache-size={text}")
    assert done.returncode == 2
    if text:
        assert here("cache", "ls", env={"IMAGEKIT_CACHE_SIZE": text}).returncode == 2
