"""Instructions for the assembled image: one each, and only such as continue it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InvalidConfig
from imagekit.spec.commands import check_commands, instruction_of, reads_context, sets_user


@pytest.mark.parametrize(
    "command",
    [
        "RUN true",
        "run true",
        "RUN\ttrue",
        "RUN a && \\\n    b",
        "RUN a && \\\n\n    # why\n    b",
        "RUN <<EOF\napt-get update\nEOF",
        "RUN --mount=type=secret,id=token cat /run/secrets/token",
        'ENV A="b c" D=$A',
        'CMD ["python", "-m", "x"]',
        "HEALTHCHECK NONE",
        "ONBUILD RUN true",
        "RUN echo \\\\ a",
    ],
)
def test_one_instruction(command: str) -> None:
    assert check_commands([f"  {command}\n"]) == (command,)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("FROM scratch", "the 1st is FROM"),
        ("from scratch AS x", "the 1st is FROM"),
        ("apt-get install -y git", "begins with no instruction"),
        ("RUNN true", "begins with no instruction"),
        ("", "begins with no instruction"),
        ("# a comment", "begins with no instruction"),
        ("RUN", "RUN alone"),
        ("RUN   ", "RUN alone"),
        ("RUN true \\", r"ends with a '\\'"),
        ("RUN true \\  ", r"ends with a '\\'"),
        ("RUN true\nUSER root", "more than one instruction"),
        ("RUN true\nFROM scratch", "more than one instruction"),
        ("RUN a\0b", "NUL"),
        ("RUN \udcff", "no valid text"),
        ("RUN a\rb", "NUL or no valid text"),
    ],
)
def test_what_is_none(command: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        check_commands([command])
    assert caught.value.hint


def test_all_are_named_at_once() -> None:
    with pytest.raises(InvalidConfig) as caught:
        check_commands(["RUN true", "RUNN true", "FROM x"])
    assert caught.value.hint == "did you mean 'RUN'?"
    assert "the 2nd begins" in str(caught.value.details)
    assert "the 3rd is FROM" in str(caught.value.details)


def test_an_image_has_room_for_a_few_layers() -> None:
    assert len(check_commands(["RUN true"] * 8 + ["ENV A=1"] * 30)) == 38
    with pytest.raises(InvalidConfig, match="more than 8"):
        check_commands(["RUN true"] * 5 + ["COPY a /b"] * 4)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("COPY a /b", True),
        ("ADD a /b", True),
        ("COPY --chown=1:1 a /b", True),
        ("COPY --from=other a /b", False),
        ("copy --link --from=other a /b", False),
        ("RUN true", False),
        ("RUN --mount=type=secret,id=x true", False),
        ("RUN --mount=type=bind,target=/x true", True),
        ("RUN --mount=target=/x true", True),
        ("RUN --mount=type=bind,from=other,target=/x true", False),
        ("RUN --mount=type=cache,target=/x --mount=type=bind,source=a,target=/y true", True),
        ("ENV A=COPY", False),
    ],
)
def test_what_takes_from_the_context(command: str, expected: bool) -> None:
    assert reads_context([command]) is expected
    if expected:
        with pytest.raises(InvalidConfig, match="left out of the image"):
            check_commands([command], with_context=False)
    else:
        assert check_commands([command], with_context=False) == (command,)


def test_who_says_the_user() -> None:
    assert sets_user(["RUN true", "user app"])
    assert not sets_user(["RUN USER=1 true"])


@given(st.text())
def test_any_text_is_an_instruction_or_refused(text: str) -> None:
    try:
        (command,) = check_commands([text])
    except InvalidConfig:
        return
    assert instruction_of(command) not in ("", "FROM")
