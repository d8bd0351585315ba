"""Matrix files that are broken or contradict themselves: file, line and key, all of it at once, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagekit.errors import InputError
from imagekit.matrix.base_image_matrix import BaseImageMatrix
from imagekit.matrix.reading import read_matrix

HEAD = 'name = "a/b"\npython = ["3.11", "3.13"]\n'
CORE = '[[category]]\nname = "core"\nrequirements = []\n'
TAG = '[[tag]]\nname = "python{python}"\n'
ACME = '[framework]\npackage = "acme"\nversions = ["1.0"]\n'
REGISTRY = HEAD + CORE + TAG + '[base]\nsource = "registry"\nimage = "x:{python}"\n'
CONDA = HEAD + 'flavor = ["conda"]\n' + CORE + TAG + "[conda]\n"
ZEROS = "0" * 64


def read(tmp_path: Path, text: str) -> list[InputError]:
    """What is wrong with ``text``; each has a hint."""
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_matrix(tmp_path / "m.toml")
    found = list(caught.value.problems or (caught.value,))
    assert all(problem.hint for problem in found)
    return found


def core(requirement: str) -> str:
    return CORE.replace("[]", f"[{requirement!r}]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "m.toml has no name"),
        ("name = \n", "m.toml:1: Invalid value"),
        ('name = "a/b\n', "m.toml:1: Illegal character"),
        (HEAD + TAG, "m.toml: there is no category"),
        (HEAD + CORE, "m.toml: there is no tag"),
        (HEAD.replace("a/b", "a/b:1") + CORE + TAG, "m.toml:1: name: 'a/b:1' has a tag"),
        (HEAD.replace("a/b", "Acme") + CORE + TAG, "m.toml:1: name: 'Acme' is not an image reference"),
        (HEAD.replace("a/b", f"a/b@sha256:{ZEROS}") + CORE + TAG, "m.toml:1: name: 'a/b' has a digest"),
        ('name = true\npython = ["3.11"]\n' + CORE + TAG, "m.toml:1: name is not a string"),
        ('name = "a/b"\npython = [3.10]\n' + CORE + TAG, "m.toml:2: python[0] is not a string"),
        ('name = "a/b"\npython = "3.11"\n' + CORE + TAG, "m.toml:2: python is not a list of strings"),
        ('name = "a/b"\npython = []\n' + CORE + TAG, "m.toml:2: python is empty"),
        ('name = "a/b"\npython = ["3.11.2"]\n' + CORE + TAG, "m.toml:2: python: '3.11.2' is no minor version"),
        ('name = "a/b"\npython = ["3.11", "3.11"]\n' + CORE + TAG, "m.toml:2: python: '3.11' stands there twice"),
        (HEAD + 'os = ["linux"]\n' + CORE + TAG, "m.toml:3: os is not a known key"),
        (HEAD + CORE + TAG + "[flavors]\nx = 1\n", "m.toml:8: flavors is not a known key"),
        (HEAD + '[category]\nname = "core"\n' + TAG, "m.toml:3: category is not a list of tables"),
        (HEAD + CORE + 'tag = "x"\n', "m.toml:6: category[0].tag is not a known key"),
        (HEAD + CORE + CORE + TAG, "m.toml:7: category[1].name: there is a category 'core' already"),
        (HEAD + CORE + '[[tag]]\ncategory = "core"\n', "m.toml:6: tag[0] has no name"),
        (HEAD + CORE + TAG + TAG, "m.toml:9: tag[1].name: 'python{python}' stands there twice"),
        (HEAD + CORE + TAG + 'flavor = "conda"\n', "m.toml:8: tag[0].flavor: the matrix has no conda"),
        (HEAD + CORE + TAG + 'newest = "all"\n', "m.toml:8: tag[0].newest: there is no framework"),
        (HEAD + ACME + CORE + TAG + 'newest = "latest"\n', "m.toml:11: tag[0].newest: unknown newest 'latest'"),
        (HEAD + ACME + CORE + TAG + 'commit = "yes"\n', "m.toml:11: tag[0].commit is not true or false"),
        (HEAD + CORE + '[[tag]]\nname = "x"\n', "m.toml:7: tag[0].name: the tag x is of both python3.11-core and"),
        (HEAD + CORE + TAG + '[[tag]]\nname = "x"\n', "m.toml:9: tag[1].name: the tag x is of both"),
        (HEAD + CORE + f'[[tag]]\nname = "x{{python}}-{"a" * 125}"\n', "m.toml:7: tag[0].name: python3.11-core would"),
        (HEAD + CORE + '[[tag]]\nname = "x{python!r}"\n', "m.toml:7: tag[0].name: 'x{python!r}' makes no tags"),
        (HEAD + CORE + '[[tag]]\nname = "x{python"\n', "m.toml:7: tag[0].name: 'x{python': expected '}'"),
        (HEAD + ACME + CORE + '[[tag]]\nname = "{sha}"\n', "m.toml:10: tag[0].name: a release has no {sha}"),
        (HEAD + ACME + CORE + '[[tag]]\nname = "{version}"\ncommit = true\n', "m.toml:10: tag[0].name: a build of a"),
        (HEAD + CORE + TAG + "[[exclude]]\n", "m.toml:8: exclude: every cell is excluded"),
        (HEAD + CORE + TAG + '[[exclude]]\nflavor = ["conda"]\n', "m.toml:9: exclude[0].flavor: the matrix has no"),
        (HEAD + ACME + CORE + TAG + '[[exclude]]\nversions = ["1.0"]\n', "m.toml:12: exclude[0].versions: '1.0' is"),
        (HEAD + core("x=2") + TAG, "m.toml:5: category[0].requirements: 'x=2' is not a requirement"),
        (HEAD + core("-r x.txt") + TAG, "m.toml:5: category[0].requirements: '-r x.txt' is an option"),
        (HEAD + ACME + core("{framework}<3") + TAG, "m.toml:8: category[0].requirements: '{framework}<3' is no"),
        (HEAD + ACME + core("{frmework}") + TAG, "m.toml:8: category[0].requirements: unknown field 'frmework'"),
        (HEAD + CORE + 'check = "import ("\n' + TAG, "m.toml:6: category[0].check: no Python program (its line 1)"),
        (HEAD + ACME.replace("1.0", ">=1") + CORE + TAG, "m.toml:5: framework.versions: '>=1' is no version"),
        (
            HEAD + ACME.replace('"1.0"', '"1.0", "1.0.0"') + CORE + TAG,
            "m.toml:5: framework.versions: '1.0.0' and '1.0'",
        ),
        (HEAD + ACME.replace("1.0", "git+https://h/x@main") + CORE + TAG, "m.toml:5: framework.versions: 'git+https"),
        (HEAD + CORE + TAG + '[base]\nimage = "x:{python}"\n', "m.toml:8: base has no source"),
        (HEAD + CORE + TAG + '[base]\nsource = "regsitry"\n', "m.toml:9: base.source: unknown source 'regsitry'"),
        (HEAD + CORE + TAG + '[base]\nsource = "registry"\n', "m.toml:9: base.source: 'registry' needs an image"),
        (REGISTRY.replace('{python}"\n', '1"\n'), "m.toml:10: base.image: one image cannot have every Python"),
        (REGISTRY.replace("x:{python}", "oci:x-{python}"), "m.toml:10: base.image: a layout is no registry"),
        (REGISTRY.replace("x:", "X:"), "m.toml:10: base.image: 'X:3.0' is not an image reference"),
        (REGISTRY.replace('{python}"\n', f'{{python}}@sha256:{ZEROS}"\n'), "m.toml:10: base.image: 'x:{python}@sha"),
        (REGISTRY.replace("registry", "debian"), "m.toml:10: base.image: bases from Debian's packages have none"),
        (REGISTRY + f'[base.digest]\n"3.12" = "sha256:{ZEROS}"\n', "m.toml:12: base.digest.'3.12': unknown Python"),
        (REGISTRY + '[base.digest]\n"3.11" = "sha256:zz"\n', "base.digest: 'sha256:zz' is no digest"),
        (REGISTRY + 'digest = ["sha256:zz"]\n', "m.toml:11: base.digest is not a table of strings"),
        (REGISTRY.replace("registry", "local") + f'[base.digest]\n"3.11" = "sha256:{ZEROS}"\n', "base.digest: only"),
        (REGISTRY + 'variant = "build"\n', "m.toml:11: base.variant: it is of Debian's packages alone"),
        (HEAD + CORE + TAG + '[base]\nsource = "debian"\nvariant = "biuld"\n', "m.toml:10: base.variant: unknown"),
        (HEAD + 'platform = ["linux/arm"]\n' + CORE + TAG, "m.toml:3: platform: unknown platform 'linux/arm'"),
        (HEAD + 'platform = "linux/arm64"\n' + CORE + TAG, "m.toml:3: platform is not a list of strings"),
        (HEAD + CORE + TAG + '[conda]\nchannels = ["x"]\n', "m.toml:8: conda: no flavor is conda"),
        (HEAD + 'flavor = ["conda"]\n' + CORE + TAG, "m.toml:3: flavor: the conda flavor has no channels"),
        (CONDA + "channels = []\n", "m.toml:10: conda.channels is empty"),
        (CONDA + 'channels = ["a b", "-x"]\n', "m.toml:10: conda.channels: '-x' is no channel"),
        (CONDA + 'channels = ["x"]\npackages = ["", "a >>"]\n', "m.toml:11: conda.packages: '' is no conda package"),
        (CONDA + 'channels = ["x"]\npackages = ["Python >3"]\n', "m.toml:11: conda.packages: 'Python >3': each cell"),
        (HEAD + CORE + TAG + "[[exclude]]\ncategory = []\n", "m.toml:9: exclude[0].category is empty"),
        (HEAD + CORE + 'check = "return"\n' + TAG, "m.toml:6: category[0].check: of python3.11-core it is no Python"),
        (
            HEAD + ACME.replace("1.0", "1.0.0") + CORE + "check = '{version}'\n" + TAG,
            "m.toml:9: category[0].check: of 1.0.0-python3.11-core",
        ),
    ],
)
def test_odd_files(tmp_path: Path, text: str, expected: str) -> None:
    told = [problem.message for problem in read(tmp_path, text)]
    assert any(expected in message for message in told), told


def test_no_credential_is_shown(tmp_path: Path) -> None:
    for text in (
        HEAD + core("x @ https://floor:canary-2718@example.com/x-1-py3-none-any.whl") + TAG,
        HEAD + ACME.replace("1.0", f"git+https://floor:canary-2718@example.com/x@{'0' * 40}") + CORE + TAG,
        CONDA + 'channels = ["https://floor:canary-2718@example.com/x"]\n',
    ):
        assert "canary-2718" not in "".join(problem.message + str(problem.hint) for problem in read(tmp_path, text))


def test_all_of_it_at_once(tmp_path: Path) -> None:
    text = HEAD + 'default-python = "3.12"\n' + CORE + TAG + 'category = "full"\n[[exclude]]\npython = ["3.9"]\n'
    told = [problem.message for problem in read(tmp_path, text + '[base]\nsource = "local"\n')]
    assert [message.partition(": ")[0] for message in told] == ["m.toml:3", "m.toml:9", "m.toml:11", "m.toml:13"]


RIGHT = """\
name = "a/b"
python = ["3.11", "3.13"]
default-python = "3.13"
flavor = ["standard"]
[base]
source = "registry"
image = "x:{python}"
[framework]
package = "acme"
versions = ["1.0", "2.0"]
[[category]]
name = "core"
requirements = ["{framework}"]
[[category]]
name = "full"
requirements = ["{framework}", "requests"]
[[exclude]]
category = ["full"]
versions = ["<2"]
[[exclude]]
python = ["3.13"]
versions = ["<2"]
[[tag]]
name = "{version}-python{python}"
category = "full"
[[tag]]
name = "core-{version}-python{python}"
category = "core"
""".splitlines()
# A line of it that is wrong, by itself or beside another that stays as it is; each shows whichever the others are.
FAULTS = {
    1: 'name = "A/B"',
    3: 'default-python = "3.12"',
    6: 'source = "local"',
    9: 'package = "a b"',
    13: 'requirements = ["{framwork}"]',
    19: 'versions = ["2"]',
    21: 'python = ["3.14"]',
    25: 'flavor = "conda"',
    27: 'name = "core-{sha}"',
}


@given(st.sets(st.sampled_from(sorted(FAULTS))))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_fault_is_told_and_nothing_else(tmp_path: Path, wrong: set[int]) -> None:
    lines = [FAULTS[n] if n in wrong else line for n, line in enumerate(RIGHT, 1)]
    # A digest is of registries alone.
    text = "\n".join([*lines, "[base.digest]", f'"3.11" = "sha256:{ZEROS}"', ""])
    if not wrong:
        (tmp_path / "m.toml").write_text(text)
        assert read_matrix(tmp_path / "m.toml").name == "a/b"
        return
    told = [int(problem.message.split(":")[1]) for problem in read(tmp_path, text)]
    assert told == sorted({*wrong, 29} - {6} if 6 in wrong else wrong)


def test_what_there_is_none_of_is_told_beside_all_else(tmp_path: Path) -> None:
    """Neither a base nor an axis keeps back that there is no category, nor that a tag is of two cells."""
    base = '[base]\nsource = "registry"\n'
    told = [problem.message for problem in read(tmp_path, HEAD + 'default-python = "3.12"\n' + base)]
    assert [message.partition(",")[0] for message in told] == [
        "m.toml: there is no category",
        "m.toml: there is no tag",
        "m.toml:3: default-python: '3.12' is none of python",
        "m.toml:5: base.source: 'registry' needs an image",
    ]
    told = [problem.message for problem in read(tmp_path, HEAD + CORE + '[[tag]]\nname = "x"\n' + base)]
    assert [message.partition(": ")[0] for message in told] == ["m.toml:7", "m.toml:9"]


def test_of_broken_lists_the_rest_is_told_where_it_stands(tmp_path: Path) -> None:
    text = (
        HEAD + CORE + '[[tag]]\nname = "{pyton}"\n[[tag]]\nname = "x"\ncategory = "cor"\n[[tag]]\nname = "{version}"\n'
    )
    told = [problem.message.partition(": ")[0] for problem in read(tmp_path, text)]
    assert told == ["m.toml:7", "m.toml:10", "m.toml:12"]


@pytest.mark.parametrize(
    ("more", "expected", "hint"),
    [
        (
            ACME + '[[exclude]]\nversions = [">=2"]\n',
            "m.toml:11: exclude[0]: it fits no cell, and so excludes nothing",
            "correct its keys",
        ),
        (
            '[[exclude]]\npython = ["3.11"]\n[[tag]]\nname = "old"\npython = "3.11"\n',
            "m.toml:11: tag[1].name: no cell gets the tag 'old': all that it fits are excluded",
            "[[exclude]]",
        ),
        (
            '[base]\nsource = "registry"\nimage = "x:{python}"\n[base.digest]\n3.11 = "y"\n3.13 = "y"\n',
            "m.toml:12: base.digest.3 is not a string",
            'in quotes: "3.11", "3.13" = …',
        ),
    ],
)
def test_what_fits_no_cell_and_keys_without_quotes(tmp_path: Path, more: str, expected: str, hint: str) -> None:
    (problem,) = read(tmp_path, HEAD + CORE + TAG + more)
    assert problem.message == expected
    assert hint in (problem.hint or "")


def test_a_tag_for_commits_waits_for_the_first_of_them(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(HEAD + CORE + TAG + ACME + '[[tag]]\nname = "sha-{sha}"\ncommit = true\n')
    assert len(read_matrix(tmp_path / "m.toml").tag) == 2


@pytest.mark.parametrize(
    ("select", "message", "hint"),
    [
        ([""], "no cell of m.toml is called ''", "without --select all are taken"),
        (["*-python3.9*"], "no cell of m.toml is called '*-python3.9*'", "a pattern fits a whole name"),
        ("python3.11-cor", "no cell of m.toml is called 'python3.11-cor'", "did you mean 'python3.11-core'?"),
        (
            "python3.13-f*",
            "no cell of m.toml is called 'python3.13-f*' but what it excludes: too new; excluded by the matrix",
            "change its [[exclude]]",
        ),
    ],
)
def test_a_selection_that_fits_nothing(tmp_path: Path, select: list[str] | str, message: str, hint: str) -> None:
    more = "".join(CORE.replace("core", name) for name in ("fine", "full")) + "".join(
        f'[[exclude]]\npython = ["3.13"]\ncategory = ["{name}"]\n{reason}'
        for name, reason in (("fine", 'reason = "too new"\n'), ("full", ""))
    )
    (tmp_path / "m.toml").write_text(HEAD + CORE + TAG.replace('"\n', '-{category}"\n') + more)
    matrix = BaseImageMatrix.load(tmp_path / "m.toml")
    with pytest.raises(InputError) as caught:
        matrix.bake(tmp_path / "out", select=select)
    # Nothing was begun.
    assert not (tmp_path / "out").exists()
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")
