"""What a recipe is in a Dockerfile and in a shell: its texts come out byte for byte, and are nothing else there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import DockerfileFailed, InputError
from imagekit.oci.platform import Platform
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.edit_program import changed
from imagekit.recipes.fitted import Command, Edit, File, Fitted, Repository
from imagekit.recipes.making import explained
from imagekit.recipes.script import step_files
from imagekit.recipes.stage import build_packages, build_stage, stage_of

from ..layers.bases import base as base_image

DISTRIBUTION = Distribution.parse("debian:12", Platform("linux", "amd64"))
NOTHING = Fitted(
    name="r", summary="one", accepts="", packages=(), build=(), repositories=(), debconf=(), env=(), build_env=(),
    path=(), files=(), edits=(), commands=(),
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def script(recipe: Fitted) -> str:
    return step_files(recipe, {}, "/usr/bin/python3")["apply.sh"].decode()


@given(texts, texts, texts)
def test_texts_come_out_byte_for_byte(content: str, word: str, variable: str) -> None:
    variable = re.sub(r"[\r\n]", "", variable)
    recipe = replace(
        NOTHING,
        summary=variable,
        build_env=(("X", variable),),
        files=(File(path="/etc/a 'b' $c", content=content, mode="0600"),),
        commands=(Command(argv=("printf", word), shell=None), Command(argv=(), shell=content)),
    )
    files = step_files(recipe, {}, "/usr/bin/python3")
    assert files["file-0"] == content.encode()
    assert files["command-1.sh"] == content.encode()
    # Nothing of it is a command, a comment's end or a quote's.
    lines = files["apply.sh"].decode()
    assert f"export X={shlex.quote(variable)}\n" in lines
    assert f"\n{shlex.join(['printf', word])}\n" in lines
    assert "-m 0600 -- /run/imagekit/recipe/file-0 '/etc/a '\"'\"'b'\"'\"' $c'\n" in lines


@pytest.mark.parametrize(
    "recipe",
    [
        NOTHING,
        replace(NOTHING, packages=("hello",), debconf=(("a a/b", "boolean true"),)),
        replace(NOTHING, commands=(Command(argv=("ldconfig",), shell=None),), build_env=(("A", "x\ty"),)),
    ],
)
def test_a_shell_understands_it(recipe: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "apply.sh"
    path.write_text(script(recipe))
    assert subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True).stderr == ""


def test_a_name_is_no_expression(tmp_path: Path) -> None:
    """apt-get takes a name that no package has for a regular expression, where it has a '.'."""
    text = script(replace(NOTHING, packages=("libc.bin",))).partition("apt() {")[2].partition('"$@"')[0]
    options = [word for word in shlex.split(text.replace("\\\n", " ")) if "::" in word]
    # As Debian's apt has it, of what this machine has installed alone; nothing is done.
    (tmp_path / "partial").mkdir()
    alone = [f"-oDir::State::lists={tmp_path}", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="]
    flags = [f"-o{word}" for word in options if word.startswith(("APT::Cmd", "APT::Install"))]
    ran = [
        subprocess.run(["apt-get", "install", "-s", *alone, *more, "--", "libc.bin"], capture_output=True, text=True)
        for more in ([], flags)
    ]
    assert ["libc-bin" in each.stdout for each in ran] == [True, False]
    assert "Unable to locate package libc.bin" in ran[1].stderr


def test_one_layer_each_and_settings_before_it() -> None:
    key = b"\x99key"
    repository = Repository(
        url="https://example.com/debian", suite="bookworm", components=("main", "extra"), architectures=("amd64",),
        key="https://example.com/key", fingerprint="F" * 40, keyring="",
    )  # fmt: skip
    one = replace(NOTHING, name="one", packages=("a1",), env=(("A", "1 $x"),), repositories=(repository,))
    two = replace(NOTHING, name="two", path=("/opt/two", "/usr/bin"), build=("g++",))
    three = replace(NOTHING, name="three", commands=(Command(argv=("true",), shell=None),), build=("a-dev", "g++"))
    base = base_image()
    stage = stage_of([one, two, three], base, DISTRIBUTION, {"F" * 40: key})
    assert stage.layers == ("one", "three")
    text = "\n".join(stage.lines)
    assert text.count("\nRUN ") == 2
    assert text.index("ENV A='1 $x'") < text.index("source=recipes/one,") < text.index("ENV PATH=/opt/two:")
    assert "\nENV PATH=/opt/two:/" in text
    assert stage.files[f"recipes/one/imagekit-{'F' * 40}.gpg"] == key
    assert stage.files["recipes/one/sources"].decode() == (
        "Types: deb\nURIs: https://example.com/debian\nSuites: bookworm\nComponents: main extra\n"
        "Architectures: amd64\nSigned-By: /usr/share/keyrings/imagekit-" + "F" * 40 + ".gpg\n"
    )
    assert build_packages([one, two, three]) == ("a-dev", "g++")
    assert (
        "apt install -- a-dev g++"
        in build_stage(("a-dev", "g++"), DISTRIBUTION).files["recipes/build/build.sh"].decode()
    )
    # The same again, and another one for whatever decides it.
    assert stage_of([one, two, three], base, DISTRIBUTION, {"F" * 40: key}).digest == stage.digest
    assert stage_of([one, two, three], base, DISTRIBUTION, {"F" * 40: b"\x99other"}).digest != stage.digest


def test_a_value_that_no_line_can_hold() -> None:
    with pytest.raises(InputError):
        stage_of([replace(NOTHING, env=(("A", "a\nb"),))], base_image(), DISTRIBUTION, {})


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("a = 1\nb = 2\n", {"match": "^a = (.)$", "replace": r"a = \1\1"}, "a = 11\nb = 2\n"),
        ("a\na\n", {"match": "^a$", "replace": "b"}, "b\nb\n"),
        ("a\nb\n", {"match": "^a$", "append": "x"}, "a\nx\nb\n"),
        ("a\na", {"match": "a", "append": "x\n"}, "a\nx\na\nx"),
        ("a", {"append": "x"}, "a\nx\n"),
        ("", {"append": "x\n"}, "x\n"),
        ("a\n", {"match": "b", "append": "x"}, None),
        ("a\r\n", {"match": "a", "replace": "b"}, "b\r\n"),
    ],
)
def test_changes_of_texts(before: str, edit: dict[str, str], after: str | None, tmp_path: Path) -> None:
    whole = {"match": None, "replace": None, "append": None, **edit}
    assert changed(before, whole) == after  # type: ignore[arg-type]
    path = tmp_path / "a"
    path.write_bytes(before.encode())
    path.chmod(0o640)
    files = step_files(replace(NOTHING, edits=(Edit(path=str(path), **whole),)), {}, "python3")
    for name in ("edit.py", "edits.json"):
        (tmp_path / name).write_bytes(files[name])
    command = [sys.executable, "-I", "-B", str(tmp_path / "edit.py"), str(tmp_path / "edits.json")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert path.read_bytes() == (before if after is None else after).encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert (ran.returncode == 0) == (after is not None)
    if after is None:
        assert f"{path} has no match of 'b'" in ran.stderr
    assert json.loads(files["edits.json"])[0]["path"] == str(path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("#6 1.2 E: Unable to locate package helo", "the recipe r could not be put on base: there is no package helo"),
        ("#6 0.1 imagekit: /etc/a has no match of 'x'", "put on base: /etc/a has no match of 'x'"),
        ("#6 9 W: GPG error: NO_PUBKEY 0123", "put on base: the repository is signed by another key"),
        ("#6 9 Err: Certificate verification failed: x", "put on base: a certificate is not trusted"),
        ("#6 9 Temporary failure resolving 'example.com'", "put on base: example.com cannot be reached"),
        ("#6 9.1 fails: a line of a command", "put on base: fails: a line of a command"),
    ],
)
def test_what_went_wrong_in_a_line(words: str, expected: str) -> None:
    step = "> [2/2] RUN --mount=type=bind,source=recipes/r,target=/run/imagekit/recipe     sh /run/x/apply.sh:"
    details = f'{words}\n#6 ERROR: process "/bin/sh -c sh" did not complete successfully: exit code: 1\n------\n {step}'
    error = explained(DockerfileFailed("failed", details=details), "base")
    assert expected in error.message
    assert error.hint
