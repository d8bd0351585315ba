"""Poetry's sources: in which order they are asked, and what ``[tool.poetry.dependencies]`` adds to ``[project]``."""

from __future__ import annotations

from pathlib import Path

import pytest
from poetry.core.factory import Factory

from imagekit.errors import InputError
from imagekit.spec.image import MACHINE, Indexes
from imagekit.spec.read import read_spec

A, B, C = (f"https://{name}.example.com/simple" for name in "abc")


def project(root: Path, text: str, dependencies: str = '"six"', more: str = "") -> Path:
    root.mkdir(exist_ok=True)
    table = f'[project]\nname = "orders"\nversion = "1"\ndependencies = [{dependencies}]\n{more}'
    (root / "pyproject.toml").write_text(table + text)
    return root


def indexes(root: Path, *sources: tuple[str, str, str]) -> Indexes:
    """Of sources as name, URL and priority, each of which may be empty."""
    text = ""
    for pairs in sources:
        keys = [f'{key} = "{value}"\n' for key, value in zip(("name", "url", "priority"), pairs, strict=True) if value]
        text += "[[tool.poetry.source]]\n" + "".join(keys)
    return read_spec(project(root, text)).indexes


@pytest.mark.parametrize(
    ("sources", "asked"),
    [
        ([("a", A, ""), ("b", B, "")], [A, B]),
        ([("a", A, "supplemental"), ("b", B, "primary")], [B, A]),
        ([("a", A, "supplemental"), ("b", B, "supplemental")], [MACHINE, A, B]),
        ([("a", A, "primary"), ("PyPI", "", "primary"), ("c", C, "primary")], [A, MACHINE, C]),
        ([("pypi", "", "supplemental"), ("c", C, "supplemental"), ("b", B, "primary")], [B, MACHINE, C]),
        ([("a", A, "explicit")], [MACHINE]),
        ([("a", A, "explicit"), ("b", B, "")], [B]),
        ([("a", A, "secondary"), ("b", B, "default"), ("c", C, "primary")], [B, C, A]),
    ],
)
def test_the_order_is_poetry_s(tmp_path: Path, sources: list[tuple[str, str, str]], asked: list[str]) -> None:
    found = indexes(tmp_path, *sources)
    assert [*found.extra, found.default or MACHINE, *found.supplemental] == asked
    assert [index.url for index in found.named if index.explicit] == [s[1] for s in sources if s[2] == "explicit"]


def test_without_a_source_the_machine_decides(tmp_path: Path) -> None:
    assert indexes(tmp_path) == Indexes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'[[tool.poetry.source]]\nname = "a"\nurl = "{A}"\npriority = "first"\n', ":8: the priority 'first'"),
        ('[[tool.poetry.source]]\nname = "a"\n', r":5: a source has no url"),
        (f'[[tool.poetry.source]]\nurl = "{A}"\n', r":5: a source has no name"),
        ('[[tool.poetry.source]]\nname = "pypi"\npriority = "explicit"\n', r":5: every source is explicit"),
        (f'[[tool.poetry.source]]\nname = "a"\nurl = "{A}"\n' * 2, r":9: two sources are called 'a'"),
        ('[tool.poetry.dependencies]\nsix = { source = "nope" }\n', r":6: six names the source 'nope'"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=f"pyproject.toml{words}"):
        read_spec(project(tmp_path, text))


# What [tool.poetry.dependencies] says more of [project]'s

ENTRIES = {
    'six = { git = "https://example.com/six.git", tag = "v1" }': ["six @ git+https://example.com/six.git@v1"],
    'six = { version = "<3", markers = "sys_platform == \'linux\'" }': ['six<3,>=1; sys_platform == "linux"'],
    'six = { path = "libs/six", develop = true }': ["six @ LIBS/six"],
    'six = [{ url = "https://example.com/six-1.0-py3-none-any.whl", platform = "linux" }, '
    '{ version = "*", platform = "darwin" }]': [
        'six @ https://example.com/six-1.0-py3-none-any.whl ; sys_platform == "linux"',
        'six>=1; sys_platform == "darwin"',
    ],
    'idna = "^3"': ["six>=1"],
    "six = { develop = true }": ["six>=1"],
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_it_applies_to_the_project_s_requirement(tmp_path: Path, entry: str) -> None:
    root = project(tmp_path, f"[tool.poetry.dependencies]\n{entry}\n", '"six>=1"')
    (root / "libs/six").mkdir(parents=True)
    (root / "libs/six/pyproject.toml").write_text('[project]\nname = "six"\nversion = "1"\n')
    found = [line.text.replace((root / "libs").as_uri(), "LIBS") for line in read_spec(root).requirements]
    assert found == ENTRIES[entry]
    # poetry-core itself, as far as names and markers go: it names what is at a path and a range otherwise.
    said = Factory().create_poetry(root).package.dependency_group("main").dependencies_for_locking
    assert len(said) == len(found)
    assert [not one.marker.is_any() for one in said] == [";" in text for text in found]


def test_a_source_beside_the_project_s_requirement_pins_it(tmp_path: Path) -> None:
    text = (
        f'[tool.poetry.dependencies]\nsix = {{ source = "corp" }}\nidna = {{ source = "PyPI" }}\n'
        f'[[tool.poetry.source]]\nname = "corp"\nurl = "{A}"\npriority = "explicit"\n'
    )
    more = '[project.optional-dependencies]\nweb = ["idna"]\n'
    found = read_spec(project(tmp_path, text, more=more), extras=["web"])
    assert [line.text for line in found.requirements] == ["six", "idna"]
    assert {(pin.package, pin.index) for pin in found.indexes.pins} == {("six", "corp"), ("idna", "PyPI")}
    assert {(index.name, index.url) for index in found.indexes.named} == {("corp", A), ("PyPI", MACHINE)}


def test_two_sources_by_their_markers(tmp_path: Path) -> None:
    text = (
        "[tool.poetry.dependencies]\nsix = [{ source = 'a', platform = 'linux' }, { source = 'b', platform = 'win32' }]"
        + "".join(
            f'\n[[tool.poetry.source]]\nname = "{n}"\nurl = "{u}"\npriority = "explicit"'
            for n, u in zip("ab", (A, B), strict=True)
        )
    )
    pins = read_spec(project(tmp_path, text)).indexes.pins
    assert [(pin.index, pin.marker) for pin in pins] == [
        ("a", 'sys_platform == "linux"'), ("b", 'sys_platform == "win32"'),
    ]  # fmt: skip


def test_extras_and_groups_too(tmp_path: Path) -> None:
    more = '[project.optional-dependencies]\nweb = ["idna"]\n[dependency-groups]\ndev = ["attrs"]\n'
    text = (
        '[tool.poetry.dependencies]\nidna = { git = "https://example.com/idna", rev = "main" }\n'
        '[tool.poetry.group.dev.dependencies]\nattrs = { git = "https://example.com/attrs", rev = "main" }\n'
    )
    found = read_spec(project(tmp_path, text, more=more), extras=["web"], groups=["dev"])
    assert [line.text for line in found.requirements] == [
        "six", "idna @ git+https://example.com/idna@main", "attrs @ git+https://example.com/attrs@main",
    ]  # fmt: skip


def test_two_places_of_one_requirement_are_refused(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        '[tool.poetry.dependencies]\nsix = { git = "https://example.com/six" }\n',
        '"six @ https://example.com/six-1.0-py3-none-any.whl"',
    )
    with pytest.raises(InputError, match=r"pyproject\.toml:6: six comes from another place than pyproject\.toml:4"):
        read_spec(root)


def test_a_url_with_a_directory_in_it_is_refused_and_not_cut(tmp_path: Path) -> None:
    text = '[tool.poetry.dependencies]\nsix = { url = "https://example.com/six-1.0.zip", subdirectory = "part" }\n'
    with pytest.raises(InputError, match=r"pyproject\.toml:6: .*subdirectory, which is honoured for git only"):
        read_spec(project(tmp_path, text))
