"""Recipes put on a base in an engine: BuildKit runs their steps, and the image keeps a name that says what is in it.

The same recipes on the same base have the same name, so a build that finds it there asks for nothing else.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.errors import BuildError, DockerfileFailed
from imagekit.export.engine_load import loading_name
from imagekit.oci.digest import digest_of_json
from imagekit.oci.platform import Platform
from imagekit.recipes.script import BUILD_SCRIPT
from imagekit.stages.beneath import RECIPES, Beneath
from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile
from imagekit.stages.reference_dockerfile import CA, ENVIRONMENT

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.lock.access import IndexAccess
    from imagekit.progress import Reporter
    from imagekit.secrets.handed import Handed
    from imagekit.spec.base import BaseImage

# Bases with recipes on them, and those with what builds need besides; each under a tag that says all that is in it.
REPOSITORY = "imagekit/recipes"
FOR_BUILDS = "imagekit/recipes-build"
# Raised when the same steps are to be run in another way.
_FORMAT = 1

# As BuildKit shows the step that failed.
_STEP = re.compile(rf"> \[.*source={RECIPES}/([^,]+),.* sh \S+/(\S+):$")
# What apt, dpkg and our own scripts say, and what is to be done.
_REASONS = (
    (re.compile(r"E: Unable to locate package (\S+)"), "there is no package {0}", "look at the name: apt-cache policy"),
    (re.compile(r"E: Package '?(\S+?)'? has no installation candidate"), "there is no package {0}", None),
    (re.compile(r"E: Version '(\S+)' for '(\S+)' was not found"), "there is no {1} in version {0}", None),
    (
        re.compile(r"(?:NO_PUBKEY|EXPKEYSIG|KEYEXPIRED|REVKEYSIG) (\S+)"),
        "the repository is signed by another key",
        None,
    ),
    (
        re.compile(r"Certificate verification failed"),
        "a certificate is not trusted",
        "imagekit config set ca-bundle=FILE.pem says whom to trust",
    ),
    (re.compile(r"(?:Could not resolve|Temporary failure resolving) '?([^'\s]+)"), "{0} cannot be reached", None),
    (re.compile(r"apt-get: not found"), "the base has no apt", "choose a base of Debian or Ubuntu"),
    (
        re.compile(r"exec format error"),
        "the engine does not run programs of that processor",
        "build on a machine of it",
    ),
    (re.compile(r"imagekit: (/.*)"), "{0}", "the recipe's [[edit]] does not fit this base"),
    (re.compile(r"E: (.*)"), "{0}", None),
)


def name_of(base: BaseImage, beneath: Beneath, repository: str) -> str:
    """The name of the image of ``beneath`` on ``base``: its tag says all that goes in."""
    key = digest_of_json([_FORMAT, base.image_id, beneath.digest])
    return f"{repository}:{key.removeprefix('sha256:')[:32]}"


def put_on(
    engine: Engine,
    base: BaseImage,
    beneath: Beneath,
    name: str,
    *,
    handed: Handed,
    reporter: Reporter,
    fresh: bool = False,
) -> EngineImage:
    """Make ``name`` the image of ``beneath`` on ``base``, which ``engine`` has.

    ``fresh``: nothing of BuildKit's cache is taken. Raises ``BuildError`` with BuildKit's last lines.
    """
    # It says whose it is: what a killed process leaves is swept by the next build.
    loading = loading_name()
    platform = base.config.platform
    with tempfile.TemporaryDirectory(prefix="imagekit-recipes-") as temporary:
        context = Path(temporary)
        beneath.write(context)
        file = context / "Dockerfile"
        file.write_text("\n".join([f"FROM {base.place}", *beneath.lines]) + "\n", "utf-8")
        build = DockerfileBuild(
            context=context,
            dockerfile=file,
            reference=loading,
            handed=handed,
            platforms=() if platform == Platform.host() else (str(platform),),
            # Another one sees no image of the engine.
            builder="default",
            provenance="false",
            no_cache=fresh,
        )
        try:
            build_dockerfile(build, engine.address, reporter)
            image = engine.image(loading)
            if image is None:
                raise BuildError(
                    "what BuildKit made of the recipes did not reach the engine",
                    hint="docker info shows whether the engine is well; then build again",
                )
            engine.tag(image.id, name)
        except DockerfileFailed as error:
            raise explained(error, base.reference) from None
        finally:
            engine.remove_image(loading)
    return image


def handed_to_steps(handed: Handed, access: IndexAccess) -> Handed:
    """``handed``, and what this machine knows of proxies and certificates; nothing of it stays in an image."""
    proxies = {
        "http_proxy": access.proxies.http,
        "https_proxy": access.proxies.https,
        "no_proxy": ",".join(access.proxies.none_for),
    }
    lines = "".join(
        f"export {name}={shlex.quote(value)} {name.upper()}={shlex.quote(value)}\n"
        for name, value in proxies.items()
        if value
    )
    return handed.with_own({ENVIRONMENT: lines}, files={CA: access.ca_bundle} if access.ca_bundle is not None else {})


def explained(error: DockerfileFailed, reference: str) -> BuildError:
    """What went wrong, in a line, by the last words of BuildKit."""
    words = [re.sub(r"^#\d+ (?:[\d.]+ )?", "", line).strip() for line in (error.details or "").splitlines()]
    step = next((found for line in words if (found := _STEP.search(line))), None)
    what = f"the recipe {step[1]}" if step is not None and step[2] != BUILD_SCRIPT else "what builds of sources need"
    reason, hint = _reason(words)
    return BuildError(
        f"{what if step is not None else 'recipes'} could not be put on {reference}: {reason or error.message}",
        hint=hint or "the details are the last lines of its step",
        details=error.details,
    )


def _reason(words: Sequence[str]) -> tuple[str | None, str | None]:
    for pattern, text, hint in _REASONS:
        for line in words:
            if found := pattern.search(line):
                return text.format(*found.groups()), hint
    end = next((n for n, line in enumerate(words) if line.startswith("ERROR: process")), 0)
    return (words[end - 1] if end else None), None
