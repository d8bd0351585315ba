"""``EXTRA_PIP_PACKAGES``: the whole syntax of requirements, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InputError
from imagekit.spec.extra_packages import LONGEST, VARIABLE, read_extras
from imagekit.spec.extra_pieces import NoRequirement, split
from imagekit.spec.files import check_env
from imagekit.spec.read import read_spec
from imagekit.spec.requirement import parse_requirement

WHEEL = "https://example.com/x-1-py3-none-any.whl"
CANARY = "canary-31415"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("boto3", ["boto3"]),
        ("scikit-learn matplotlib", ["scikit-learn", "matplotlib"]),
        ("a\tb\nc\r\nd", ["a", "b", "c", "d"]),
        ("x>=1,<2", ["x<2,>=1"]),
        ("x >= 1 , < 2 y", ["x<2,>=1", "y"]),
        ("x===1.0 y", ["x===1.0", "y"]),
        ("x (>=1) y", ["x>=1", "y"]),
        ("x[b, a] y", ["x[a,b]", "y"]),
        ("x[a]>=1 y", ["x[a]>=1", "y"]),
        ("x; python_version > '3'", ['x; python_version > "3"']),
        ("x; python_version > '3' y", ['x; python_version > "3"', "y"]),
        (
            "x>=1 ; (os_name == 'posix' and python_version in '3.8 3.9') or extra == 'z' y",
            ['x>=1; (os_name == "posix" and python_version in "3.8 3.9") or extra == "z"', "y"],
        ),
        ("x; 'a' not in platform_version y", ['x; "a" not in platform_version', "y"]),
        (f"x @ {WHEEL} y", [f"x @ {WHEEL}", "y"]),
        (f"x @ {WHEEL} ; os_name == 'posix' y", [f'x @ {WHEEL} ; os_name == "posix"', "y"]),
        ("x @ git+https://example.com/r@v1 y", ["x @ git+https://example.com/r@v1", "y"]),
        ("x x", ["x"]),
        # Names that a marker would read otherwise.
        ("and or in not", ["and", "or", "in", "not"]),
    ],
)
def test_what_it_takes(text: str, expected: list[str]) -> None:
    assert [line.text for line in read_extras(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a;id",
            "a; id",
            "$(id)",
            "`id`",
            "*",
            "a*",
            "a&&b",
            "a|b",
            "a&b",
            "a>b",
            "a>/etc/x",
            "~",
            "../a",
            "./a",
            "/a",
        ),
        *("--index-url=https://example.com", "-r /etc/passwd", "-e .", "a -r x", "a --pre", "--", "-"),
        *("x=2", "x~=1", "x>=2.*", "x==", "x<2>1", "x>=1 , y", "x,y", "x, y", "x\x00", "x\u200b", "x\xa0y", "é"),
        *("x @ -u", "x @ ext::sh", "x @ file:///etc/passwd", "x @ /etc/passwd", f"x @ git+{WHEEL}@--upload-pack=a"),
        *(WHEEL, "'x'", '"x y"', "x\\", "$X", "${X}", "x; python_version > '3' and", "x; python_version > '3' and y"),
        *("x;", "x[", "x]", "x[a", "(x)", "x (", "x @", "@", "x @ y", "x # y", "#", "x" * (LONGEST + 1)),
    ],
)
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(InputError, match=VARIABLE) as caught:
        read_extras(text)
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["'x'", '"x y"', "x 'y>=1'"])
def test_quotes_that_no_shell_took_away_are_told_as_such(text: str) -> None:
    with pytest.raises(InputError, match="is in quotes") as caught:
        read_extras(text)
    assert "leave them out" in str(caught.value.hint)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "text",
    [
        f"x @ https://user:{CANARY}@example.com/x-1-py3-none-any.whl",
        f"x @ https://{CANARY}@example.com/x-1-py3-none-any.whl",
        f"x@https://user:{CANARY}@example.com/x-1-py3-none-any.whl y",
        f"x @ {WHEEL}?token={CANARY}",
        f"x @ {WHEEL}?{CANARY}",
        f"{WHEEL}?token={CANARY}",
        f"--index-url=https://user:{CANARY}@example.com/simple",
        f"--extra-index-url https://user:{CANARY}@example.com/simple",
        f"https://user:{CANARY} more@example.com/x",
        f"x @ https://user:{CANARY} more@example.com/x-1-py3-none-any.whl",
        f"x @ git+https://{CANARY}:x@example.com/r@main",
        f"x>=1;https://u:{CANARY}@example.com",
    ],
)
def test_no_token_is_shown(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_extras(text)
    assert CANARY not in f"{caught.value.to_json()} {caught.value!r}"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_extras("x>=2.* y z @ file:///a")
    told = f"{caught.value.message} {caught.value.details}"
    assert "x>=2.*" in told
    assert "file:///a" in told


def test_what_is_no_text() -> None:
    with pytest.raises(InputError, match="must be a string, not a list"):
        read_extras(["x"])  # type: ignore[arg-type]


# A package called "and" goes before all markers: behind one it would be an operator.
NAMES = st.sampled_from(["x", "Y2", "boto3", "a-b_c.d", "9a", "in", "not", "extra", "os_name"])
VERSIONS = st.sampled_from(["1.0", "2.31", "1.2.3rc1", "10.0.post1", "2024.1.1"])
SPACES = st.sampled_from(["", " ", "  ", "\t"])
GAPS = st.text(" \t\n\r", min_size=1, max_size=3)
VALUES = st.one_of(
    st.sampled_from(["python_version", "os_name", "platform_machine", "sys_platform"]),
    st.sampled_from(["'3.9'", '"posix"', "'a b'", "'x; y'", "' and z'"]),
)


@st.composite
def markers(draw: st.DrawFn, depth: int = 2) -> str:
    if depth and draw(st.booleans()):
        inner = draw(markers(depth=depth - 1))
        other = draw(markers(depth=depth - 1))
        word = draw(st.sampled_from(["and", "or"]))
        return draw(st.sampled_from([f"({inner}) {word} {other}", f"{inner} {word} ({other})", f"( {inner} )"]))
    name = draw(st.sampled_from(["python_version", "os_name", "sys_platform"]))
    operator = draw(st.sampled_from(["==", "!=", ">=", "<", " in ", " not in "]))
    space = draw(SPACES)
    pair = [name, draw(VALUES.filter(lambda v: v[0] in "'\""))]
    if draw(st.booleans()):
        pair.reverse()
    return f"{pair[0]}{space}{operator}{space}{pair[1]}"


@st.composite
def requirements(draw: st.DrawFn) -> str:
    text = draw(NAMES)
    if draw(st.booleans()):
        text += draw(SPACES) + "[" + ",".join(draw(st.lists(NAMES, max_size=2))) + "]"
    kind = draw(st.sampled_from(["", "versions", "parentheses", "url"]))
    space = draw(SPACES)
    if kind in ("versions", "parentheses"):
        operators = st.sampled_from(["==", "!=", ">=", "<=", "<", ">", "~="])
        parts = draw(st.lists(st.tuples(operators, SPACES, VERSIONS), min_size=1, max_size=3))
        versions = f"{space},{space}".join(f"{operator}{gap}{version}" for operator, gap, version in parts)
        text += f"{space}({versions})" if kind == "parentheses" else f"{space}{versions}"
    elif kind == "url":
        text += f" @{space}git+https://example.com/team/repository@v1"
    if draw(st.booleans()):
        text += f" ;{space}{draw(markers())}"
    return text


@given(st.lists(requirements(), max_size=5), GAPS)
def test_one_by_one_they_are_what_packaging_reads(texts: list[str], gap: str) -> None:
    """Requirements with white space between them come out as each is read alone."""
    found = read_extras(gap.join(texts))
    alone = dict.fromkeys(parse_requirement(" ".join(text.split("\t")), VARIABLE) for text in texts)
    assert [line.text for line in found] == [line.text for line in alone]


@given(st.text(max_size=60))
def test_whatever_it_is_it_ends_one_way_or_the_other(text: str) -> None:
    try:
        lines = read_extras(text)
    except InputError:
        return
    # What passed says the same once more, and has nothing in it that an installer would take for an option.
    assert read_extras(" ".join(line.text for line in lines)) == lines
    assert not any(piece.startswith("-") for piece in split(text))


@given(requirements(), st.sampled_from(list(";&|$`(){}<>*?!'\"\\~#=@,[]-")), st.integers(0, 100))
def test_one_character_more_is_refused_or_read_as_packaging_reads_it(text: str, character: str, place: int) -> None:
    at = place % (len(text) + 1)
    changed = text[:at] + character + text[at:]
    try:
        pieces = split(changed)
    except NoRequirement:
        return
    for piece in pieces:
        assert piece.strip() == piece
        assert "\n" not in piece
    assert "".join("".join(pieces).split()) == "".join(changed.split())


@pytest.mark.parametrize("place", ["./x.whl", "/srv/x.whl", "x.whl", "file:///srv/x.whl", "git+file:///srv/x"])
def test_a_path_is_refused_by_what_can_be_done_instead(place: str) -> None:
    with pytest.raises(InputError, match="is a path, and what starts has none of this machine's files") as caught:
        read_extras(f"x @ {place}")
    assert "imagekit build --package PATH" in (caught.value.hint or "")
    assert "https://HOST" in (caught.value.hint or "")


def test_an_images_own_are_looked_at_when_it_is_declared(tmp_path: Path) -> None:
    (tmp_path / "imagekit.toml").write_text('[env]\nA = "1"\nEXTRA_PIP_PACKAGES = "a;id"\n')
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert caught.value.message.startswith("imagekit.toml:3: env.EXTRA_PIP_PACKAGES")
    with pytest.raises(InputError, match="'--index-url=x' is an option"):
        check_env({VARIABLE: "--index-url=x"})
    assert check_env({VARIABLE: "boto3 six>=1"}) == ((VARIABLE, "boto3 six>=1"),)
