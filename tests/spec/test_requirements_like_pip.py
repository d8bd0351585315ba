"""Requirements files, read as pip's own parser reads them: over generated files, but for what is refused on purpose."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pip._internal.models.format_control import FormatControl
from pip._internal.req.req_file import RequirementsFileParser, get_line_parser, preprocess

from imagekit.errors import InvalidRequirement
from imagekit.spec.requirements_file import RequirementsFile, read_requirements
from imagekit.spec.requirements_text import decode, logical_lines

VARIABLES = {"IK_VERSION": "1.2", "IK_HOST": "example.com"}


@pytest.fixture(autouse=True, scope="module")
def _variables() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in VARIABLES.items():
            patch.setenv(name, value)
        yield


names = st.sampled_from(["a", "b", "Some_Name", "x.y", "d-e"])
versions = st.sampled_from(["1", "1.2", "2.0rc1", "1!3", "${IK_VERSION}"])
specifiers = st.lists(
    st.one_of(
        st.builds("{}{}".format, st.sampled_from(["==", ">=", "<", "!=", "> ", "<= "]), versions),
        st.builds("~={}".format, st.sampled_from(["1.2", "${IK_VERSION}"])),
        st.just("==1.*"),
    ),
    max_size=2,
).map(",".join)
extras = st.sampled_from(["", "[one]", "[one,Two]", " [one , two] "])
markers = st.sampled_from(["", " ; python_version > '3'", '; sys_platform == "linux"', " ;os_name=='nt'"])
urls = st.sampled_from(
    [
        " @ https://${IK_HOST}/z-1.zip",
        " @ git+https://example.com/r@v1",
        " @ git+ssh://git@example.com/r@a/b#subdirectory=s",
    ]
)
requirements = st.one_of(
    st.builds("{}{}{}{}".format, names, extras, specifiers, markers),
    st.builds("{}{}{}".format, names, urls, st.sampled_from(["", " ; python_version > '3'"])),
)
hashed = st.builds(
    "{}=={}{}{}".format,
    names,
    st.sampled_from(["1", "${IK_VERSION}"]),
    st.sampled_from([" ", " \\\n    ", "  "]),
    st.lists(
        st.builds("--hash{}sha256:{}".format, st.sampled_from(["=", " "]), st.sampled_from(["a" * 64, "b" * 64])),
        min_size=1,
        max_size=2,
    ).map(" \\\n  ".join),
)
options = st.sampled_from(
    [
        "-i https://example.com/simple",
        "--index-url=https://${IK_HOST}/two",
        "--extra-index-url https://example.com/more",
        "--extra-index-url=https://example.com/'e v e n'",
        "-f https://example.com/links",
        "--no-binary a,Some_Name",
        "--no-binary=:all:",
        "--no-binary :none:",
        "--only-binary a",
        "--only-binary :all: --pre",
        "--pre",
        "--no-index",
        "--prefer-binary",
    ]
)
includes = st.sampled_from(["-r one.txt", "--requirement=sub/two.txt", "-c limits.txt", "-rone.txt"])
noise = st.sampled_from(["", "   ", "# words", "  # -r nothing.txt \\", "\t"])
line_ends = st.sampled_from(["\n", "\r\n", "\n\n", "  # why\n", "\t#why\n", "\r"])


def files_of(lines: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.builds("{}{}".format, lines, line_ends), max_size=6).map("".join)


plain = st.one_of(requirements, options, noise)
trees = st.fixed_dictionaries(
    {
        "requirements.txt": files_of(st.one_of(plain, includes)),
        "one.txt": files_of(st.one_of(plain, st.just("-r sub/two.txt"))),
        "sub/two.txt": files_of(st.one_of(plain, st.just("-c ../limits.txt"))),
        "limits.txt": files_of(st.one_of(st.builds("{}{}".format, names, specifiers), noise)),
    }
)


def test_hashes_and_files_of_many_lines_in_one(tmp_path: Path) -> None:
    """A sample by hand of what is generated below, so that the comparison is seen to compare something."""
    ours, theirs = both(
        tmp_path,
        {
            "requirements.txt": f"a==1 \\\n  --hash=sha256:{'a' * 64}\n-r one.txt\n",
            "one.txt": f"b==2 --hash sha256:{'b' * 64}\n",
        },
    )
    assert ours == theirs
    assert theirs["requirements"] == [
        ("requirements.txt:1", "a==1", [f"sha256:{'a' * 64}"]),
        ("one.txt:1", "b==2", [f"sha256:{'b' * 64}"]),
    ]


@settings(max_examples=150, deadline=None)
@given(tree=trees)
def test_the_same_lines_indexes_and_formats(tree: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = both(Path(directory), tree)
    assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(text=files_of(st.one_of(hashed, noise)))
def test_the_same_hashes(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = both(Path(directory), {"requirements.txt": text})
    assert ours == theirs


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab =#\\\n\r\t${}_A-'\"é", max_size=40))
def test_the_same_logical_lines(text: str) -> None:
    """Of any text: continuations, comments, line ends."""
    problems: list[InvalidRequirement] = []
    ours = [(line.number, line.text) for line in logical_lines(text, "r.txt", {}, problems)]
    refused = {int(problem.message.split(":")[1]) for problem in problems}
    theirs = [(number, line) for number, line in preprocess(text) if number not in refused]
    assert ours == theirs


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=60),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"# coding: latin-1\n"]),
)
def test_any_bytes_are_text_or_refused_with_a_line(data: bytes, mark: bytes) -> None:
    problem: InvalidRequirement | None = None
    try:
        decode(mark + data, "r.txt")
    except InvalidRequirement as refused:
        problem = refused
    assert problem is None or problem.message.startswith("r.txt:")


def both(directory: Path, tree: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    root = directory.resolve()
    for name, text in tree.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(text.encode())
    path = root / "requirements.txt"
    return _ours(read_requirements(path, root, VARIABLES)), _theirs(path, root)


def _ours(found: RequirementsFile) -> dict[str, Any]:
    def of(lines: Any) -> list[Any]:
        return [(line.origin, str(Requirement(line.text)), sorted(line.hashes)) for line in lines]

    return {
        "requirements": of(found.requirements),
        "constraints": of(found.constraints),
        "default": found.indexes.default,
        "extra": list(found.indexes.extra),
        "links": list(found.indexes.find_links),
        "no_index": found.indexes.no_index,
        "pre": found.prereleases,
        "no_binary": sorted(found.no_binary),
        "only_binary": sorted(found.only_binary),
    }


def _theirs(path: Path, root: Path) -> dict[str, Any]:
    control = FormatControl()
    parser = get_line_parser(SimpleNamespace(format_control=control, release_control=None))  # type: ignore[arg-type]
    found: dict[str, Any] = {"default": None, "extra": [], "links": [], "no_index": False, "pre": False}
    lines: dict[bool, dict[Any, None]] = {False: {}, True: {}}
    for line in RequirementsFileParser(None, parser).parse(str(path), constraint=False):  # type: ignore[arg-type]
        where = f"{Path(line.filename).relative_to(root).as_posix()}:{line.lineno}"
        opts = line.opts
        if line.requirement is not None:
            hashes = tuple(sorted(f"{kind}:{h}" for kind, hs in (opts.hashes or {}).items() for h in hs))
            # A file that is included twice is read twice by pip, to the same end.
            lines[line.constraint][where, str(Requirement(line.requirement)), hashes] = None
            continue
        found["default"] = opts.index_url or found["default"]
        found["extra"] = list(dict.fromkeys([*found["extra"], *(opts.extra_index_urls or [])]))
        found["links"] = list(dict.fromkeys([*found["links"], *(opts.find_links or [])]))
        found["no_index"] = found["no_index"] or opts.no_index
        found["pre"] = found["pre"] or bool(opts.pre)
    for key, constraint in (("requirements", False), ("constraints", True)):
        found[key] = [(where, text, list(dict.fromkeys(hashes))) for where, text, hashes in lines[constraint]]
    found["no_binary"] = sorted(canonicalize_name(n) if n[0] != ":" else n for n in control.no_binary)
    found["only_binary"] = sorted(canonicalize_name(n) if n[0] != ":" else n for n in control.only_binary)
    return found
