"""Which mirror a base's packages come from."""

from __future__ import annotations

import pytest

from imagekit.errors import BaseBuildFailed
from imagekit.stages.debian_lock import mirrors_in, repositories_for
from imagekit.stages.declared import base_declaration

PRINTED = """\
'https://third.example.com/linux/debian/dists/bookworm/InRelease' third_InRelease 0
'https://mirror.example.com/debian/dists/bookworm/InRelease' a_InRelease 0
'https://mirror.example.com/debian/dists/bookworm-updates/InRelease' b_InRelease 0
'https://mirror.example.com/debian-security/dists/bookworm-security/InRelease' c_InRelease 0
'https://mirror.example.com/debian/dists/bookworm/main/binary-amd64/Packages.xz' a_Packages 0
"""


def test_a_third_party_suite_of_the_same_name_is_not_taken_for_debian() -> None:
    assert mirrors_in(PRINTED)["bookworm"] == "https://mirror.example.com/debian"


def test_each_declared_suite_has_its_mirror() -> None:
    found = repositories_for(base_declaration("3.11"), mirrors_in(PRINTED))
    assert [(r.suite, r.uri.rpartition("/")[2]) for r in found] == [
        ("bookworm", "debian"),
        ("bookworm-updates", "debian"),
        ("bookworm-security", "debian-security"),
    ]


def test_a_host_of_another_release_uses_its_own_mirror() -> None:
    found = repositories_for(base_declaration("3.11"), mirrors_in(PRINTED.replace("bookworm", "trixie")))
    assert [r.uri.rpartition("/")[2] for r in found] == ["debian", "debian", "debian-security"]


def test_no_mirror_is_an_error() -> None:
    with pytest.raises(BaseBuildFailed, match="no Debian mirror"):
        repositories_for(base_declaration("3.11"), {})
