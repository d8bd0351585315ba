"""Entrypoints and parameters, without importing anybody's code."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InvalidEntrypoint, InvalidParameters
from imagekit.spec.entrypoint import Entrypoint, FlowSignature, check_json, parse_parameters


def signature(root: Path, source: str, function: str = "etl") -> FlowSignature:
    (root / "flow.py").write_text(source)
    return Entrypoint.parse(f"flow.py:{function}").signature(root)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flow.py:etl", "flow.py:etl"),
        ("./dir//flow.py:etl", "dir/flow.py:etl"),
        ("dir with space/flow.py:étl", "dir with space/flow.py:étl"),
    ],
)
def test_valid(text: str, expected: str) -> None:
    assert str(Entrypoint.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.py",
        ":f",
        "x.py:",
        "a:b:c",
        "x.py:f:g",
        "../x.py:f",
        "a/../../x.py:f",
        "/etc/x.py:f",
        "~/x.py:f",
        "-x.py:f",
        "a\\x.py:f",
        "C:\\x.py:f",
        "x.txt:f",
        "x:f",
        ".py:f",
        "d/.py:f",
        "x.py:a.b",
        "x.py:f()",
        "x.py:class",
        "x.py:1f",
        "x.py:f\n",
        "x\x00.py:f",
        "https://example.com/x.py:f",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidEntrypoint) as caught:
        Entrypoint.parse(text)
    assert caught.value.hint
    assert caught.value.message.isprintable()


@given(st.text(max_size=30))
def test_any_text_is_an_entrypoint_inside_or_refused(text: str) -> None:
    try:
        entrypoint = Entrypoint.parse(text)
    except InvalidEntrypoint:
        return
    assert Entrypoint.parse(str(entrypoint)) == entrypoint
    assert ".." not in entrypoint.path.split("/")


def test_a_signature_is_read_and_nothing_runs(tmp_path: Path) -> None:
    found = signature(tmp_path, "raise SystemExit\ndef etl(n, m=1, *args, k, j=2, **rest): ...")
    assert found.names == ("n", "m", "k", "j")
    assert found.required == ("n", "k")
    assert found.takes_any


@pytest.mark.parametrize(
    "source",
    [
        "async def etl(n): ...",
        "from prefect import flow\n@flow\ndef etl(n): ...",
        "import prefect\n@prefect.flow(name='x')\ndef etl(n): ...",
        "if True:\n    def etl(n): ...",
        "try:\n    x\nexcept Exception:\n    def etl(n): ...",
        "etl = None\ndef etl(n): ...",
    ],
)
def test_known_signatures(tmp_path: Path, source: str) -> None:
    found = signature(tmp_path, source)
    assert found.is_known
    found.check({"n": 3})
    with pytest.raises(InvalidParameters):
        found.check({})


@pytest.mark.parametrize(
    "source",
    [
        "from other import etl",
        "from other import x as etl",
        "from other import *",
        "import etl",
        "etl = make()",
        "a, etl = make()",
        "etl: object = make()",
        "@wrapped\ndef etl(n): ...",
        "class etl: ...",
        "with x as etl: ...",
        "etl = lambda n: n",
    ],
)
def test_bound_otherwise_is_taken_with_any_parameters(tmp_path: Path, source: str) -> None:
    found = signature(tmp_path, source)
    assert not found.is_known
    found.check({"whatever": 1})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def elt(): ...", "no function 'etl'"),
        ("def outer():\n    def etl(): ...", "no function 'etl'"),
        ("class A:\n    def etl(self): ...", "no function 'etl'"),
        ("etl: int", "no function 'etl'"),
        ("etl = 3", "a value"),
        ("etl = [1]", "a value"),
        ("def etl(:", r"flow\.py:1: "),
        ("def etl(): ...\n\x00", "flow"),
    ],
)
def test_not_there_or_not_callable(tmp_path: Path, source: str, words: str) -> None:
    with pytest.raises(InvalidEntrypoint, match=words):
        signature(tmp_path, source)


def test_the_nearest_function_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(InvalidEntrypoint) as caught:
        signature(tmp_path, "def elt(): ...")
    assert caught.value.hint == "did you mean 'elt'?"


def test_a_file_that_is_in_a_package_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "app.py").touch()
    with pytest.raises(InvalidEntrypoint, match="is not there") as caught:
        Entrypoint.parse("app.py:main").signature(tmp_path)
    assert caught.value.hint == "write src/shop/app.py:main"


def test_missing_file_and_links_out(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    with pytest.raises(InvalidEntrypoint, match="is not there"):
        Entrypoint.parse("x.py:f").signature(root)
    (tmp_path / "out.py").write_text("def f(): ...")
    (root / "x.py").symlink_to("../out.py")
    with pytest.raises(InvalidEntrypoint, match="leads out"):
        Entrypoint.parse("x.py:f").signature(root)
    (root / "d.py").mkdir()
    with pytest.raises(InvalidEntrypoint, match="cannot be read"):
        Entrypoint.parse("d.py:f").signature(root)
    (root / "loop.py").symlink_to("loop.py")
    with pytest.raises(InvalidEntrypoint):
        Entrypoint.parse("loop.py:f").signature(root)


def test_unknown_missing_and_positional_only(tmp_path: Path) -> None:
    found = signature(tmp_path, "def etl(count, *, name='x'): ...")
    with pytest.raises(InvalidParameters) as caught:
        found.check({"cuont": 3})
    assert caught.value.hint == "did you mean 'count'?"
    with pytest.raises(InvalidParameters, match="needs the parameter count"):
        found.check({})
    with pytest.raises(InvalidParameters, match="positional-only"):
        signature(tmp_path, "def etl(n, /): ...").check({"n": 1})
    signature(tmp_path, "def etl(n=1, /): ...").check({})
    signature(tmp_path, "def etl(**any): ...").check({"x": 1})


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1: 2}, {"a": object()}, [b"x"], {1, 2}, "\ud800", {"a": [math.nan]}, 1j],
)
def test_what_json_cannot_hold(value: object) -> None:
    with pytest.raises(InvalidParameters, match=r"^parameters\.v"):
        check_json({"v": value})


def test_a_value_that_holds_itself() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(InvalidParameters, match="without end"):
        check_json({"v": loop})


def test_parse_parameters() -> None:
    assert parse_parameters(["n=3", "name=x", "l=[1,2]", "eq=a=b", "none=null", 's="3"', "empty=", "v=NaN"]) == {
        "n": 3,
        "name": "x",
        "l": [1, 2],
        "eq": "a=b",
        "none": None,
        "s": "3",
        "empty": "",
        "v": "NaN",
    }


@pytest.mark.parametrize("pairs", [["n"], ["=3"], ["a-b=3"], ["n=1", "n=2"], ["n=1e999"]])
def test_parse_parameters_refused(pairs: list[str]) -> None:
    with pytest.raises(InvalidParameters):
        parse_parameters(pairs)
