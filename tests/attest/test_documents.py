"""Documents that are valid, the same every time, and hold what is known and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from jsonschema import Draft7Validator
from rfc3986_validator import validate_rfc3986
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from imagekit.attest import cyclonedx, provenance, spdx
from imagekit.attest.material_note import file_note
from imagekit.attest.materials import Base, File, Materials, Wheel
from imagekit.attest.packages import packages_of
from imagekit.attest.subject import Subject
from imagekit.errors import InputError
from imagekit.lock.values import Artifact, BuildTool, GitCommit
from imagekit.oci.digest import digest_of
from imagekit.oci.platform import Platform

from .layers import metadata

SITE = "opt/venv/lib/python3.11/site-packages"
OTHER = "usr/lib/python3/dist-packages"
RECORDS = {
    f"{SITE}/alpha-1.0.dist-info/METADATA": metadata(
        "alpha", "1.0", "License-Expression: MIT OR Apache-2.0", "Requires-Dist: beta", "Summary: Größe \x07 <b>"
    ),
    f"{SITE}/beta-2.0.dist-info/METADATA": metadata("beta", "2.0", "License: Our own, see LICENSE", "Home-page: x y"),
    f"{SITE}/gamma-3.dist-info/METADATA": metadata("gamma", "3", "License: ISC"),
    f"{SITE}/gamma-3.dist-info/direct_url.json": json.dumps(
        {"url": "https://u:canary@example.com/g.git", "vcs_info": {"vcs": "git", "commit_id": "b" * 40}}
    ),
    f"{SITE}/delta-4.dist-info/METADATA": metadata("delta", "4"),
    f"{SITE}/epsilon-5.dist-info/METADATA": metadata("epsilon", "5"),
    f"{SITE}/zeta-6.dist-info/METADATA": metadata("zeta", "6"),
    f"{OTHER}/alpha-1.0.egg-info": metadata("alpha", "1.0"),
    "var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n"
    "Source: glibc\nVersion: 2.36-9+deb12u1\n",
    "opt/conda/conda-meta/gdal-3.8-h1_0.json": json.dumps(
        {
            "name": "gdal",
            "version": "3.8",
            "build": "h1_0",
            "subdir": "linux-64",
            "license": "MIT",
            "channel": "https://u:canary@conda.example.com/t/canary/team/",
            "fn": "gdal-3.8-h1_0.conda",
            "sha256": "5" * 64,
            "url": "https://u:canary@conda.example.com/t/canary/team/linux-64/gdal-3.8-h1_0.conda",
        }
    ),
    "opt/conda/conda-meta/odd-1-0.json": json.dumps({"name": "odd", "version": "1", "license": "Our own"}),
    "opt/conda/conda-meta/broken.json": "{",
    "etc/os-release": "ID=debian\nVERSION_ID=12\nPRETTY_NAME='Debian GNU/Linux 12 (bookworm)'\n",
}
TOOL = BuildTool(name="flit-core", version="3.9", filename="flit_core-3.9-py3-none-any.whl", sha256="4" * 64)
MATERIALS = Materials(
    base=Base(reference="python:3.11-slim", config=digest_of(b"base"), digest=digest_of(b"base manifest")),
    python="3.11.2",
    platform="linux/amd64",
    site=f"/{SITE}",
    wheels=(
        Wheel(
            name="alpha",
            version="1.0",
            file=File(filename="alpha-1.0-py3-none-any.whl", sha256="a" * 64, url="https://example.com/alpha.whl"),
        ),
        Wheel(
            name="beta",
            version="2.0",
            file=File(filename="beta-2.0-py3-none-any.whl", sha256="b" * 64),
            source=File(filename="beta-2.0.tar.gz", sha256="c" * 64, url="https://example.com/beta.tar.gz"),
            tools=(TOOL,),
        ),
        Wheel(
            name="delta",
            version="4",
            file=File(filename="delta-4-py3-none-any.whl", sha256="e" * 64),
            source=File(filename="delta@ffff", repository="https://example.com/d.git", commit="f" * 40),
        ),
        Wheel(
            name="epsilon",
            version="5",
            file=File(filename="e-5-py3-none-any.whl", sha256="1" * 64, url="https://example.com/e.whl", by_url=True),
        ),
        Wheel(
            name="zeta",
            version="6",
            file=File(filename="zeta-6-py3-none-any.whl", sha256="2" * 64),
            source=File(filename="zeta/", sha256="3" * 64),
            tools=(TOOL,),
        ),
    ),
    lock=digest_of(b"lock"),
    lock_file="pylock.toml",
    instructions=digest_of(b"instructions"),
    source=digest_of(b"source"),
    files={"/etc/settings.yml": digest_of(b"settings")},
    repository="https://example.com/orders.git",
    commit="d" * 40,
    state="clean",
    parameters=("env:TOKEN", "label:team"),
)
SUBJECT = Subject(
    name="registry.example.com/team/orders",
    config=digest_of(b"config"),
    manifest=digest_of(b"manifest"),
    platform=Platform(),
    created=None,
    python="3.11.2",
    packages=packages_of(RECORDS),
    materials=MATERIALS,
)
BARE = replace(SUBJECT, manifest=None, materials=None, python="", created="2024-02-03T04:05:06.123456789Z")
EMPTY = replace(SUBJECT, packages=packages_of({}), materials=None)


@Draft7Validator.FORMAT_CHECKER.checks("iri-reference")
def is_reference(value: object) -> bool:
    """In our documents all are ASCII, and so references by RFC 3986 as well."""
    return not isinstance(value, str) or (validate_rfc3986(value, "URI_reference") is not None and "\n" not in value)


@pytest.mark.parametrize(
    ("place", "odd", "words"),
    [
        (("metadata", "timestamp"), "yesterday", "'yesterday' is not a 'date-time'"),
        (("externalReferences",), [{"type": "website", "url": "not one"}], "'not one' is not valid under any"),
    ],
)
def test_formats_that_its_schema_names_count(place: tuple[str, ...], odd: Any, words: str) -> None:
    document = json.loads(cyclonedx.document_of(SUBJECT))
    within = document
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = odd
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert words in str(found)


@pytest.mark.parametrize("subject", [SUBJECT, BARE, EMPTY])
def test_cyclonedx_is_valid_by_its_schema(subject: Subject) -> None:
    data = cyclonedx.document_of(subject)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    assert data == cyclonedx.document_of(subject)


@pytest.mark.parametrize("subject", [SUBJECT, BARE, EMPTY])
def test_spdx_is_valid_by_its_rules(subject: Subject) -> None:
    data = spdx.document_of(subject)
    document = JsonLikeDictParser().parse(json.loads(data))
    assert [message.validation_message for message in validate_full_spdx_document(document)] == []
    assert data == spdx.document_of(subject)


def by_ref(document: Any) -> dict[str, Any]:
    return {component["bom-ref"]: component for component in document["components"]}


def test_cyclonedx_holds_what_is_known() -> None:
    document = json.loads(cyclonedx.document_of(SUBJECT))
    assert document["specVersion"] == "1.6"
    assert "timestamp" not in document["metadata"]
    image = document["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("container", SUBJECT.name, SUBJECT.manifest)
    assert image["purl"].startswith("pkg:oci/orders@sha256")
    found = by_ref(document)
    alpha = found[f"pkg:pypi/alpha@1.0#/{SITE}/alpha-1.0.dist-info"]
    assert alpha["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert alpha["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert alpha["externalReferences"][0]["url"] == "https://example.com/alpha.whl"
    # The system's own package of that name and version did not come of that wheel.
    assert "hashes" not in found[f"pkg:pypi/alpha@1.0#/{OTHER}/alpha-1.0.egg-info"]
    beta = found[f"pkg:pypi/beta@2.0#/{SITE}/beta-2.0.dist-info"]
    assert beta["licenses"] == [{"license": {"name": "Our own, see LICENSE"}}]
    assert [each["type"] for each in beta["externalReferences"]] == ["source-distribution"]
    (gamma,) = (c for c in document["components"] if c["name"] == "gamma")
    assert "vcs_url=git" in gamma["purl"]
    assert gamma["licenses"] == [{"license": {"id": "ISC"}}]
    system = found["pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=glibc"]
    assert system["properties"][0]["value"] == "glibc 2.36-9+deb12u1"
    edges = {each["ref"]: each.get("dependsOn") for each in document["dependencies"]}
    assert edges[alpha["bom-ref"]] == [beta["bom-ref"]]
    assert {c["type"] for c in document["components"]} == {"application", "library", "operating-system"}


def test_what_came_from_a_repository_an_address_or_a_directory_says_so() -> None:
    found = {c["name"]: c for c in json.loads(cyclonedx.document_of(SUBJECT))["components"]}
    delta = found["delta"]
    assert delta["purl"] == f"pkg:pypi/delta@4?vcs_url=git%2Bhttps://example.com/d.git%40{'f' * 40}"
    assert [(r["type"], r["url"], r["comment"]) for r in delta["externalReferences"]] == [
        ("vcs", "https://example.com/d.git", "f" * 40)
    ]
    assert found["epsilon"]["purl"] == "pkg:pypi/epsilon@5?download_url=https://example.com/e.whl"
    assert [(r["type"], r["url"]) for r in found["epsilon"]["externalReferences"]] == [
        ("distribution", "https://example.com/e.whl")
    ]
    assert "externalReferences" not in found["zeta"]
    packages = {p["name"]: p for p in json.loads(spdx.document_of(SUBJECT))["packages"]}
    assert packages["delta"]["downloadLocation"] == f"git+https://example.com/d.git@{'f' * 40}"
    assert packages["zeta"]["downloadLocation"] == "NOASSERTION"
    predicate = json.loads(provenance.statement_of(SUBJECT))["predicate"]
    told = {each["name"]: each for each in predicate["buildDefinition"]["resolvedDependencies"]}
    assert told["delta@ffff"]["digest"] == {"gitCommit": "f" * 40}
    assert told["delta@ffff"]["uri"] == f"git+https://example.com/d.git@{'f' * 40}"
    assert told["zeta/"]["digest"] == {"sha256": "3" * 64}
    assert told["zeta/"]["annotations"]["digestOf"] == "file tree"


@pytest.mark.parametrize(
    ("artifact", "note"),
    [
        (
            Artifact(filename="a.whl", url="https://u:canary@example.com/a.whl?t=canary", sha256="0" * 64, by_url=True),
            File(filename="a.whl", sha256="0" * 64, url="https://example.com/a.whl", by_url=True),
        ),
        (
            Artifact(filename="a.whl", url="file:///home/canary/a.whl", sha256="0" * 64),
            File(filename="a.whl", sha256="0" * 64),
        ),
        (
            Artifact.of_commit("a", GitCommit(url="https://u:canary@example.com/r.git", commit="c" * 40)),
            File(filename=f"a@{'c' * 12}", repository="https://example.com/r.git", commit="c" * 40),
        ),
        (
            Artifact.of_directory("a", Path("/home/canary/a"), digest_of(b"tree")),
            File(filename="a/", sha256=digest_of(b"tree").removeprefix("sha256:")),
        ),
    ],
)
def test_a_note_has_no_credential_and_no_path(artifact: Artifact, note: File) -> None:
    assert File(**file_note(artifact)) == note


def test_time_is_the_image_s_own() -> None:
    document = json.loads(cyclonedx.document_of(BARE))
    assert document["metadata"]["timestamp"] == "2024-02-03T04:05:06+00:00"
    assert json.loads(spdx.document_of(BARE))["creationInfo"]["created"] == "2024-02-03T04:05:06Z"
    assert json.loads(spdx.document_of(SUBJECT))["creationInfo"]["created"] == "1970-01-01T00:00:00Z"


def test_ids_are_of_the_image() -> None:
    other = replace(SUBJECT, manifest=digest_of(b"other"))
    ids = {json.loads(cyclonedx.document_of(s))["serialNumber"] for s in (SUBJECT, other, BARE)}
    assert len(ids) == 3
    spaces = {json.loads(spdx.document_of(s))["documentNamespace"] for s in (SUBJECT, other, BARE)}
    assert len(spaces) == 3
    assert not ids & spaces


def test_spdx_holds_what_is_known() -> None:
    document = json.loads(spdx.document_of(SUBJECT))
    assert document["spdxVersion"] == "SPDX-2.3"
    found = {p["SPDXID"]: p for p in document["packages"]}
    alpha = next(p for p in found.values() if p["name"] == "alpha" and p.get("checksums"))
    assert alpha["checksums"] == [{"algorithm": "SHA256", "checksumValue": "a" * 64}]
    assert (alpha["licenseDeclared"], alpha["downloadLocation"]) == (
        "MIT OR Apache-2.0",
        "https://example.com/alpha.whl",
    )
    purls = {ref["referenceLocator"] for p in found.values() for ref in p.get("externalRefs") or ()}
    assert {"pkg:pypi/alpha@1.0", "pkg:pypi/beta@2.0", "pkg:generic/python@3.11.2"} <= purls
    said = {(r["relationshipType"], r["relatedSpdxElement"]) for r in document["relationships"]}
    assert {("CONTAINS", each) for each in found if each != "SPDXRef-image"} <= said


def test_provenance_is_valid_by_in_toto_s_own_reader() -> None:
    data = provenance.statement_of(SUBJECT)
    document = json.loads(data)
    # Names that in-toto and SLSA do not have are refused here.
    Statement.copy_from_pb(ParseDict(document, StatementMessage())).validate()
    predicate = ParseDict(document["predicate"], Provenance())
    assert predicate.build_definition.build_type
    assert predicate.run_details.builder.id
    for found in predicate.build_definition.resolved_dependencies:
        ResourceDescriptor.copy_from_pb(found).validate()
    assert data == provenance.statement_of(SUBJECT)
    assert document["subject"] == [
        {"name": SUBJECT.name, "digest": {"sha256": digest_of(b"manifest").removeprefix("sha256:")}}
    ]


def test_provenance_has_materials_with_digests_and_names_alone() -> None:
    predicate = json.loads(provenance.statement_of(SUBJECT))["predicate"]
    definition = predicate["buildDefinition"]
    assert definition["externalParameters"]["parameters"] == ["env:TOKEN", "label:team"]
    assert definition["externalParameters"]["instructions"] == {
        "sha256": digest_of(b"instructions").removeprefix("sha256:")
    }
    assert definition["internalParameters"]["lockDigest"] == MATERIALS.lock
    # Times are of the clock, and an image's own is its source's: a statement that says neither says nothing untrue.
    assert predicate["runDetails"]["metadata"].keys() == {"invocationId"}
    found = {each["name"]: each for each in definition["resolvedDependencies"]}
    assert found["python:3.11-slim"]["digest"]["sha256"] == digest_of(b"base manifest").removeprefix("sha256:")
    assert found["alpha-1.0-py3-none-any.whl"]["digest"] == {"sha256": "a" * 64}
    assert found["beta-2.0.tar.gz"]["annotations"]["builtInto"] == f"beta-2.0-py3-none-any.whl {'b' * 64}"
    tool = found[TOOL.filename]
    assert tool["digest"] == {"sha256": TOOL.sha256}
    assert tool["annotations"]["builtWithIt"] == ["beta-2.0-py3-none-any.whl", "zeta-6-py3-none-any.whl"]
    assert found["repository"]["digest"] == {"gitCommit": "d" * 40}
    assert found["repository"]["annotations"]["workingTree"] == "clean"
    assert found["file:/etc/settings.yml"]["digest"]["sha256"]
    assert found["source"]["digest"]["sha256"]


def test_nothing_is_said_of_what_is_not_known() -> None:
    with pytest.raises(InputError, match="not known here"):
        provenance.statement_of(BARE)


def test_no_credential_is_in_any_of_them() -> None:
    for document in (cyclonedx.document_of(SUBJECT), spdx.document_of(SUBJECT), provenance.statement_of(SUBJECT)):
        assert b"canary" not in document


def test_packages_of_conda() -> None:
    found = json.loads(cyclonedx.document_of(SUBJECT))
    (gdal,) = (each for each in found["components"] if each["name"] == "gdal")
    assert gdal["purl"] == (
        "pkg:conda/gdal@3.8?build=h1_0&channel=https://conda.example.com/team&subdir=linux-64&type=conda"
    )
    assert gdal["hashes"] == [{"alg": "SHA-256", "content": "5" * 64}]
    assert gdal["licenses"] == [{"license": {"id": "MIT"}}]
    assert gdal["externalReferences"][0]["url"] == "https://conda.example.com/team/linux-64/gdal-3.8-h1_0.conda"
    model = json.loads(spdx.document_of(SUBJECT))
    (same,) = (each for each in model["packages"] if each["name"] == "gdal")
    assert (same["licenseDeclared"], same["checksums"][0]["checksumValue"]) == ("MIT", "5" * 64)
    (odd,) = (each for each in model["packages"] if each["name"] == "odd")
    assert odd["licenseComments"] == "The package says: Our own"
    assert "canary" not in json.dumps([found, model])
