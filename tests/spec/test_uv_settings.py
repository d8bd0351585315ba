"""Which of uv's tables count for a project: its own, its workspace root's, a ``uv.toml``, ``[tool.uv.pip]``."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec

A, B, C = (f"https://{name}.example.com/simple" for name in "abc")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def member(name: str, dependencies: str = '"six"', more: str = "") -> str:
    return f'[project]\nname = "{name}"\nversion = "1"\ndependencies = [{dependencies}]\n{more}'


def pins(spec: ImageSpec) -> list[tuple[str, str, str]]:
    urls = {index.name: index.url for index in spec.indexes.named}
    return [(pin.package, urls[pin.index], pin.marker) for pin in spec.indexes.pins]


# A member of a workspace, without a lock

ROOT = (
    '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv]\nconstraint-dependencies = ["six<2"]\n'
    'override-dependencies = ["idna==3"]\nexclude-newer = "2026-01-31"\nprerelease = "allow"\n'
    f'[[tool.uv.index]]\nname = "corp"\nurl = "{A}"\n[[tool.uv.index]]\nname = "torch"\nurl = "{B}"\nexplicit = true\n'
    '[tool.uv.sources]\nsix = { index = "torch" }\nattrs = { index = "torch" }\n'
)


def test_a_member_has_its_root_s_settings(tmp_path: Path) -> None:
    root = write(tmp_path, {"pyproject.toml": ROOT, "libs/cart/pyproject.toml": member("cart")})
    spec = read_spec(root / "libs/cart")
    assert spec.indexes.extra == (A,)
    assert [line.text for line in spec.constraints] == ["six<2"]
    assert [line.text for line in spec.overrides] == ["idna==3"]
    assert spec.constraints[0].origin == "../../pyproject.toml:4"
    assert (spec.exclude_newer, spec.prereleases) == ("2026-01-31", True)
    assert pins(spec) == [("six", B, ""), ("attrs", B, "")]


def test_of_a_member_its_sources_and_its_names_of_indexes_count(tmp_path: Path) -> None:
    own = (
        f'[tool.uv.sources]\nsix = {{ index = "own" }}\n[[tool.uv.index]]\nname = "own"\nurl = "{C}"\n'
        '[tool.uv]\nconstraint-dependencies = ["six<1"]\nindex-url = "https://no.example.com/simple"\n'
    )
    root = write(tmp_path, {"pyproject.toml": ROOT, "libs/cart/pyproject.toml": member("cart", more=own)})
    spec = read_spec(root / "libs/cart")
    assert pins(spec) == [("six", C, ""), ("attrs", B, "")]
    assert (spec.indexes.extra, spec.indexes.default) == ((A,), None)
    assert [line.text for line in spec.constraints] == ["six<2"]


def test_what_a_member_or_a_project_at_a_path_pins_is_pinned(tmp_path: Path) -> None:
    """Its wheel names its requirements alone: from anywhere."""
    explicit = f'[[tool.uv.index]]\nname = "corp"\nurl = "{A}"\nexplicit = true\n'
    shop = '[tool.uv.sources]\ncart = { path = "cart" }\n'
    cart = '[tool.uv.sources]\nacme = { index = "corp" }\nfast = { index = "corp", extra = "fast" }\n' + explicit
    files = {
        "pyproject.toml": member("shop", '"cart"', shop),
        "cart/pyproject.toml": member("cart", '"acme"', cart),
    }
    root = write(tmp_path, files)
    assert pins(read_spec(root)) == [("acme", A, "")]
    write(root, {"pyproject.toml": member("shop", '"cart[fast]"', shop)})
    assert pins(read_spec(root)) == [("acme", A, ""), ("fast", A, "")]
    other = f'acme = {{ index = "corp" }}\n[[tool.uv.index]]\nname = "corp"\nurl = "{B}"\nexplicit = true\n'
    write(root, {"pyproject.toml": member("shop", '"cart"', shop + other)})
    with pytest.raises(InputError, match=r"cart/pyproject\.toml:6: two indexes are called 'corp'"):
        read_spec(root)


def test_a_member_s_index_of_a_name_that_its_root_has_too(tmp_path: Path) -> None:
    own = f'[tool.uv.sources]\nsix = {{ index = "corp" }}\n[[tool.uv.index]]\nname = "corp"\nurl = "{C}"\n'
    root = write(tmp_path, {"pyproject.toml": ROOT, "libs/cart/pyproject.toml": member("cart", more=own)})
    named = read_spec(root / "libs/cart").indexes.named
    assert next(index.url for index in named if index.name == "corp") == C


def test_an_old_project_has_the_settings_too(tmp_path: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='old')\n"
    write(tmp_path, {"setup.py": setup, "uv.toml": f'index-url = "{A}"\n'})
    spec = read_spec(tmp_path)
    assert (len(spec.requirements), spec.indexes.default) == (1, A)


# Sources that depend on an extra or a group

TORCH = (
    '[project.optional-dependencies]\ncpu = ["torch"]\ngpu = ["torch"]\nall = ["shop[cpu]"]\n'
    '[dependency-groups]\ndev = ["torch"]\n'
    '[tool.uv.sources]\ntorch = [{ index = "cpu", extra = "cpu" }, { index = "gpu", extra = "GPU" }, '
    '{ index = "dev", group = "dev", marker = "sys_platform == \'linux\'" }]\n'
    + "".join(
        f'[[tool.uv.index]]\nname = "{n}"\nurl = "{u}"\nexplicit = true\n'
        for n, u in zip(("cpu", "gpu", "dev"), (A, B, C), strict=True)
    )
)


@pytest.mark.parametrize(
    ("options", "pinned"),
    [
        ({}, []),
        ({"extras": ["cpu"]}, [("torch", A, "")]),
        ({"extras": ["gpu"]}, [("torch", B, "")]),
        ({"extras": ["all"]}, [("torch", A, "")]),
        ({"groups": ["dev"]}, [("torch", C, 'sys_platform == "linux"')]),
    ],
)
def test_an_index_of_an_extra_or_a_group(
    tmp_path: Path, options: dict[str, list[str]], pinned: list[tuple[str, str, str]]
) -> None:
    root = write(tmp_path, {"pyproject.toml": member("shop", more=TORCH)})
    assert pins(read_spec(root, **options)) == pinned  # type: ignore[arg-type]


def test_two_indexes_for_one_package_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"pyproject.toml": member("shop", more=TORCH)})
    with pytest.raises(InputError, match=r"pyproject\.toml:12: torch comes from the index 'gpu', and from 'cpu'"):
        read_spec(root, extras=["cpu", "gpu"])


# uv.toml and [tool.uv.pip]


@pytest.mark.parametrize("place", ["project", "."])
def test_the_uv_toml_of_a_project_takes_the_place_of_tool_uv(tmp_path: Path, place: str) -> None:
    files = {
        "project/pyproject.toml": member(
            "shop", more=f'[tool.uv]\nindex-url = "{A}"\nconstraint-dependencies = ["six<2"]\n' * (place == "project")
        ),
        f"{place}/uv.toml": f'index-url = "{B}"\nfind-links = ["wheels"]\n[[index]]\nname = "c"\nurl = "{C}"\n',
    }
    spec = read_spec(write(tmp_path, files) / "project")
    assert (spec.indexes.default, spec.indexes.extra) == (B, (C,))
    assert spec.indexes.find_links == (str(tmp_path / place / "wheels"),)
    # Constraints of a project are those of its pyproject.toml.
    assert [line.text for line in spec.constraints] == ["six<2"] * (place == "project")


def test_a_uv_toml_beside_requirements(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "six\n", "uv.toml": f'[[index]]\nurl = "{A}"\ndefault = true\n'})
    assert read_spec(tmp_path).indexes.default == A


def test_what_a_uv_toml_says_and_cannot_be_honoured_is_named_by_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "six\n", "uv.toml": 'resolution = "lowest"\n[pip]\ntorch-backend = "cpu"\n'})
    with pytest.raises(InputError, match="2 problems") as caught:
        read_spec(tmp_path)
    assert [line.split(": ")[0] for line in (caught.value.details or "").splitlines()] == ["uv.toml:3", "uv.toml:1"]


def test_the_pip_section_goes_before_the_rest(tmp_path: Path) -> None:
    text = (
        f'[tool.uv]\nindex-url = "{A}"\nextra-index-url = ["{A}"]\nno-build-package = ["attrs"]\nprerelease = "allow"\n'
        f'[tool.uv.pip]\nindex-url = "{B}"\nextra-index-url = ["{C}"]\nno-binary = ["six"]\nonly-binary = ["idna"]\n'
        'prerelease = "if-necessary"\nindex-strategy = "unsafe-best-match"\n'
    )
    spec = read_spec(write(tmp_path, {"pyproject.toml": member("shop", more=text)}))
    assert (spec.indexes.default, spec.indexes.extra) == (B, (C, A))
    assert (spec.no_binary, spec.only_binary, spec.source_builds) == (("six",), ("attrs", "idna"), ("six",))
    assert (spec.prereleases, spec.any_index) == (False, True)


# What [tool.imagekit] says goes before


def test_our_own_word_on_pre_releases_goes_before_uv_s(tmp_path: Path) -> None:
    text = '[tool.uv]\nprerelease = "allow"\nindex-strategy = "unsafe-best-match"\n'
    root = write(tmp_path, {"pyproject.toml": member("shop", more=text), "requirements.txt": "--pre\n"})
    assert (read_spec(root).prereleases, read_spec(root).any_index) == (True, True)
    write(root, {"imagekit.toml": 'prereleases = false\nindex-strategy = "first-index"\n'})
    assert (read_spec(root).prereleases, read_spec(root).any_index) == (False, False)


def test_wheels_alone_of_packages_that_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "--only-binary six,idna\nsix\n"})
    spec = read_spec(tmp_path, source_builds=["six", "attrs"])
    assert (spec.only_binary, spec.source_builds) == (("six", "idna"), ("attrs",))
    assert read_spec(tmp_path, source_builds=True).source_builds == ("*",)
    write(tmp_path, {"requirements.txt": "--only-binary :all:\n--no-binary idna\nsix\n"})
    assert read_spec(tmp_path, source_builds=True).source_builds == ("idna",)
