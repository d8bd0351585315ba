"""pip's requirements files: what is taken, and what is refused with file and line."""

import codecs
from pathlib import Path

import pytest

from imagekit.errors import InvalidRequirement
from imagekit.spec.requirements_file import RequirementsFile, read_requirements

SHA = "0123456789abcdef" * 4


def read(root: Path, text: str | bytes, **files: str) -> RequirementsFile:
    path = root / "requirements.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, content in files.items():
        (root / f"{name}.txt").write_text(content)
    return read_requirements(path, root, {"TOKEN": "s3cr3t", "VERSION": "1.2"})


def texts(found: RequirementsFile) -> list[str]:
    return [line.text for line in found.requirements]


def refused(root: Path, text: str | bytes, **files: str) -> InvalidRequirement:
    with pytest.raises(InvalidRequirement) as caught:
        read(root, text, **files)
    assert caught.value.message.isprintable()
    assert caught.value.hint
    return caught.value


def test_lines_comments_continuations_markers(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "# heading\n\nx>=1,<2  # why\ny[a] ; python_version > '3'\nz \\\n  ==1.0\nw\\\n# ends it\n",
    )
    assert texts(found) == ["x<2,>=1", 'y[a]; python_version > "3"', "z==1.0", "w"]
    assert [line.origin for line in found.requirements] == [f"requirements.txt:{n}" for n in (3, 4, 5, 7)]


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + "x==1  # é\r\ny".encode(),
        codecs.BOM_UTF16_LE + "x==1  # é\ny".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "x==1  # é\ny".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "x==1  # é\ny".encode("utf-32-le"),
        codecs.BOM_UTF32_BE + "x==1  # é\ny".encode("utf-32-be"),
        "# -*- coding: latin-1 -*-\nx==1  # é\ny".encode("latin-1"),
        b"x==1\r\ny\r\n",
        b"x==1\ry",
    ],
)
def test_encodings_and_line_ends(tmp_path: Path, data: bytes) -> None:
    assert texts(read(tmp_path, data)) == ["x==1", "y"]


def test_includes_nested_and_diamond(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.txt").write_text("-r ../common.txt\ndeep\n")
    found = read(
        tmp_path, "-r left.txt\n--requirement=right.txt\n-c limits.txt\n-rsub/deep.txt", left="-r common.txt\nl",
        right="-r common.txt\nr", common="c", limits="c<2\nother==1",
    )  # fmt: skip
    assert texts(found) == ["c", "l", "r", "deep"]
    assert [line.text for line in found.constraints] == ["c<2", "other==1"]
    assert found.requirements[3].origin == "sub/deep.txt:2"
    assert [p.name for p in found.files_read] == [
        "requirements.txt", "left.txt", "common.txt", "right.txt", "limits.txt", "deep.txt",
    ]  # fmt: skip


def test_hashes(tmp_path: Path) -> None:
    found = read(tmp_path, f"x==1 \\\n    --hash=sha256:{SHA} \\\n    --hash sha256:{SHA[::-1]}\n")
    assert found.requirements[0].hashes == (f"sha256:{SHA}", f"sha256:{SHA[::-1]}")
    assert found.requires_hashes


def test_options(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    found = read(
        tmp_path,
        "-i https://example.com/simple\n--extra-index-url=https://example.com/more\n-f wheels\n"
        "--find-links https://example.com/links\n--pre --no-binary :all:\n--only-binary=Some_Name,other\nx",
    )
    assert found.indexes.default == "https://example.com/simple"
    assert found.indexes.extra == ("https://example.com/more",)
    assert found.indexes.find_links == (str((tmp_path / "wheels").resolve()), "https://example.com/links")
    assert found.prereleases
    assert found.no_binary == (":all:",)
    assert found.only_binary == ("some-name", "other")
    assert read(tmp_path, "--no-index").indexes.no_index


def test_a_format_named_later_moves(tmp_path: Path) -> None:
    found = read(tmp_path, "--no-binary a,b\n--only-binary b\n")
    assert (found.no_binary, found.only_binary) == (("a",), ("b",))
    assert read(tmp_path, "--no-binary a\n--no-binary :none:").no_binary == ()


def test_variables(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "x==${VERSION}")) == ["x==1.2"]
    assert "s3cr3t" not in str(refused(tmp_path, "x=${TOKEN}").to_json())
    assert "s3cr3t" not in str(refused(tmp_path, "-i https://${TOKEN}@example.com").to_json())


@pytest.mark.parametrize("text", [".", "-e .", "-e ./", "--editable=."])
def test_the_project_itself(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert found.installs_project
    assert found.requirements == ()


def test_the_project_with_extras(tmp_path: Path) -> None:
    assert read(tmp_path, "-e .[Dev_x,b]").project_extras == ("dev-x", "b")


def test_bare_urls_get_their_name(tmp_path: Path) -> None:
    found = read(tmp_path, "https://example.com/x-1-py3-none-any.whl\ngit+https://example.com/r@v1#egg=y\n")
    assert texts(found) == [
        "x @ https://example.com/x-1-py3-none-any.whl",
        "y @ git+https://example.com/r@v1#egg=y",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-r missing.txt", "not there"),
        ("-c missing.txt", "not there"),
        ("-r .", "is a directory"),
        ("-r https://example.com/r.txt", "URL"),
        ("-r file:///etc/passwd", "URL"),
        ("-r ../outside.txt", "outside"),
        ("-r /etc/passwd", "outside"),
        ("-r link.txt", "outside"),
        ("-r", "needs a value"),
        ("--frobnicate", "unknown option"),
        ("--idex-url x", "unknown option"),
        ("--trusted-host example.com", "not honoured"),
        ("--pre=yes", "takes no value"),
        ("-i 'x", "quote"),
        ("-i https://user:s3cr3t@example.com/simple", "user or password"),
        ("-i ftp://example.com", "not an index"),
        ("-f missing-directory", "not there"),
        ("x --pre", "does not go with"),
        ("x==1 --hash=md5:0123", "too weak"),
        ("x==1 --hash=sha256:0123", "too weak"),
        (f"x==1 --hash=sha1:{SHA[:40]}", "too weak"),
        (f"x>=1 --hash=sha256:{SHA}", "no version"),
        (f"x==1.* --hash=sha256:{SHA}", "no version"),
        (f"--hash=sha256:{SHA}", "without a requirement"),
        ("x==${UNSET_ONE}", "UNSET_ONE is not set"),
        ("x==${lower}", "not a variable"),
        ("-e ./other", "not there"),
        ("-e x", "no directory and no repository"),
        ("./x-1-py3-none-any.whl", "not there"),
        ("x-1-py3-none-any.whl", "not there"),
        ("/etc/x.whl", "outside"),
        ("../x", "outside"),
        ("x @ ../x", "outside"),
        ("x=1", "not a requirement"),
        ("x\u200b", r"U\+200B"),
        ("x\x0by", r"U\+000B"),
        ("x; python_version > ", "not a requirement"),
    ],
)
def test_refused_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside.txt").write_text("x")
    (root / "link.txt").symlink_to("../outside.txt")
    error = refused(root, f"# first\n{text}\n")
    assert error.message.startswith("requirements.txt:2: ")
    with pytest.raises(InvalidRequirement, match=words):
        read(root, f"# first\n{text}\n")
    assert "s3cr3t" not in str(error.to_json())


def test_partial_hashes(tmp_path: Path) -> None:
    error = refused(tmp_path, f"x==1 --hash=sha256:{SHA}\ny==1\nz==1\n")
    assert error.details is not None
    assert "requirements.txt:2: 'y==1' has no hash" in error.details
    assert "requirements.txt:3: " in error.details
    assert "has no hash" in refused(tmp_path, "--require-hashes\nx==1").message


def test_cycles(tmp_path: Path) -> None:
    error = refused(tmp_path, "-r a.txt", a="-r b.txt", b="\n-r a.txt")
    assert error.message.startswith("b.txt:2: ")
    assert "a.txt → b.txt → a.txt" in error.message
    assert "include each other" in refused(tmp_path, "-r requirements.txt").message


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"x\ny # \xff\n", "requirements.txt:2: "),
        (b"# coding: no-such\nx", "requirements.txt:1: "),
        (b"# coding: rot13\nx", "requirements.txt:1: "),
        (codecs.BOM_UTF16_LE + b"x\x00\n\x00\x00\xd8", "requirements.txt:2: "),
    ],
)
def test_undecodable(tmp_path: Path, data: bytes, where: str) -> None:
    assert refused(tmp_path, data).message.startswith(where)


def test_all_problems_at_once(tmp_path: Path) -> None:
    error = refused(tmp_path, "x=1\n-r more.txt\n--nope\nok", more="\ny==\n")
    assert error.message.startswith("3 problems: requirements.txt:1: ")
    assert error.details is not None
    assert [line.split(": ")[0] for line in error.details.splitlines()] == [
        "requirements.txt:1", "more.txt:2", "requirements.txt:3",
    ]  # fmt: skip


def test_constraints_take_no_extras(tmp_path: Path) -> None:
    assert refused(tmp_path, "-c c.txt", c="x[a]==1").message.startswith("c.txt:1: ")


def test_the_file_itself_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequirement, match="not there"):
        read_requirements(tmp_path / "none.txt", tmp_path)
