"""Packages and licences out of records."""

from __future__ import annotations

import json

import pytest

from imagekit.attest.dependencies import needed
from imagekit.attest.licences import Licence, licence_of
from imagekit.attest.packages import Distro, Origin, PythonPackage, packages_of
from imagekit.oci.platform import Platform

from .layers import metadata

SITE = "usr/local/lib/python3.11/site-packages"
STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9
Description: GNU C Library
 its shared libraries
 .
 and more

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: bash
Status: install ok installed
Architecture: amd64
Source: bash (5.2.15-2)
Version: 5.2.15-2+b13
"""


def test_what_dpkg_has_installed() -> None:
    found = packages_of({"var/lib/dpkg/status": STATUS, "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n'})
    assert [(p.name, p.version, p.architecture, p.source, p.source_version) for p in found.system] == [
        ("bash", "5.2.15-2+b13", "amd64", "bash", "5.2.15-2"),
        ("libc6", "2.36-9", "amd64", "glibc", "2.36-9"),
    ]
    assert found.distro == Distro(id="debian", version="12", name="")


def test_distroless_images_have_a_file_for_each_package() -> None:
    paragraph = "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"
    (found,) = packages_of({"var/lib/dpkg/status.d/tzdata": paragraph}).system
    assert (found.name, found.version) == ("tzdata", "2024a")


def package(*lines: str, direct_url: object = None) -> PythonPackage:
    place = f"{SITE}/Some.Name-1.0.dist-info"
    records = {f"{place}/METADATA": metadata("Some.Name", "1.0", *lines)}
    if direct_url is not None:
        records[f"{place}/direct_url.json"] = json.dumps(direct_url)
    (found,) = packages_of(records).python
    return found


def test_a_distribution() -> None:
    found = package("Summary: Some words", "Home-page: https://example.com", "Requires-Dist: rich>=13")
    assert (found.name, found.version) == ("some-name", "1.0")
    assert found.location == f"/{SITE}/Some.Name-1.0.dist-info"
    assert (found.summary, found.homepage, found.requires) == ("Some words", "https://example.com", ("rich>=13",))
    assert found.origin is None


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        (
            {"url": "https://u:pw@example.com/r.git", "vcs_info": {"vcs": "git", "commit_id": "a" * 40}},
            Origin(url="https://example.com/r.git", vcs="git", commit="a" * 40),
        ),
        (
            {"url": "https://example.com/x.whl?token=s3cret", "archive_info": {}},
            Origin(url="https://example.com/x.whl"),
        ),
        ({"url": "file:///home/me/x", "dir_info": {}}, None),
        ({"url": 3}, None),
        ([], None),
        ({}, None),
    ],
)
def test_where_it_came_from_tells_no_credential_and_no_path(said: object, origin: Origin | None) -> None:
    assert package(direct_url=said).origin == origin


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0"], Licence(expression="MIT OR Apache-2.0")),
        (["License-Expression: mit"], Licence(expression="MIT")),
        (["License-Expression: LicenseRef-Ours"], Licence(name="LicenseRef-Ours")),
        (["License: BSD-3-Clause"], Licence(expression="BSD-3-Clause")),
        (["License: GPL"], Licence(name="GPL")),
        (["License: MIT OR GPL"], Licence(name="MIT OR GPL")),
        (["License: GPL 2.0"], Licence(name="GPL 2.0")),
        (["License: BSD-2"], Licence(name="BSD-2")),
        (["License: GPL-2.0"], Licence(expression="GPL-2.0-only")),
        (["License: (LGPL-2.1+ or MIT)"], Licence(expression="LGPL-2.1-or-later OR MIT")),
        (["License: LicenseRef-AGPL"], Licence(name="LicenseRef-AGPL")),
        (
            ["License: GPL", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
            Licence(expression="GPL-3.0-only"),
        ),
        (["License: BSD", "Classifier: License :: OSI Approved :: BSD License"], Licence(name="BSD")),
        (["Classifier: License :: OSI Approved :: MIT License"], Licence(expression="MIT")),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: BSD License"], Licence(name="BSD License")),
        (
            ["License: Apache-2.0", "Classifier: License :: OSI Approved :: MIT License"],
            Licence(expression="Apache-2.0"),
        ),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: zlib/libpng License",
            ],
            Licence(name="MIT License and zlib/libpng License"),
        ),
        (["License: Permission is hereby", "  granted, free of charge"], Licence()),
        ([], Licence()),
    ],
)
def test_licences_are_what_is_sure(lines: list[str], licence: Licence) -> None:
    assert licence_of(package(*lines)) == licence


def test_who_needs_whom_by_the_image_s_own_markers() -> None:
    def info(name: str, *lines: str, place: str = SITE) -> tuple[str, str]:
        return f"{place}/{name}-1.0.dist-info/METADATA", metadata(name, "1.0", *lines)

    records = dict(
        [
            info("a", "Requires-Dist: b", "Requires-Dist: c; python_version < '3.9'", "Requires-Dist: d; extra == 'x'"),
            info("b", "Requires-Dist: e", "Requires-Dist: not a requirement"),
            info("c"),
            info("d"),
            info("e", place="opt/venv/lib/python3.11/site-packages"),
        ]
    )
    found = packages_of(records).python
    by_name = {p.location: p.name for p in found}
    edges = needed(found, "3.11.2", Platform())
    assert {by_name[p]: [by_name[q] for q in to] for p, to in edges.items()} == {
        "a": ["b"],
        # What it needs is in another place, where it does not look.
        "b": [],
        "c": [],
        "d": [],
        "e": [],
    }
