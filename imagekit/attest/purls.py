"""Package URLs (purl-spec), with the qualifiers by which scanners find their way.

``distro`` and ``upstream`` of Debian's packages are as Syft writes and Grype reads them; Trivy reads ``distro`` too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from imagekit.attest.packages import CondaInstalled, Distro, Origin, PythonPackage, SystemPackage
from imagekit.attest.subject import Subject

if TYPE_CHECKING:
    from packageurl import PackageURL


def python_purl(package: PythonPackage, origin: Origin | None) -> PackageURL:
    """``pkg:pypi/rich@13.7.1``; where it came from a repository or an address, with that."""
    from packageurl import PackageURL

    qualifiers = {}
    if origin is not None and origin.vcs:
        qualifiers["vcs_url"] = f"{origin.vcs}+{origin.url}@{origin.commit}"
    elif origin is not None:
        qualifiers["download_url"] = origin.url
    return PackageURL("pypi", None, package.name, package.version, qualifiers or None)


def system_purl(package: SystemPackage, distro: Distro | None) -> PackageURL:
    """``pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc``"""
    from packageurl import PackageURL

    qualifiers = {"arch": package.architecture}
    if distro is not None:
        qualifiers["distro"] = distro.qualifier
    if package.source_version != package.version:
        qualifiers["upstream"] = f"{package.source}@{package.source_version}"
    elif package.source != package.name:
        qualifiers["upstream"] = package.source
    return PackageURL("deb", distro.id if distro is not None else "debian", package.name, package.version, qualifiers)


def conda_purl(package: CondaInstalled) -> PackageURL:
    """``pkg:conda/numpy@1.26.4?build=py311h64a7726_0&channel=conda-forge&subdir=linux-64&type=conda``"""
    from packageurl import PackageURL

    qualifiers = {
        "build": package.build,
        "channel": package.channel,
        "subdir": package.subdir,
        "type": "tar.bz2" if package.filename.endswith(".tar.bz2") else "conda",
    }
    return PackageURL("conda", None, package.name, package.version, {k: v for k, v in qualifiers.items() if v})


def image_purl(subject: Subject) -> PackageURL | None:
    """``pkg:oci/orders@sha256:…?arch=amd64&repository_url=…``; ``None`` for an image without a manifest."""
    from packageurl import PackageURL

    if subject.manifest is None:
        return None
    qualifiers = {"arch": subject.platform.architecture}
    if "/" in subject.name:
        qualifiers["repository_url"] = subject.name
    return PackageURL("oci", None, subject.name.rpartition("/")[2], subject.manifest, qualifiers)


def interpreter_purl(version: str) -> PackageURL:
    """CPython itself."""
    from packageurl import PackageURL

    return PackageURL("generic", None, "python", version)


def interpreter_cpe(version: str) -> str:
    """By which vulnerabilities of CPython are listed (CPE 2.3)."""
    return f"cpe:2.3:a:python:python:{quote(version)}:*:*:*:*:*:*:*"
