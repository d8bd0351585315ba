"""Cells and their tags: the provided matrix has the scheme of Prefect's own images."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.matrix.cells import expand, program, requirements
from imagekit.matrix.declared import MatrixTable
from imagekit.matrix.default_image import default_image
from imagekit.matrix.reading import read_matrix
from imagekit.matrix.tags import rivals, tags_of

PROVIDED = Path(__file__).parents[2] / "base-images" / "prefect.toml"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def matrix(tmp_path: Path, text: str) -> MatrixTable:
    (tmp_path / "matrix.toml").write_text(text)
    return read_matrix(tmp_path / "matrix.toml")


def tagged(table: MatrixTable) -> dict[str, tuple[str, ...]]:
    cells, _ = expand(table)
    return {cell.label: tags for cell, tags in tags_of(table, cells).items()}


def test_the_provided_matrix() -> None:
    found = tagged(read_matrix(PROVIDED))
    assert found["3.8.8-python3.13-full"] == (
        *("3.8.8-python3.13", "3.8.8", "3.8-python3.13", "3-python3.13", "3-latest", "latest-python3.13", "latest"),
    )
    assert found["3.8.8-python3.11-full"] == ("3.8.8-python3.11", "3.8-python3.11", "3-python3.11", "latest-python3.11")
    assert found["2.20.25-python3.13-full"] == (
        *("2.20.25-python3.13", "2.20.25", "2.20-python3.13", "2-python3.13", "2-latest"),
    )
    assert found["3.8.8-python3.13-conda-full"] == (
        *("3.8.8-python3.13-conda", "3.8-python3.13-conda", "3-python3.13-conda", "3-latest-conda"),
    )
    assert found["3.8.8-python3.13-core"] == ("core-3.8.8-python3.13", "core-3.8.8", "core")
    assert found["3.8.8-python3.9-core"] == ("core-3.8.8-python3.9",)
    assert "3.8.8-python3.13-conda-core" not in found


def test_the_provided_matrix_of_a_commit(tmp_path: Path) -> None:
    """``sha-SHA-…`` and ``master`` are of whoever adds a commit to its versions."""
    text = PROVIDED.read_text()
    table = matrix(tmp_path, text.replace('"3.8.8"]', f'"3.8.8", "git+https://example.com/prefect@{COMMIT}"]'))
    found = {label: tags for label, tags in tagged(table).items() if label.startswith(COMMIT[:7])}
    assert found == {
        **{f"0123456-python{python}-core": () for python in table.python},
        **{f"0123456-python{python}-full": (f"sha-0123456-python{python}",) for python in table.python},
        **{f"0123456-python{python}-conda-full": (f"sha-0123456-python{python}-conda",) for python in table.python},
        "0123456-python3.13-full": ("sha-0123456-python3.13", "master"),
    }
    # What moves with releases stays with them.
    assert tagged(table)["3.8.8-python3.13-full"][-1] == "latest"


SMALL = """
name = "acme/flows"
python = ["3.11", "3.13"]
[framework]
package = "Acme_Flows"
versions = {versions}
[[category]]
name = "core"
requirements = ["{{framework}}", "{{framework}}[aws]"]
[[tag]]
name = "{{version}}-python{{python}}"
[[tag]]
name = "{{minor}}-python{{python}}"
newest = "minor"
[[tag]]
name = "latest"
newest = "all"
python = "default"
[[tag]]
name = "sha-{{sha}}-python{{python}}"
commit = true
"""


def small(tmp_path: Path, *versions: str) -> MatrixTable:
    return matrix(tmp_path, SMALL.format(versions=list(versions)))


def test_a_pre_release_is_the_newest_only_of_its_own(tmp_path: Path) -> None:
    found = tagged(small(tmp_path, "1.0.0", "1.1.0rc1", "1.0.2", "2.0.0b1"))
    assert found["1.0.2-python3.13-core"] == ("1.0.2-python3.13", "1.0-python3.13", "latest")
    assert found["1.0.0-python3.13-core"] == ("1.0.0-python3.13",)
    assert found["1.1.0rc1-python3.13-core"] == ("1.1.0rc1-python3.13", "1.1-python3.13")


def test_a_moving_tag_is_of_those_cells_that_can_be_had(tmp_path: Path) -> None:
    table = small(tmp_path, "1.0", "2.0")
    cells, _ = expand(table)
    can_be_had = [cell for cell in cells if cell.label != "2.0-python3.13-core"]
    tags = {cell.label: tags for cell, tags in tags_of(table, can_be_had).items()}
    assert "latest" in tags["1.0-python3.13-core"]


def test_a_local_version_and_a_commit(tmp_path: Path) -> None:
    table = small(tmp_path, "1.0+acme.2", f"git+https://example.com/acme@{COMMIT}")
    found = tagged(table)
    assert found["1.0+acme.2-python3.11-core"] == ("1.0_acme.2-python3.11", "1.0-python3.11")
    assert found["0123456-python3.11-core"] == ("sha-0123456-python3.11",)
    cells, _ = expand(table)
    assert requirements(table, cells[0]) == ("acme-flows==1.0+acme.2", "acme-flows[aws]==1.0+acme.2")
    assert requirements(table, cells[-1])[0] == f"acme-flows @ git+https://example.com/acme@{COMMIT}"


def test_excluded_with_the_reason(tmp_path: Path) -> None:
    rule = '[[exclude]]\npython = ["3.11"]\nversions = ["<2", "==2.1"]\nreason = "too old"\n'
    table = matrix(tmp_path, SMALL.format(versions=["1.0", "2.0", "2.1"]) + rule)
    cells, excluded = expand(table)
    assert [(each.cell.label, each.reason) for each in excluded] == [
        ("1.0-python3.11-core", "too old"),
        ("2.1-python3.11-core", "too old"),
    ]
    assert len(cells) == 4


def test_one_tag_for_two_cells(tmp_path: Path) -> None:
    words = r"matrix.toml:23: tag\[4\].name: the tag stable is of both 1.0-python3.11-core and 1.0-python3.13-core"
    with pytest.raises(InputError, match=words):
        matrix(tmp_path, SMALL.format(versions=["1.0"]) + '[[tag]]\nname = "stable"\n')


def test_who_else_would_have_a_moving_tag(tmp_path: Path) -> None:
    table = small(tmp_path, "1.0", "2.0", "2.1")
    cells, _ = expand(table)
    by_label = {cell.label: cell for cell in cells}

    def found(selected: str, *not_to_be_had: str) -> list[str]:
        possible = [cell for cell in cells if cell.label not in not_to_be_had]
        return [cell.label for cell in rivals(table, possible, [by_label[selected]])]

    assert found("2.1-python3.13-core") == []
    assert found("2.0-python3.13-core") == ["2.1-python3.13-core"]
    assert found("2.0-python3.13-core", "2.1-python3.13-core") == []
    # latest is the default Python's alone, and 1.0 the newest of its minor version.
    assert found("1.0-python3.11-core") == []
    assert found("1.0-python3.13-core", "2.1-python3.13-core") == ["2.0-python3.13-core"]


def test_an_epoch_and_a_marker(tmp_path: Path) -> None:
    text = SMALL.format(versions=["1!2.0", f"git+https://example.com/acme@{COMMIT}"])
    table = matrix(tmp_path, text.replace('"{framework}[aws]"', "\"{framework}[aws]; python_version > '3'\""))
    cells, _ = expand(table)
    assert tagged(table)["1!2.0-python3.11-core"] == ("1_2.0-python3.11", "2.0-python3.11")
    assert requirements(table, cells[0])[1] == "acme-flows[aws]==1!2.0; python_version > '3'"
    assert requirements(table, cells[-1])[1].endswith(f"@{COMMIT} ; python_version > '3'")


def test_the_program_that_an_image_must_run(tmp_path: Path) -> None:
    table = read_matrix(PROVIDED)
    for cell in expand(table)[0]:
        text = program(table, cell)
        assert compile(text, "check", "exec")
        assert f"== {cell.python!r}" in text
        assert cell.release is not None
        assert f"assert found == {cell.release.version!r}" in text


BAD = """
name = "acme/flows:1"
python = ["3.11", "3.11", "py3"]
default-python = "3.12"
flavor = ["conda", "mamba"]
platform = ["linux/vax"]
[framework]
package = "acme flows"
versions = ["new", "git+https://example.com/acme@main"]
[[category]]
name = "core"
requirements = ["x=2"]
[[tag]]
name = "{versoin}"
newest = "patch"
[[tag]]
name = "a b"
"""


def test_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        matrix(tmp_path, BAD)
    told = [problem.message for problem in caught.value.problems]
    lines = [2, 3, 3, 5, 6, 8, 9, 9, 12, 14, 15, 17]
    for line in lines:
        assert any(message.startswith(f"matrix.toml:{line}:") for message in told), (line, told)
    assert any("unknown field 'versoin'" in message for message in told)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('name = "a"\npython = ["3.11"]\ndefault-python = "3.12"\n', 3, "none of python"),
        ('name = "a"\npython = ["3.11"]\nflavor = ["conda"]\n', 3, "no channels"),
        ('name = "a"\npython = ["3.11"]\n[[tag]]\nname = "{version}"\n', 4, "no framework"),
        ('name = "a"\npython = ["3.11"]\n[[tag]]\nname = "a"\ncategory = "core"\n', 5, "unknown category 'core'"),
        ('name = "a"\npython = ["3.11"]\n[[exclude]]\npython = ["3.9"]\n', 4, "unknown Python '3.9'"),
        ('name = "a"\npython = ["3.11"]\n[[category]]\nname = "a"\nrequirements = ["{framework}"]\n', 5, "framework"),
        ('name = "a"\nname = "b"\n', 2, "Cannot overwrite"),
        ('name = "a"\npyhton = ["3.11"]\n', 2, "is not a known key"),
        ('python = ["3.11"]\n', None, "has no name"),
        ('name = "a"\npython = ["3.11"]\nframework = "prefect"\n', 3, "is not a table"),
        ('name = "a"\npython = ["3.11"]\n[framework]\npackage = "a"\n', 3, "has no versions"),
    ],
)
def test_what_contradicts(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        matrix(tmp_path, text)
    told = [problem.message for problem in caught.value.problems or (caught.value,)]
    where = f"matrix.toml:{line}:" if line else "matrix.toml "
    assert any(message.startswith(where) and words in message for message in told), told


@pytest.mark.parametrize(
    ("version", "python", "flavor", "expected"),
    [
        ("3.8.8", "3.11.2", "standard", "imagekit/prefect:3.8.8-python3.11"),
        ("3.8.8", "3.11", "conda", "imagekit/prefect:3.8.8-python3.11-conda"),
        ("3.9.0rc1", "3.13", "standard", "imagekit/prefect:3.9.0rc1-python3.13"),
        ("3.8.8+acme.1", "3.13", "standard", "imagekit/prefect:3.8.8_acme.1-python3.13"),
        ("3.8.8+4.gabc1234.dirty", "3.13", "standard", "imagekit/prefect:sha-abc1234-python3.13"),
        ("2.0a7", "3.8", "standard", "imagekit/prefect:2.0a7-python3.8"),
        ("3.0.0.dev4", "3.14.0rc1", "standard", "imagekit/prefect:3.0.0.dev4-python3.14"),
        ("3.8.8.post1", "3.11.2+", "standard", "imagekit/prefect:3.8.8.post1-python3.11"),
        ("1!3.8", "3.11.2 (main, Apr 28 2025)", "standard", "imagekit/prefect:1_3.8-python3.11"),
        (
            "3.8.8+g0123456789abcdef0123456789abcdef01234567",
            "3.9",
            "conda",
            "imagekit/prefect:sha-0123456-python3.9-conda",
        ),
        ("v3.8.8-RC.1", "3.11", "standard", "imagekit/prefect:3.8.8rc1-python3.11"),
    ],
)
def test_the_image_that_fits(version: str, python: str, flavor: str, expected: str) -> None:
    assert default_image(version, python, flavor) == expected


@pytest.mark.parametrize(
    "words",
    [
        ("new", "3.11"),
        ("3.8.8", "py"),
        ("3.8.8", "3"),
        ("3.8.8", "3.111"),
        ("3.8.8", "3.11", "condo"),
        (f"3.8.8+{'a' * 120}", "3.11"),
    ],
)
def test_no_image_fits(words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        default_image(*words)
    assert caught.value.hint


def test_images_of_another_name() -> None:
    assert default_image("1.0", "3.11", name="registry.example.com/a/b") == "registry.example.com/a/b:1.0-python3.11"
    with pytest.raises(InputError, match="has a tag"):
        default_image("1.0", "3.11", name="a/b:1")
