"""What was extra, made a part of the project or of an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import InputError, InvalidProject
from imagekit.extras.promote import Extra, bake, extra_of, write_lines
from imagekit.extras.values import LABEL_ORIGIN
from imagekit.pipeline import Pipeline

from .conftest import Machine, Output

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras")


def test_pins() -> None:
    extra = Extra(
        reference="x",
        image_id="sha256:1",
        requirements=(
            "My.Plug[a,b]>=1; python_version > '3'",
            "url @ https://example.com/url-1-py3-none-any.whl",
            "had",
        ),
        packages=("my-plug==1.5", "needed==2.0", "url==1"),
    )
    assert extra.pins == ('My.Plug[a,b]==1.5; python_version > "3"', extra.requirements[1], "had")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "boto3>=1\nrich\n"),
        ("", "boto3>=1\nrich\n"),
        ("# mine\nrequests==2  # why", "# mine\nrequests==2  # why\nboto3>=1\nrich\n"),
        ("-r other.txt\nRICH==13 # held\n", "-r other.txt\nRICH==13 # held\nboto3>=1\n"),
        ("requests==2\r\n", "requests==2\r\nboto3>=1\r\nrich\r\n"),
    ],
)
def test_lines_of_a_requirements_file(tmp_path: Path, before: str | None, after: str) -> None:
    path = tmp_path / "requirements.txt"
    if before is not None:
        path.write_bytes(before.encode())
        path.chmod(0o640)
    written = write_lines(tmp_path, ["boto3>=1", "rich"])
    assert path.read_bytes().decode() == after
    assert {*written.added, *(line.split("=")[0].lower() for line in written.there)} == {"boto3>=1", "rich"}
    assert before is None or path.stat().st_mode & 0o777 == 0o640
    # Twice does no more.
    assert write_lines(tmp_path, ["boto3>=1", "rich"]).added == ()
    assert path.read_bytes().decode() == after


def test_a_file_that_cannot_be_written_is_told_with_the_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "requirements.txt").symlink_to(tmp_path / "file" / "requirements.txt")
    with pytest.raises(InvalidProject, match="cannot be written") as raised:
        write_lines(tmp_path, ["boto3>=1", "rich"])
    assert raised.value.details == "boto3>=1\nrich"


def test_lines_of_a_pyproject(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"  # a name\nversion = "1"\ndependencies = ["rich>=13"] # held\n')
    assert write_lines(tmp_path, ["boto3>=1", "rich"]).to_json() == {
        "path": str(path),
        "added": ["boto3>=1"],
        "there": ["rich>=13"],
    }
    text = path.read_text()
    assert "# a name" in text
    assert text.count("boto3>=1") == 1
    path.write_text('[project]\nname = "x"\nversion = "1"\n')
    write_lines(tmp_path, ["boto3"])
    assert 'dependencies = ["boto3"]' in path.read_text()
    path.write_bytes(b'[project]\r\nname = "x"\r\ndependencies = [\r\n  "rich",\r\n]\r\n')
    write_lines(tmp_path, ["boto3"])
    assert (data := path.read_bytes()).count(b"\n") == data.count(b"\r\n") > 5
    path.write_text('[project]\nname = "x"\nversion = "1"\ndynamic = ["dependencies"]\n')
    with pytest.raises(InvalidProject, match="dynamic"):
        write_lines(tmp_path, ["boto3"])
    with pytest.raises(InvalidProject, match="no directory"):
        write_lines(tmp_path / "nowhere", ["boto3"])


def test_an_image_of_the_same_layers(machine: Machine, engine: Engine, framed: str, output: Output) -> None:
    machine.add("plug", "1.0", "needed")
    machine.add("needed", "1.0")
    machine.add("more", "1.0")
    derived = machine.derive(framed, "plug>=1 frame")
    baked = f"{framed.rpartition(':')[0]}:baked"
    with Pipeline(machine.settings()) as pipeline:
        extra = extra_of(pipeline, derived.reference)
        assert (extra.requirements, extra.packages) == (("plug>=1", "frame"), ("needed==1.0", "plug==1.0"))
        assert extra.pins == ("plug==1.0", "frame")
        with pytest.raises(InputError, match=r"nothing in .* is extra"):
            extra_of(pipeline, framed)
        try:
            bake(pipeline, extra, baked)
            before, after = engine.image(derived.reference), engine.image(baked)
            assert before is not None
            assert after is not None
            assert after.diff_ids == before.diff_ids
            assert LABEL_ORIGIN not in after.labels
            assert output(baked, "python3", "-c", "import plug, frame; print(plug.VERSION)") == "1.0\n"
            # It is an image as others are: packages are added to it, and what it has it has.
            assert machine.derive(baked, "plug more").packages == ("more==1.0",)
        finally:
            engine.remove_image(baked, force=True)
