"""A value in a Dockerfile comes out byte for byte, or is refused."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.engine.client import Engine
from imagekit.errors import InputError
from imagekit.stages.dockerfile_text import pair, paths, shell_word, word

NASTY = [
    "plain",
    "",
    " ",
    "two words",
    " leading and trailing ",
    'double " quote',
    "single ' quote",
    "back \\ slash",
    "trailing \\",
    "\\",
    "\\\\",
    "$HOME",
    "${HOME}",
    "${X:-y}",
    "$$",
    "$(id)",
    "`id`",
    "<<EOF",
    "a <<EOF b",
    "0<<-'EOF'",
    "# no comment",
    "#syntax=none",
    "a=b,c;d&e|f>g",
    "*?[a-z]",
    "--from=x",
    "tab\tbell\x07escape\x1b[0m",
    "é 日本 \u2028 \u0085",
    '["json"]',
    "%s %%",
    "\ufeffmark",
]

# A line of its own: a backslash before its end, and what could begin a here-document in it.
ALONE = {"trailing \\", "a <<EOF b"}


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\0", "\udcff"])
def test_what_a_line_cannot_hold_is_refused(text: str) -> None:
    for write in (
        lambda: word(text, "the value"),
        lambda: pair("NAME", text, "the variable"),
        lambda: paths(["a", text], "the path"),
        lambda: shell_word(text, "the word"),
    ):
        with pytest.raises(InputError, match=r"the (value|variable NAME|path|word)") as caught:
            write()
        assert caught.value.hint


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\0")))
def test_every_text_stays_on_its_line(text: str) -> None:
    for written in (word(text, "x"), paths(["a", text], "x"), shell_word(text, "x")):
        assert "\n" not in written
        # No backslash is left alone at the end: it would join the next line to this one.
        assert (len(written) - len(written.rstrip("\\"))) % 2 == 0


def test_values_arrive_in_the_image(engine: Engine, python_image: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    lines = [f"FROM {python_image}", "WORKDIR " + word('/odd "dir" $HOME \\ it\'s', "the directory")]
    together = []
    for number, text in enumerate(NASTY):
        lines.append("ENV " + pair(f"V{number}", text, "the variable"))
        lines.append("LABEL " + pair(f"l.{number}", text, "the label"))
        if text.strip() and "/" not in text and not text.startswith("\\"):
            lines.append("COPY --link " + paths(["file", f"/files/{number}/{text}"], "the path"))
        write = "printf %s " + shell_word(text, "the word") + f" > /words-{number}"
        if text in ALONE:
            lines.append(f"RUN {write}")
        else:
            together.append(write)
    # A step takes most of a second.
    lines.append("RUN " + " && ".join(together))
    (tmp_path / "Dockerfile").write_text("\n".join(lines) + "\n")
    iid = tmp_path / "iid"
    subprocess.run(
        ["docker", "--host", engine.address, "buildx", "build", "--quiet", "--iidfile", iid, "--", tmp_path],
        check=True,
        capture_output=True,
    )
    image_id = iid.read_text()
    try:
        image = engine.image(image_id)
        assert image is not None
        env = dict(entry.split("=", 1) for entry in image.settings["Env"])
        assert {name: env[name] for name in env if name.startswith("V")} == {f"V{n}": t for n, t in enumerate(NASTY)}
        labels = {name: text for name, text in image.labels.items() if name.startswith("l.")}
        assert labels == {f"l.{n}": text for n, text in enumerate(NASTY)}
        assert image.settings["WorkingDir"] == '/odd "dir" $HOME \\ it\'s'
        program = (
            "import json, os; print(json.dumps(["
            "[os.fsencode(open(f'/words-{n}', newline='', errors='surrogateescape').read()).decode() "
            f"for n in range({len(NASTY)})], "
            "{n: os.listdir(f'/files/{n}') for n in os.listdir('/files')}]))"
        )
        done = subprocess.run(
            [
                "docker",
                "--host",
                engine.address,
                "run",
                "--rm",
                "--network=none",
                image_id,
                "python3",
                "-X",
                "utf8",
                "-c",
                program,
            ],
            check=True,
            capture_output=True,
        )
        words, files = json.load(io.BytesIO(done.stdout))
        assert words == NASTY
        assert len(files) > 20
        assert files == {n: [NASTY[int(n)]] for n in files}
    finally:
        engine.remove_image(image_id, force=True)
