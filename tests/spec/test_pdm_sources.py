"""PDM's sources: which are asked, for which packages, and what of them cannot be honoured."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec

A, B = (f"https://{name}.example.com/simple" for name in "ab")


def read(root: Path, text: str) -> ImageSpec:
    table = '[project]\nname = "orders"\nversion = "1"\ndependencies = ["six"]\n'
    (root / "pyproject.toml").write_text(table + text)
    return read_spec(root)


def test_sources_are_asked_before_the_default(tmp_path: Path) -> None:
    text = (
        f'[[tool.pdm.source]]\nname = "corp"\nurl = "{A}"\ninclude_packages = ["Acme_Core"]\n'
        f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{B}"\nverify_ssl = true\n'
        '[[tool.pdm.source]]\nname = "local"\nurl = "file:///${PROJECT_ROOT}/wheels"\ntype = "find_links"\n'
    )
    found = read(tmp_path, text).indexes
    assert (found.extra, found.default) == ((A,), B)
    assert found.find_links == (str(tmp_path / "wheels"),)
    assert [(pin.package, pin.index) for pin in found.pins] == [("acme-core", "corp")]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("verify_ssl = false", "verify_ssl = false is not honoured"),
        ('username = "me"', "the username of a source"),
        ('include_packages = ["acme-*"]', "'acme-\\*' is a pattern"),
        ('exclude_packages = ["acme"]', "exclude_packages is not honoured"),
        ("include_packages = 3", r"tool\.pdm\.source\[0\]\.include_packages is not a list of strings"),
    ],
)
def test_what_cannot_be_honoured_is_named_by_its_line(tmp_path: Path, key: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"^pyproject\.toml:8: {words}"):
        read(tmp_path, f'[[tool.pdm.source]]\nname = "corp"\nurl = "{A}"\n{key}\n')


def test_a_login_in_a_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    for url in ("https://me:canary-31415@example.com/simple", "https://${USER}:${WORD}@example.com/simple"):
        with pytest.raises(InputError, match=r"^pyproject\.toml:[57]: ") as caught:
            read(tmp_path, f'[[tool.pdm.source]]\nname = "corp"\nurl = "{url}"\n')
        assert "canary" not in str(caught.value.to_json())
