"""Requirements: what is honoured, and what is refused before a resolver can see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InvalidRequirement
from imagekit.spec.requirement import parse_requirement, parse_requirements, requirement_name

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "x"),
        (" x ", "x"),
        ("x[b,a]>=1", "x[a,b]>=1"),
        ("x; python_version > '3'", 'x; python_version > "3"'),
        ("x>=1,<1", "x<1,>=1"),
        ("x===1.0+local", "x===1.0+local"),
        ("x @ https://example.com/x-1-py3-none-any.whl", "x @ https://example.com/x-1-py3-none-any.whl"),
        (f"x @ https://example.com/x-1.zip#sha256={SHA}", f"x @ https://example.com/x-1.zip#sha256={SHA}"),
        ("x @ https://example.com/v1.tar.gz", "x @ https://example.com/v1.tar.gz"),
        (f"x @ git+https://example.com/r@{SHA[:40]}", f"x @ git+https://example.com/r@{SHA[:40]}"),
        ("x @ git+https://example.com/r@a/b#subdirectory=d/e", "x @ git+https://example.com/r@a/b#subdirectory=d/e"),
        ("x @ git+https://example.com/r@v1.0", "x @ git+https://example.com/r@v1.0"),
        ("x @ git+ssh://git@example.com/r@v1", "x @ git+ssh://git@example.com/r@v1"),
        (
            "x @ https://example.com/x-1-py3-none-any.whl ; os_name == 'posix'",
            'x @ https://example.com/x-1-py3-none-any.whl ; os_name == "posix"',
        ),
    ],
)
def test_valid(text: str, expected: str) -> None:
    line = parse_requirement(text, "packages")
    assert line.text == expected
    assert line.origin == "packages"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x=2",
        "x~=1",
        "x>=2.*",
        "x==",
        "x<2>1",
        "x\ny",
        "x\n",
        "x\r",
        "x\x00",
        "x\u200b",
        "x\ufeff",
        "x\u00a0>=1",
        "x\u2028y",
        "x @ -u",
        "x @ ext::sh",
        "x @ ext::sh -c id",
        "x @ fd::17",
        "x @ git+https://example.com/r@--upload-pack=id",
        "x @ git+https://example.com/r@-c",
        "x @ git+https://-oProxyCommand=id/r",
        "x @ git+ssh://-oProxyCommand=id/r",
        "x @ git+file:///etc",
        "x @ git+file://host/r",
        "x @ git+https://example.com/r@a..b",
        "x @ git+https://example.com/r@a.lock",
        "x @ git+https://example.com/r@-c@main",
        "x @ git+https://example.com/r?x=1",
        f"x @ git+https://example.com/r#sha256={SHA}",
        "x @ git+https://example.com/r#subdirectory=-a",
        "x @ hg+https://example.com/r",
        "x @ svn+ssh://example.com/r",
        "x @ bzr+lp:r",
        "x @ https://example.com/x.tar.bz2",
        "x @ https://example.com/x",
        "x @ https://example.com/x.whl",
        "x @ https://example.com/y-1-py3-none-any.whl",
        "x @ https://example.com/x-1.zip#subdirectory=a",
        "x @ ftp://example.com/x-1.zip",
        "x @ git+ext::sh",
        "x @ https://example.com/../x.whl",
        "x @ git+https://example.com/r#subdirectory=../..",
        "x @ https://example.com/x.whl#md5=abc",
        "x @ https://example.com/x.whl#sha256=abc",
        "x @ https://example.com/x.whl;os_name=='posix'",
        "x @ https:///x.whl",
        "x @ https://h:99999/x.whl",
        "x @ file:///etc/x.whl",
        "x @ ./x.whl",
        "-r other.txt",
        "--index-url=https://example.com",
        "a;id",
        "$(id)",
        "*",
        "ünicode",
    ],
)
def test_refused_with_origin_and_hint(text: str) -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse_requirement(text, "requirements.txt:3")
    assert caught.value.message.startswith("requirements.txt:3: ")
    assert caught.value.message.isprintable()
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "x @ https://user:s3cr3t@example.com/x.whl",
        "x @ https://s3cr3t@example.com/x.whl",
        "x @ git+https://oauth2:s3cr3t@example.com/r",
        "x @ git+ssh://git:s3cr3t@example.com/r",
        "x=2 @ https://user:s3cr3t@example.com/x.whl",
        "x @ https://user:s3/cr3t@example.com/x.whl",
    ],
)
def test_a_password_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse_requirement(text, "packages")
    assert "s3" not in str(caught.value.to_json())


def test_all_problems_at_once() -> None:
    with pytest.raises(InvalidRequirement) as caught:
        parse_requirements(["x=1", "fine", "y=2"], "packages")
    assert "2 problems" in caught.value.message
    assert "'y=2'" in str(caught.value.details)


def test_not_a_string() -> None:
    with pytest.raises(InvalidRequirement, match="is a string"):
        parse_requirement(3, "packages")  # type: ignore[arg-type]


def test_names_are_normalized() -> None:
    assert requirement_name(parse_requirement("My_Pkg.x>=1", "packages")) == "my-pkg-x"


@given(st.text(max_size=30))
def test_any_text_parses_to_a_fixed_point_or_is_refused(text: str) -> None:
    try:
        line = parse_requirement(text, "packages")
    except InvalidRequirement:
        return
    assert parse_requirement(line.text, "packages") == line
    assert "\n" not in line.text
