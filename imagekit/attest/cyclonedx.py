"""The bill of materials as CycloneDX 1.6 JSON (ECMA-424). The same image, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imagekit import __version__
from imagekit.attest import purls
from imagekit.attest.dependencies import needed
from imagekit.attest.licences import Licence, licence_named, licence_of
from imagekit.attest.packages import PythonPackage
from imagekit.attest.subject import Subject

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

MEDIA_TYPE = "application/vnd.cyclonedx+json"
FORMAT = "cyclonedx"


def document_of(subject: Subject) -> bytes:
    """The document about ``subject``: the operating system, Python, Python's packages, the system's and conda's."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    image = Component(
        type=ComponentType.CONTAINER,
        name=subject.name,
        version=subject.digest,
        purl=purls.image_purl(subject),
        bom_ref=f"image:{subject.digest}",
    )
    tool = Component(type=ComponentType.APPLICATION, name="imagekit", version=__version__, bom_ref="tool:imagekit")
    bom = Bom(
        serial_number=subject.identity(FORMAT),
        metadata=BomMetaData(component=image, tools=ToolRepository(components=[tool]), timestamp=subject.moment),
    )
    python = {p.location: _python(subject, p) for p in subject.packages.python}
    others = [*_platform(subject), *_system(subject), *_conda(subject)]
    for component in (*python.values(), *others):
        bom.components.add(component)
    edges = needed(subject.packages.python, subject.python, subject.platform)
    below = {location for locations in edges.values() for location in locations}
    bom.register_dependency(image, [*others, *(python[p] for p in python if p not in below)])
    for location, locations in edges.items():
        bom.register_dependency(python[location], [python[each] for each in locations])
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    if subject.created is None:
        # The library puts the present moment where none is known.
        del document["metadata"]["timestamp"]
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _platform(subject: Subject) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType

    distro = subject.packages.distro
    if distro is not None:
        yield Component(
            type=ComponentType.OPERATING_SYSTEM,
            name=distro.id,
            version=distro.version or None,
            description=distro.name or None,
            bom_ref=f"os:{distro.qualifier}",
        )
    if subject.python:
        yield Component(
            type=ComponentType.APPLICATION,
            name="python",
            version=subject.python,
            purl=purls.interpreter_purl(subject.python),
            cpe=purls.interpreter_cpe(subject.python),
            bom_ref=f"python:{subject.python}",
        )


def _python(subject: Subject, package: PythonPackage) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType

    wheel, purl = subject.wheel_of(package), purls.python_purl(package, subject.origin_of(package))
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        description=package.summary or None,
        licenses=_licences(licence_of(package)),
        purl=purl,
        bom_ref=f"pkg:pypi/{package.name}@{package.version}#{package.location}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.file.sha256)] if wheel is not None else None,
        external_references=_references(subject, package),
        properties=[Property(name="imagekit:location", value=package.location)],
    )


def _licences(licence: Licence) -> list[License] | None:
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from cyclonedx.spdx import fixup_id

    if licence.expression and fixup_id(licence.expression) is not None:
        return [DisjunctiveLicense(id=licence.expression)]
    if licence.expression:
        return [LicenseExpression(licence.expression)]
    return [DisjunctiveLicense(name=licence.name)] if licence.name else None


def _references(subject: Subject, package: PythonPackage) -> list[ExternalReference]:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri

    found = []
    wheel, origin = subject.wheel_of(package), subject.origin_of(package)
    kinds = (ExternalReferenceType.DISTRIBUTION, ExternalReferenceType.SOURCE_DISTRIBUTION)
    for file, kind in zip((wheel.file, wheel.source) if wheel is not None else (), kinds, strict=False):
        if file is not None and file.url:
            hashed = HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)
            found.append(ExternalReference(type=kind, url=XsUri(file.url), hashes=[hashed]))
    if origin is not None and origin.vcs:
        url, commit = XsUri(origin.url), origin.commit or None
        found.append(ExternalReference(type=ExternalReferenceType.VCS, url=url, comment=commit))
    elif origin is not None and all(str(each.url) != origin.url for each in found):
        found.append(ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(origin.url)))
    if package.homepage:
        found.append(ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(package.homepage)))
    return found


def _system(subject: Subject) -> Iterator[Component]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    for package in subject.packages.system:
        purl = purls.system_purl(package, subject.packages.distro)
        yield Component(
            type=ComponentType.LIBRARY,
            name=package.name,
            version=package.version,
            purl=purl,
            bom_ref=str(purl),
            properties=[Property(name="imagekit:source-package", value=f"{package.source} {package.source_version}")],
        )


def _conda(subject: Subject) -> Iterator[Component]:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
    from cyclonedx.model.component import Component, ComponentType

    for package in subject.packages.conda:
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)] if package.sha256 else None
        kind = ExternalReferenceType.DISTRIBUTION
        where = [ExternalReference(type=kind, url=XsUri(package.url), hashes=hashes)] if package.url else None
        purl = purls.conda_purl(package)
        yield Component(
            type=ComponentType.LIBRARY,
            name=package.name,
            version=package.version,
            licenses=_licences(licence_named(package.license)),
            purl=purl,
            bom_ref=f"{purl}#{package.location}",
            hashes=hashes,
            external_references=where,
            properties=[Property(name="imagekit:location", value=package.location)],
        )
