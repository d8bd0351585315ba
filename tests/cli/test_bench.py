"""``imagekit bench report`` and ``imagekit inspect --html``, as a person types them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cli.conftest import Imagekit
from tests.report.documents import everything


def test_results_become_a_page_beside_them(imagekit: Imagekit, tmp_path: Path) -> None:
    kept = tmp_path / "benchmarks" / "results"
    kept.mkdir(parents=True)
    (kept / "latest.json").write_text(json.dumps(everything()))
    done = imagekit("bench", "report")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"benchmarks.html: 15 rows of {Path('benchmarks', 'results', 'latest.json')}\n"
    text = (tmp_path / "benchmarks.html").read_text()
    assert "data/tail-push" in text
    told = json.loads(imagekit("bench", "report", "-o", "other.html", "--json").stdout)
    assert told == {"written": "other.html", "bytes": len(text.encode())}
    assert imagekit("bench", "report", "-o", "-").stdout == text


def test_all_that_is_wrong_is_told_at_once(imagekit: Imagekit, tmp_path: Path) -> None:
    assert imagekit("bench", "report").returncode == 2
    (tmp_path / "no.json").write_text("{")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    (tmp_path / "other.json").write_text('{"schema": 1}')
    done = imagekit("bench", "report", "no.json", "binary.json", "other.json", "gone.json")
    assert (done.returncode, done.stdout) == (2, "")
    for name in ("no.json is no JSON", "binary.json is no text", "other.json holds no results", "gone.json cannot be"):
        assert name in done.stderr
    assert not (tmp_path / "benchmarks.html").exists()


def test_a_page_where_none_can_be_written(imagekit: Imagekit, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(everything()))
    done = imagekit("bench", "report", "a.json", "-o", "nowhere/a.html")
    assert done.returncode == 2
    assert "nowhere/a.html cannot be written" in done.stderr


def test_an_image_of_the_engine(imagekit: Imagekit, tmp_path: Path, python_image: str) -> None:
    env = {"IMAGEKIT_ENGINE": os.environ.get("DOCKER_HOST", "")}
    plain = imagekit("inspect", python_image, "--json", env=env)
    done = imagekit("inspect", python_image, "--json", "--html", "image.html", env=env)
    assert (done.returncode, done.stdout) == (0, plain.stdout), done.stderr
    text = (tmp_path / "image.html").read_text()
    assert json.loads(plain.stdout)["image_id"] in text
    assert imagekit("inspect", python_image, "--html", "-", env=env).stdout == text


def test_two_documents_have_no_place_on_stdout(imagekit: Imagekit) -> None:
    done = imagekit("inspect", "orders:v1", "--json", "--html", "-")
    assert done.returncode == 2
    assert "both print on stdout" in done.stdout
