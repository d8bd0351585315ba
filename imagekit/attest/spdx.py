"""The bill of materials as SPDX 2.3 JSON (ISO/IEC 5962). The same image, the same bytes.

2.3 and not 3.0: it is what scanners and dependency graphs read.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from imagekit import __version__
from imagekit.attest import purls
from imagekit.attest.dependencies import needed
from imagekit.attest.licences import licence_named, licence_of
from imagekit.attest.packages import CondaInstalled, PythonPackage, SystemPackage
from imagekit.attest.subject import Subject

if TYPE_CHECKING:
    from spdx_tools.spdx.model.document import Document
    from spdx_tools.spdx.model.package import ExternalPackageRef, Package

MEDIA_TYPE = "application/spdx+json"
FORMAT = "spdx"
_NAMESPACE = "urn:uuid:"
_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-image"


def document_of(subject: Subject) -> bytes:
    """The document about ``subject``: the operating system, Python, Python's packages, the system's and conda's."""
    from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter

    document = DocumentConverter().convert(model_of(subject))  # type: ignore[no-untyped-call]
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def model_of(subject: Subject) -> Document:
    """The document as the library has it."""
    from spdx_tools.spdx.model.actor import Actor, ActorType
    from spdx_tools.spdx.model.document import CreationInfo, Document
    from spdx_tools.spdx.model.relationship import Relationship, RelationshipType

    info = CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id=_DOCUMENT,
        name=subject.name,
        document_namespace=f"{_NAMESPACE}{subject.identity(FORMAT)}",
        creators=[Actor(ActorType.TOOL, f"imagekit-{__version__}")],
        created=subject.moment.replace(tzinfo=None),
        data_license="CC0-1.0",
    )
    python = {package.location: _python(subject, package, n) for n, package in enumerate(subject.packages.python)}
    others = [*_platform(subject), *(_system(subject, p, n) for n, p in enumerate(subject.packages.system))]
    others += [_conda(package, number) for number, package in enumerate(subject.packages.conda)]
    relations = [Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _IMAGE)]
    relations += [
        Relationship(_IMAGE, RelationshipType.CONTAINS, package.spdx_id) for package in (*python.values(), *others)
    ]
    for location, places in needed(subject.packages.python, subject.python, subject.platform).items():
        relations += [
            Relationship(python[location].spdx_id, RelationshipType.DEPENDS_ON, python[each].spdx_id) for each in places
        ]
    return Document(creation_info=info, packages=[_image(subject), *python.values(), *others], relationships=relations)


def _package(name: str, version: str | None, spdx_id: str, **more: Any) -> Package:
    from spdx_tools.spdx.model.package import Package
    from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

    more.setdefault("download_location", SpdxNoAssertion())
    return Package(
        spdx_id=spdx_id,
        name=name,
        version=version,
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        **more,
    )


def _image(subject: Subject) -> Package:
    from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
    from spdx_tools.spdx.model.package import PackagePurpose

    purl = purls.image_purl(subject)
    return _package(
        subject.name,
        subject.digest,
        _IMAGE,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, subject.digest.removeprefix("sha256:"))],
        external_references=[_purl(str(purl))] if purl is not None else [],
        primary_package_purpose=PackagePurpose.CONTAINER,
    )


def _platform(subject: Subject) -> list[Package]:
    from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory, PackagePurpose

    found = []
    distro = subject.packages.distro
    if distro is not None:
        found.append(
            _package(
                distro.id,
                distro.version or None,
                "SPDXRef-os",
                summary=distro.name or None,
                primary_package_purpose=PackagePurpose.OPERATING_SYSTEM,
            )
        )
    if subject.python:
        cpe = ExternalPackageRef(
            ExternalPackageRefCategory.SECURITY, "cpe23Type", purls.interpreter_cpe(subject.python)
        )
        found.append(
            _package(
                "python",
                subject.python,
                "SPDXRef-interpreter",
                external_references=[_purl(str(purls.interpreter_purl(subject.python))), cpe],
                primary_package_purpose=PackagePurpose.APPLICATION,
            )
        )
    return found


def _python(subject: Subject, package: PythonPackage, number: int) -> Package:
    from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
    from spdx_tools.spdx.model.package import PackagePurpose
    from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

    licence = licence_of(package)
    wheel = subject.wheel_of(package)
    more: dict[str, Any] = {}
    origin = subject.origin_of(package)
    if origin is not None and origin.vcs:
        more["download_location"] = f"{origin.vcs}+{origin.url}@{origin.commit}"
    elif origin is not None:
        more["download_location"] = origin.url
    elif wheel is not None and wheel.file.url:
        more["download_location"] = wheel.file.url
    if wheel is not None:
        more["checksums"] = [Checksum(ChecksumAlgorithm.SHA256, wheel.file.sha256)]
        more["file_name"] = wheel.file.filename
    return _package(
        package.name,
        package.version,
        f"SPDXRef-python-{number}-{_word(package.name)}",
        license_declared=_expression(licence.expression) if licence.expression else SpdxNoAssertion(),
        license_comment=f"The package says: {licence.name}" if licence.name else None,
        summary=package.summary or None,
        homepage=package.homepage or None,
        source_info=f"installed at {package.location}",
        external_references=[_purl(str(purls.python_purl(package, origin)))],
        primary_package_purpose=PackagePurpose.LIBRARY,
        **more,
    )


def _system(subject: Subject, package: SystemPackage, number: int) -> Package:
    from spdx_tools.spdx.model.package import PackagePurpose
    from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

    return _package(
        package.name,
        package.version,
        f"SPDXRef-system-{number}-{_word(package.name)}",
        license_declared=SpdxNoAssertion(),
        source_info=f"built from the source package {package.source} {package.source_version}",
        external_references=[_purl(str(purls.system_purl(package, subject.packages.distro)))],
        primary_package_purpose=PackagePurpose.LIBRARY,
    )


def _conda(package: CondaInstalled, number: int) -> Package:
    from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
    from spdx_tools.spdx.model.package import PackagePurpose
    from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

    licence = licence_named(package.license)
    more: dict[str, Any] = {"download_location": package.url} if package.url else {}
    if package.sha256:
        more["checksums"] = [Checksum(ChecksumAlgorithm.SHA256, package.sha256)]
    return _package(
        package.name,
        package.version,
        f"SPDXRef-conda-{number}-{_word(package.name)}",
        license_declared=_expression(licence.expression) if licence.expression else SpdxNoAssertion(),
        license_comment=f"The package says: {licence.name}" if licence.name else None,
        source_info=f"build {package.build} of {package.subdir}, installed by {package.location}",
        external_references=[_purl(str(purls.conda_purl(package)))],
        primary_package_purpose=PackagePurpose.LIBRARY,
        **more,
    )


def _purl(text: str) -> ExternalPackageRef:
    from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory

    return ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", text)


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)


def _expression(text: str) -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing().parse(text)
