"""Several recipes in one order, and what they come to on a distribution."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InputError, InvalidConfig
from imagekit.oci.platform import Platform
from imagekit.recipes.compose import composed
from imagekit.recipes.declared import Recipe, RecipeTable, read_recipe
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.find import find_recipes, provided
from imagekit.recipes.fitted import Fitted, fit
from imagekit.spec.keys import Source

AMD64 = Platform("linux", "amd64")
NAMES = tuple("abcdefgh")


def recipe(name: str, **keys: object) -> Recipe:
    table = RecipeTable(summary=name, **keys)  # type: ignore[arg-type]
    return Recipe(name=name, table=table, source=Source(path=Path(f"{name}.toml"), shown=f"{name}.toml", text=""))


@st.composite
def shelves(draw: st.DrawFn) -> tuple[dict[str, Recipe], list[str]]:
    """Recipes without circles, and some of them that are asked for."""
    found = {}
    for number, name in enumerate(NAMES):
        above = draw(st.lists(st.sampled_from(NAMES[number + 1 :]), unique=True)) if number + 1 < len(NAMES) else []
        found[name] = recipe(name, requires=tuple(above))
    return found, draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))


def reached(found: Mapping[str, Recipe], asked: Sequence[str]) -> set[str]:
    known: set[str] = set()
    pending = list(asked)
    while pending:
        name = pending.pop()
        if name not in known:
            known.add(name)
            pending += found[name].table.requires
    return known


@given(shelves())
def test_each_comes_once_and_after_what_it_requires(shelf: tuple[dict[str, Recipe], list[str]]) -> None:
    found, asked = shelf
    order = [each.name for each in composed(found, asked)]
    assert sorted(order) == sorted(reached(found, asked))
    for name in order:
        assert all(order.index(below) < order.index(name) for below in found[name].table.requires)
    # What nobody requires keeps the order in which it was asked for.
    required = {below for name in order for below in found[name].table.requires}
    assert [name for name in order if name not in required] == [name for name in asked if name not in required]


@given(shelves(), st.sampled_from(NAMES))
def test_one_more_at_the_end_leaves_the_stages_of_the_others(
    shelf: tuple[dict[str, Recipe], list[str]], more: str
) -> None:
    found, asked = shelf
    before, after = composed(found, asked), composed(found, [*asked, more])
    assert after[: len(before)] == before
    assert composed(found, [*asked, asked[0]]) == before


def test_circles_and_conflicts_are_told_together() -> None:
    found = {
        "a": recipe("a", requires=("b",)),
        "b": recipe("b", requires=("c",)),
        "c": recipe("c", requires=("a",), conflicts=("d",)),
        "d": recipe("d"),
    }
    with pytest.raises(InvalidConfig) as raised:
        composed(found, ["a", "d"])
    assert [each.message for each in raised.value.problems] == [
        "c.toml: requires[0]: a circle: a → b → c → a",
        "c.toml: conflicts[0]: c and d cannot be in one image",
    ]


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"summary = '{name}'\n{text}", "utf-8")
    return path


def test_names_and_paths(tmp_path: Path) -> None:
    write(tmp_path / "recipes", "graphviz", "[env]\nOWN = 'x'\n")
    write(tmp_path / "recipes", "below", "[env]\nBELOW = 'x'\n")
    write(tmp_path / "elsewhere", "mine", "requires = ['beside', 'below', 'pandoc']\n")
    write(tmp_path / "elsewhere", "beside", "[env]\nBESIDE = 'x'\n")
    found = find_recipes(["./elsewhere/mine.toml", "graphviz"], tmp_path)
    assert [each.name for each in found] == ["beside", "below", "pandoc", "mine", "graphviz"]
    # A project's own goes before one that comes with imagekit.
    assert found[-1].table.env == {"OWN": "x"}
    assert [each.is_provided for each in found] == [False, False, True, False, False]
    assert find_recipes(["graphviz"], None)[-1].is_provided
    assert find_recipes([str(tmp_path / "elsewhere" / "mine.toml")], tmp_path)[-1].name == "mine"


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "directory.toml").mkdir(parents=True)
    os.mkfifo(tmp_path / "recipes" / "pipe.toml")
    for name in ("directory", "pipe", "./recipes/pipe.toml"):
        with pytest.raises(InvalidConfig):
            find_recipes([name], tmp_path)


def test_all_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, "mine", "requires = ['pandok']\n")
    write(tmp_path / "other", "pandoc", "[env]\nA = 'x'\n")
    with pytest.raises(InputError) as raised:
        find_recipes(["./mine.toml", "grafviz", "./no.toml", "pandoc", "./other/pandoc.toml"], tmp_path)
    messages = [each.message for each in raised.value.problems]
    assert [message.partition(":")[0] for message in messages] == ["recipes", "recipes", "recipes", "mine.toml"]
    assert messages[0] == "recipes: no recipe is called 'grafviz'"
    assert raised.value.problems[0].hint is not None
    assert "did you mean 'graphviz'?" in raised.value.problems[0].hint
    assert messages[1] == "recipes: ./no.toml is not there"
    assert "'pandoc' is two recipes" in messages[2]
    assert messages[3] == "mine.toml:2: requires[0]: no recipe is called 'pandok'"


@pytest.mark.parametrize(
    ("text", "holds", "not_for"),
    [
        ("debian>=12", ["debian:12", "debian:13", "debian:forky"], ["debian:11", "ubuntu:24.04"]),
        ("debian", ["debian:11", "debian:14"], ["ubuntu:22.04"]),
        ("debian>=11,<13", ["debian:11", "debian:12"], ["debian:13", "debian:forky"]),
        ("ubuntu>=22.04", ["ubuntu:22.04", "ubuntu:24.04"], ["ubuntu:20.04", "debian:12"]),
        ("debian==12", ["debian:12"], ["debian:11", "debian:13"]),
    ],
)
def test_distributions(text: str, holds: list[str], not_for: list[str]) -> None:
    one = recipe("a", distributions=(text,), env={"A": "x"})
    for name in holds:
        assert fit([one], Distribution.parse(name, AMD64))
    for name in not_for:
        with pytest.raises(InvalidConfig, match="a is not for"):
            fit([one], Distribution.parse(name, AMD64))


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', ("debian", "12", "bookworm", True)),
        ("ID=debian\nVERSION_CODENAME=forky\n", ("debian", "14", "forky", True)),
        ("ID=debian\nVERSION_CODENAME=sid\n", ("debian", None, "sid", True)),
        ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID='21'\n", ("linuxmint", "21", "", True)),
        ("ID=alpine\nVERSION_ID=3.20.1\n", ("alpine", "3.20.1", "", False)),
        ("# nothing\nBROKEN='\n", ("linux", None, "", False)),
    ],
)
def test_os_release(release: str, expected: tuple[object, ...]) -> None:
    found = Distribution.of(release, Platform("linux", "arm64"))
    assert (found.id, found.version, found.codename, found.has_apt) == expected
    assert (found.architecture, found.multiarch) == ("arm64", "aarch64-linux-gnu")


def fitted(path: Path, distribution: str, platform: Platform = AMD64) -> Fitted:
    return fit([read_recipe(path)], Distribution.parse(distribution, platform))[0]


def test_what_is_different_somewhere(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "r",
        """path = ["/opt/{architecture}/bin"]
[apt]
packages = ["a1", "b1"]
build = ["c1-dev"]
[[apt.repository]]
url = "https://example.com/{id}/{version_id}"
key = "https://example.com/key"
fingerprint = "0123456789abcdef0123456789ABCDEF01234567"
[env]
A = "{multiarch}"
B = "1"
[debconf]
"a1/eula" = "boolean true"
"other shared/eula" = "select yes"
[[file]]
path = "/etc/a"
content = "{codename} {unknown} ${id} {id}"
[[when]]
distribution = "debian>=13"
path = ["/opt/new/bin"]
[when.apt]
packages = ["d1"]
without = ["b1", "c1-dev"]
[when.env]
B = "2"
[[when.file]]
path = "/etc/a"
content = "new"
mode = "755"
[[when]]
architecture = "arm64"
[when.env]
ARM = "1"
""",
    )
    old, new = fitted(path, "debian:12"), fitted(path, "debian:13")
    assert (old.packages, old.build) == (("a1", "b1"), ("c1-dev",))
    assert (new.packages, new.build) == (("a1", "d1"), ())
    assert old.env == (("A", "x86_64-linux-gnu"), ("B", "1"))
    assert dict(new.env)["B"] == "2"
    assert "ARM" in dict(fitted(path, "debian:12", Platform("linux", "arm64")).env)
    assert old.path == ("/opt/amd64/bin",)
    assert new.path == ("/opt/new/bin", "/opt/amd64/bin")
    assert [(f.content, f.mode) for f in old.files] == [("bookworm {unknown} ${id} debian", "0644")]
    assert [(f.content, f.mode) for f in new.files] == [("new", "0755")]
    assert old.debconf == (("a1 a1/eula", "boolean true"), ("other shared/eula", "select yes"))
    (repository,) = old.repositories
    assert (repository.url, repository.suite) == ("https://example.com/debian/12", "bookworm")
    assert repository.components == ("main",)
    assert repository.fingerprint == "0123456789ABCDEF0123456789ABCDEF01234567"
    with pytest.raises(InvalidConfig, match=r"sid \(amd64\)|has no \{version_id\}"):
        fit([read_recipe(path)], Distribution.of("ID=debian\nVERSION_CODENAME=sid\n", AMD64))
    # Neither what is said of it, nor how it is elsewhere, makes another image.
    text = path.read_text().replace("summary = 'r'", "summary = 's'").replace('B = "2"', 'B = "3"')
    path.write_text(text)
    assert fitted(path, "debian:12").digest == old.digest
    assert fitted(path, "debian:13").digest != new.digest


def test_what_two_of_them_have(tmp_path: Path) -> None:
    one = write(tmp_path, "one", "[env]\nA = '1'\nB = '1'\n[[file]]\npath = '/etc/a'\ncontent = ''\n")
    two = write(tmp_path, "two", "[env]\nA = '1'\nB = '2'\n[[file]]\npath = '/etc/a'\ncontent = ''\n")
    with pytest.raises(InvalidConfig) as raised:
        fit(find_recipes([str(one), str(two)]), Distribution.parse("debian:12", AMD64))
    name = tmp_path.name
    assert [each.message for each in raised.value.problems] == [
        f"{name}/two.toml:6: file[0].path: '/etc/a' is a file of one, too",
        f"{name}/two.toml:4: env.B: one sets it to another value",
    ]


def test_a_question_is_answered_once(tmp_path: Path) -> None:
    one = write(tmp_path, "one", "[debconf]\n'krb5-config/default_realm' = 'string A'\n'b/c' = 'boolean true'\n")
    same = write(tmp_path, "same", "[debconf]\n'b b/c' = 'boolean true'\n'x b/c' = 'boolean false'\n")
    two = write(
        tmp_path,
        "two",
        "[debconf]\n'b b/c' = 'boolean false'\n[[when]]\ndistribution = 'debian'\n"
        "[when.debconf]\n'krb5-config/default_realm' = 'string B'\n",
    )
    on = Distribution.parse("debian:12", AMD64)
    assert fit(find_recipes([str(one), str(same)]), on)
    with pytest.raises(InvalidConfig) as raised:
        fit(find_recipes([str(one), str(two)]), on)
    name = tmp_path.name
    assert [each.message for each in raised.value.problems] == [
        f"{name}/two.toml:3: debconf.'b b/c': one answers it otherwise",
        f"{name}/two.toml:7: when[0].debconf.'krb5-config/default_realm': one answers it otherwise",
    ]


def test_where_a_key_stands_is_said_and_decides_nothing(tmp_path: Path) -> None:
    text = (
        "[[apt.repository]]\nurl = 'https://example.com/debian'\nkey = 'https://example.com/key'\n"
        f"fingerprint = '{'A' * 40}'\n"
    )
    on = Distribution.parse("debian:12", AMD64)
    (before,) = fit(find_recipes([str(write(tmp_path, "one", text))]), on)
    (after,) = fit(find_recipes([str(write(tmp_path, "one", f"# moved\n{text}"))]), on)
    assert before.repositories[0].where == f"{tmp_path.name}/one.toml:4: apt.repository[0].key"
    assert after.repositories[0].where == f"{tmp_path.name}/one.toml:5: apt.repository[0].key"
    assert before.digest == after.digest


def test_one_repository_has_one_key(tmp_path: Path) -> None:
    text = "[[apt.repository]]\nurl = 'https://example.com/{}'\nkey = 'https://example.com/key'\nfingerprint = '{}'\n"
    one = write(tmp_path, "one", text.format("debian", "A" * 40))
    same = write(tmp_path, "same", text.format("debian/", "A" * 40))
    when = "[[when]]\ndistribution = 'debian'\n"
    two = write(tmp_path, "two", when + text.replace("apt", "when.apt").format("{id}", "B" * 40))
    on = Distribution.parse("debian:12", AMD64)
    assert fit(find_recipes([str(one), str(same)]), on)
    with pytest.raises(InvalidConfig, match=f"two.toml:4: .* is signed by {'B' * 40} here, and by {'A' * 40} in one"):
        fit(find_recipes([str(one), str(two)]), on)


def test_what_is_wrong_in_a_when_is_told_by_its_own_line(tmp_path: Path) -> None:
    when = "[[when]]\ndistribution = 'debian'\n"
    one = write(tmp_path, "one", "[env]\nA = '1'\n[[file]]\npath = '/etc/{id}'\ncontent = ''\n")
    two = write(
        tmp_path,
        "two",
        f"[env]\nB = '{{codename}}'\n{when}path = ['/opt/{{version_id}}']\n[when.env]\nA = '2'\n"
        "[[when.file]]\npath = '/etc/debian'\ncontent = ''\n",
    )
    with pytest.raises(InvalidConfig) as raised:
        fit(find_recipes([str(one), str(two)]), Distribution.of("ID=debian\n", AMD64))
    name = tmp_path.name
    assert [each.message for each in raised.value.problems] == [
        f"{name}/two.toml:3: env.B: debian of no version (amd64) has no {{codename}}",
        f"{name}/two.toml:6: when[0].path[0]: debian of no version (amd64) has no {{version_id}}",
        f"{name}/two.toml:10: when[0].file[0].path: '/etc/debian' is a file of one, too",
        f"{name}/two.toml:8: when[0].env.A: one sets it to another value",
    ]


def test_circles_are_told_with_what_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, "a", "requires = ['b', 'broken', 'nowhere']\n")
    write(tmp_path, "b", "requires = ['a']\n")
    write(tmp_path, "broken", "x = 1\n[env]\nA = 'x'\n")
    with pytest.raises(InputError) as raised:
        find_recipes([str(tmp_path / "a.toml")])
    told = sorted(each.message.partition("/")[2] for each in raised.value.problems)
    assert [words.partition(": ")[0] for words in told] == ["a.toml:2", "b.toml:2", "broken.toml:2"]
    assert "a circle: a → b → a" in told[1]


def test_a_recipe_that_is_wrong_keeps_back_nothing_that_others_have(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    texts = {
        "a": "summary = 'a'\nrequires = ['b', 'c', 'gone']\nconflicts = ['e']\n[apt]\npackages = ['x;id']\n",
        "b": "summary = 'b'\nrequires = ['a']\nno-key = 1\n",
        "c": "summary = 'c'\n[env]\nPATH = '/x'\n",
        "d": "summary = \n",
        "e": "summary = 'e'\n[apt]\npackages = ['libe']\n",
    }
    for name, text in texts.items():
        (tmp_path / "recipes" / f"{name}.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        find_recipes(["a", "d", "e"], tmp_path)
    assert sorted(each.message.partition(": ")[0] for each in caught.value.problems) == [
        *("recipes/a.toml:2", "recipes/a.toml:3", "recipes/a.toml:5", "recipes/b.toml:2", "recipes/b.toml:3"),
        *("recipes/c.toml:3", "recipes/d.toml:1"),
    ]


def test_no_apt_no_packages(tmp_path: Path) -> None:
    alpine = Distribution.of("ID=alpine\nVERSION_ID=3.20\n", AMD64)
    with pytest.raises(InvalidConfig, match=r"takes packages by apt, which alpine 3\.20"):
        fit([read_recipe(write(tmp_path, "a", "[apt]\npackages = ['hello']\n"))], alpine)
    assert fit([read_recipe(write(tmp_path, "b", "[env]\nA = 'x'\n"))], alpine)


@pytest.mark.parametrize("name", sorted(provided()))
def test_those_that_come_with_imagekit_compose(name: str) -> None:
    found = find_recipes([name])
    assert found[-1].name == name
    assert all(each.is_provided for each in found)
