"""Layers as a tree: what hides what, where links lead, and members that no image may have."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.stages.file_tree import BadLayer, FileTree

from .contents import archive

Member = tuple[str, str, dict[str, object]] | tuple[str, str]


def tree(*layers: list[Member]) -> FileTree:
    made = FileTree()
    for number, members in enumerate(layers):
        with tarfile.open(fileobj=io.BytesIO(archive(*members))) as tar:
            for member in tar:
                made.add(member, number)
    return made


def paths(made: FileTree) -> list[str]:
    return sorted(path for path, _ in made.walk())


def link(target: str) -> dict[str, object]:
    return {"linkname": target}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([[("a/b/c", "file")]], ["/a", "/a/b", "/a/b/c"]),
        ([[("./a/", "dir"), ("/a/x", "file")]], ["/a", "/a/x"]),
        ([[("a/x", "file"), ("a/y", "file")], [("a/.wh.x", "file")]], ["/a", "/a/y"]),
        ([[("a/x", "file")], [(".wh.a", "file")]], []),
        ([[("a/x", "file")], [(".wh.a", "file"), ("a/y", "file")]], ["/a", "/a/y"]),
        # A whiteout is of lower layers alone, wherever in the archive it stands.
        ([[("a/x", "file")], [("a/y", "file"), (".wh.a", "file")]], ["/a", "/a/y"]),
        (
            [[("a/x", "file"), ("a/d/x", "file")], [("a/d/n", "file"), ("a/.wh..wh..opq", "file")]],
            ["/a", "/a/d", "/a/d/n"],
        ),
        ([[("a/x", "file")], [("a/.wh..wh..opq", "file"), ("a/n", "file")]], ["/a", "/a/n"]),
        ([[("a/x", "file")], [("a/.wh.gone", "file"), ("a/.wh..wh.aufs", "file")]], ["/a", "/a/x"]),
        # A directory in the place of a file, and the other way round.
        ([[("a", "file")], [("a/x", "file")]], ["/a", "/a/x"]),
        ([[("a/x", "file")], [("a", "file")]], ["/a"]),
        ([[("a/x", "file")], [("a", "dir")]], ["/a", "/a/x"]),
        # A link of a lower layer gives way to a directory, also to one that is only implied.
        ([[("d/x", "file"), ("l", "link", link("d"))], [("l/y", "file")]], ["/d", "/d/x", "/l", "/l/y"]),
        # One of the same layer is followed.
        ([[("d", "dir"), ("l", "link", link("d")), ("l/y", "file")]], ["/d", "/d/y", "/l"]),
        ([[("l", "link", link("../../up")), ("l/y", "file")]], ["/l", "/up", "/up/y"]),
    ],
)
def test_what_is_there(layers: list[list[Member]], expected: list[str]) -> None:
    assert paths(tree(*layers)) == expected


@pytest.mark.parametrize(
    "member",
    [
        ("../x", "file"),
        ("a/../../x", "file"),
        ("a/..", "dir"),
        ("a/.wh...", "file"),
        ("a/.wh.", "file"),
        ("a/.wh..", "file"),
        ("h", "hard", link("../etc/shadow")),
        ("h", "hard", link("missing")),
        ("h", "hard", link("d")),
    ],
)
def test_members_that_no_image_may_have(member: Member) -> None:
    with pytest.raises(BadLayer):
        tree([("d", "dir"), member])


def test_links_in_a_circle_are_refused_and_lead_nowhere() -> None:
    circle: list[Member] = [("a", "link", link("b")), ("b", "link", link("a"))]
    assert tree(circle).resolve("/a") is None
    with pytest.raises(BadLayer, match="too many links"):
        tree([*circle, ("a/x", "file")])


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/bin/tool", "/usr/bin/tool"),
        ("/bin/../bin/./tool", "/usr/bin/tool"),
        ("/up/usr/bin/tool", "/usr/bin/tool"),
        ("/absolute", "/usr/bin/tool"),
        ("/through/bin/tool", "/usr/bin/tool"),
        ("/../../usr", "/usr"),
        ("/", "/"),
        ("/dangling", None),
        ("/usr/bin/tool/below", None),
    ],
)
def test_where_a_path_leads(path: str, real: str | None) -> None:
    made = tree(
        [
            ("usr/bin/tool", "file"),
            ("bin", "link", link("usr/bin")),
            ("up", "link", link("../../..")),
            ("absolute", "link", link("/bin/tool")),
            ("through", "link", link("/up/usr")),
            ("dangling", "link", link("nowhere")),
        ]
    )
    found = made.resolve(path)
    assert (found[0] if found else None) == real


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
MEMBERS = st.one_of(
    st.tuples(NAMES, st.sampled_from(["dir", "file"])),
    st.tuples(NAMES, st.just("link"), NAMES.map(lambda target: link("/" + target))),
)


@given(st.lists(st.lists(MEMBERS, max_size=5), max_size=3), st.lists(MEMBERS, max_size=5))
def test_an_opaque_root_leaves_the_last_layer_alone(lower: list[list[Member]], last: list[Member]) -> None:
    try:
        alone = tree(last)
        together = tree(*lower, [(".wh..wh..opq", "file"), *last])
    except BadLayer:
        return
    assert paths(together) == paths(alone)


@given(st.lists(st.lists(MEMBERS, max_size=6), max_size=3), NAMES)
def test_a_real_path_leads_to_itself(layers: list[list[Member]], path: str) -> None:
    try:
        made = tree(*layers)
    except BadLayer:
        return
    found = made.resolve("/" + path)
    if found is not None:
        assert made.resolve(found[0]) == found
        assert found[0] in {"/", *paths(made)}
