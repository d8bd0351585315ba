"""Locking the Debian packages of a base image.

apt resolves them in a directory of its own: the host's package lists, sources,
pins and installed packages have no say. Nothing here needs root.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from imagekit.errors import BaseBuildFailed
from imagekit.network.urls import without_login
from imagekit.oci.digest import Digest, digest_of
from imagekit.stages.declared import BaseDeclaration
from imagekit.stanzas import stanzas

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

LOCK_VERSION = 1
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What to do where packages are not, or no longer, as they were locked; without a file nothing is kept of a lock.
LOCK_ANEW = "run it again (with --lock FILE: remove FILE first, and it is written anew)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One suite of a Debian mirror."""

    uri: str  # without a trailing slash, and without credentials
    suite: str
    component: str = "main"

    def to_list_line(self) -> str:
        """The source as apt reads it (sources.list(5))."""
        return f"deb [signed-by={KEYRING}] {self.uri} {self.suite} {self.component}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DebPackage:
    """One .deb file, exactly."""

    name: str
    version: str
    architecture: str  # "all", or the image's
    uri: str  # of the mirror it is on: Repository.uri
    filename: str  # its path there
    sha256: str  # hex
    size: int  # bytes of the .deb


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianLock:
    """All the .deb files of a base image, and the sources that its apt will use."""

    suite: str
    python: str
    architecture: str  # as Debian spells it; the same as OCI's for amd64 and arm64
    wanted: tuple[str, ...]
    repositories: tuple[Repository, ...]
    packages: tuple[DebPackage, ...]  # by name

    def to_bytes(self) -> bytes:
        """TOML; the same lock gives the same bytes."""
        import tomli_w

        document = {
            "lock-version": LOCK_VERSION,
            "suite": self.suite,
            "python": self.python,
            "architecture": self.architecture,
            "wanted": list(self.wanted),
            "repositories": [asdict(r) for r in self.repositories],
            "packages": [asdict(p) for p in self.packages],
        }
        return tomli_w.dumps(document).encode()

    @classmethod
    def from_bytes(cls, data: bytes, file: Path) -> DebianLock:
        """Read what ``to_bytes`` wrote; ``BaseBuildFailed``, which names ``file``, for anything else."""
        try:
            document = tomllib.loads(data.decode())
            if document["lock-version"] != LOCK_VERSION:
                raise ValueError(f"lock-version {document['lock-version']} is not {LOCK_VERSION}")
            return cls(
                suite=document["suite"],
                python=document["python"],
                architecture=document["architecture"],
                wanted=tuple(document["wanted"]),
                repositories=tuple(Repository(**r) for r in document["repositories"]),
                packages=tuple(DebPackage(**p) for p in document["packages"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise BaseBuildFailed(
                f"{file} is no lock of Debian packages: {what}",
                hint=f"remove {file}, or name another: imagekit base build --lock FILE writes one that is not there",
            ) from error

    @property
    def digest(self) -> Digest:
        return digest_of(self.to_bytes())


def run_words(argv: Sequence[str], *, failure: str, hint: str | None = None) -> str:
    """The output of a program that must succeed; its own words go into the error's details."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, errors="replace")
    except FileNotFoundError as error:
        raise BaseBuildFailed(
            f"{failure}: {error.filename} is not installed",
            hint="base images are made on Debian; elsewhere build on another image: imagekit build --base-image REF",
        ) from error
    if done.returncode != 0:
        raise BaseBuildFailed(failure, hint=hint, details=(done.stderr.strip() or done.stdout.strip())[-4000:])
    return done.stdout


def mirrors_of_host() -> dict[str, str]:
    """URI of the mirror for each suite that this machine's apt uses; no package lists are needed to tell.

    A site's own mirror is thereby used without being named twice. A third party may call
    its suite ``bookworm`` too: Debian's mirror is the one with more suites.
    """
    printed = run_words(
        ["apt-get", "update", "--print-uris"], failure="the package sources of this machine could not be read"
    )
    return mirrors_in(printed)


def mirrors_in(printed: str) -> dict[str, str]:
    """The same from what ``apt-get update --print-uris`` prints."""
    rows = re.findall(r"^'(\S+)/dists/([^/\s]+)/InRelease' ", printed, re.MULTILINE)
    suites = Counter(uri for uri, _ in rows)
    found: dict[str, str] = {}
    for uri, suite in rows:
        if suite not in found or suites[uri] > suites[found[suite]]:
            found[suite] = uri
    return found


def repositories_for(declaration: BaseDeclaration, mirrors: dict[str, str]) -> tuple[Repository, ...]:
    """The declared suites on the mirrors at hand.

    A suite that the host does not use is looked for where most of the host's are: a mirror
    has all of them. Security updates are on a mirror of their own.
    """
    security = next((uri for suite, uri in mirrors.items() if suite.endswith("-security")), None)
    others = Counter(uri for suite, uri in mirrors.items() if not suite.endswith("-security"))
    archive = others.most_common(1)[0][0] if others else None
    found = []
    for suite in (declaration.suite, *declaration.updates):
        uri = mirrors.get(suite, security if suite.endswith("-security") else archive)
        if uri is not None:
            found.append(Repository(uri=uri, suite=suite))
    if not any(r.suite == declaration.suite for r in found):
        raise BaseBuildFailed(
            "this machine's apt names no Debian mirror",
            hint="add a Debian source to /etc/apt/sources.list.d, "
            "or build on another image: imagekit build --base-image REF",
        )
    return tuple(found)


def lock_packages(
    declaration: BaseDeclaration,
    *,
    architecture: str = "amd64",
    repositories: Sequence[Repository] | None = None,
) -> DebianLock:
    """Resolve Debian's essential packages, the declared ones and all they depend on.

    ``repositories`` are those of the host's mirror when not given.
    Raises ``BaseBuildFailed`` where there is no apt, no mirror answers or nothing fits.
    """
    repositories = tuple(repositories or repositories_for(declaration, mirrors_of_host()))
    wanted = tuple(sorted(declaration.packages))
    with tempfile.TemporaryDirectory(prefix="imagekit-apt-") as directory:
        apt = _private_apt(Path(directory), architecture, repositories)
        run_words(
            [*apt, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"],
            failure="the Debian mirror's package lists could not be fetched",
            hint="check that `apt-get update` works on this machine",
        )
        printed = run_words(
            [*apt, "apt-get", "-q", "-y", "--print-uris", "install", "--", "?essential", *wanted],
            failure=f"the packages of the {declaration.suite} base do not fit together",
        )
        uris = [unquote(m) for m in re.findall(r"^'([^']+)' ", printed, re.MULTILINE)]
        names = sorted({uri.rpartition("/")[2].partition("_")[0] for uri in uris})
        shown = run_words([*apt, "apt-cache", "show", "--", *names], failure="apt could not describe its own choice")
    packages = [_matched(stanza, uris) for stanza in stanzas(shown)]
    by_name = {p.name: p for p in packages if p is not None}
    if len(by_name) != len(uris):
        raise BaseBuildFailed(
            f"apt chose {len(uris)} packages and described {len(by_name)} of them",
            hint="apt-get update, and try again: the mirror may have changed meanwhile",
        )
    return DebianLock(
        suite=declaration.suite,
        python=declaration.python,
        architecture=architecture,
        wanted=wanted,
        # A login is this machine's: what is locked goes into images.
        repositories=tuple(Repository(uri=without_login(r.uri), suite=r.suite) for r in repositories),
        packages=tuple(by_name[name] for name in sorted(by_name)),
    )


def apt_with(config: Path) -> list[str]:
    """The start of a command line that makes apt read ``config`` instead of the host's configuration."""
    return ["env", "LC_ALL=C.UTF-8", f"APT_CONFIG={config}"]


def _private_apt(root: Path, architecture: str, repositories: Sequence[Repository]) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial", "empty"):
        (root / name).mkdir(parents=True)
    (root / "status").touch()
    (root / "sources.list").write_text("".join(r.to_list_line() for r in repositories))
    settings = {
        "Dir::Etc::main": f"{root}/empty/apt.conf",
        "Dir::Etc::parts": f"{root}/empty",
        "Dir::Etc::sourcelist": f"{root}/sources.list",
        "Dir::Etc::sourceparts": f"{root}/empty",
        "Dir::Etc::preferences": f"{root}/empty/preferences",
        "Dir::Etc::preferencesparts": f"{root}/empty",
        "Dir::State": str(root),
        "Dir::State::status": f"{root}/status",
        "Dir::Cache": f"{root}/cache",
        "APT::Architecture": architecture,
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
    }
    config = root / "apt.conf"
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    lines.append(f'#clear APT::Architectures;\nAPT::Architectures {{ "{architecture}"; }};')
    lines.extend(network_settings_of_host())
    config.write_text("\n".join(lines) + "\n")
    return apt_with(config)


def network_settings_of_host() -> list[str]:
    """How this machine's apt reaches mirrors (proxies, certificates, a clock not to be trusted), as apt.conf lines."""
    dump = run_words(["apt-config", "dump"], failure="apt's configuration could not be read")
    kept = re.compile(r"Acquire::(https?(::\S+)?|Check-Date|Check-Valid-Until|Retries) ")
    lines = [line for line in dump.splitlines() if kept.match(line)]
    return [*lines, 'APT::Sandbox::User "root";', 'quiet "2";']


def _matched(stanza: dict[str, str], uris: Sequence[str]) -> DebPackage | None:
    filename = stanza["Filename"]
    uri = next((u for u in uris if u.endswith("/" + filename)), None)
    if uri is None:
        return None
    return DebPackage(
        name=stanza["Package"],
        version=stanza["Version"],
        architecture=stanza["Architecture"],
        uri=without_login(uri.removesuffix("/" + filename)),
        filename=filename,
        sha256=stanza["SHA256"],
        size=int(stanza["Size"]),
    )
