"""Every keyword of ``DockerImage``, and what it means: one table, which decides and which the docs print.

Source: docker-py's ``ImageCollection.build`` and ``APIClient.build``; ``prefect.docker.DockerImage`` and what
its two backends hand on (for buildx: ``python_on_whales.docker.buildx.build``); ``prefect.storage.Docker`` of
Prefect 0 and 1, whose names are known here in order to say what they are called now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from imagekit.keywords import checks as check


class Verdict(Enum):
    """What becomes of a keyword in one kind of build."""

    HONOURED = "honoured"
    WITH_COMMANDS = "for `extra_dockerfile_commands`, else ignored with a warning"
    WITH_BUILDKIT = 'with `builder="buildkit"`, else ignored with a warning'
    IGNORED = "ignored with a warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Use:
    """The verdict, and in words: what it does, why it is ignored, or what to use instead."""

    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """One keyword."""

    name: str
    of: str  # whose it is: Prefect, imagekit, docker-py, buildx, storage.Docker
    check: check.Check = lambda value, name: value
    auto: Use
    dockerfile: Use
    field: str | None = None  # of ``stages.dockerfile.DockerfileBuild``, where it goes there
    same_as: str | None = None  # another name of that one
    harmless: tuple[Any, ...] = ()  # values that ask for nothing, besides what is empty


def _honoured(words: str) -> Use:
    return Use(Verdict.HONOURED, words)


def _with_commands(words: str) -> Use:
    return Use(Verdict.WITH_COMMANDS, words)


def _with_buildkit(words: str) -> Use:
    return Use(Verdict.WITH_BUILDKIT, words)


def _ignored(words: str) -> Use:
    return Use(Verdict.IGNORED, words)


def _refused(words: str) -> Use:
    return Use(Verdict.REFUSED, words)


def _both(name: str, of: str, verify: check.Check, words: str, **more: Any) -> Keyword:
    return Keyword(name=name, of=of, check=verify, auto=_honoured(words), dockerfile=_honoured(words), **more)


def _project(name: str, verify: check.Check, words: str, **more: Any) -> Keyword:
    """A keyword that says what goes into an automatic image."""
    there = _refused("say it in the Dockerfile, or use dockerfile='auto'")
    return Keyword(name=name, of="imagekit", check=verify, auto=_honoured(words), dockerfile=there, **more)


def _steps(name: str, of: str, verify: check.Check, words: str, *, field: str | None = None) -> Keyword:
    """A keyword that reaches the steps of a Dockerfile: the user's own, or the extra commands."""
    return Keyword(
        name=name,
        of=of,
        check=verify,
        auto=_with_commands(words),
        dockerfile=_honoured(words),
        field=field or name,
    )


def _other_name(name: str, of: str, verify: check.Check, one: str, like: Keyword, **more: Any) -> Keyword:
    """The name that python-on-whales has for ``one``."""
    return Keyword(
        name=name,
        of=of,
        check=verify,
        auto=like.auto,
        dockerfile=like.dockerfile,
        same_as=one,
        **more,
    )


def _nowhere(name: str, of: str, words: str, *, ignored: bool = False, harmless: tuple[Any, ...] = (False,)) -> Keyword:
    """A keyword that no build honours; it may be of any type."""
    use = _ignored(words) if ignored else _refused(words)
    return Keyword(name=name, of=of, auto=use, dockerfile=use, harmless=harmless)


_BUILDARGS = _steps(
    "buildargs", "docker-py", check.arguments, "build arguments; `None`: the environment's value", field="build_args"
)
_NOCACHE = _both(
    "nocache", "docker-py", check.flag, "every step and every layer is made anew", field="no_cache", harmless=(False,)
)
_HOSTS = _steps("extra_hosts", "docker-py", check.hosts, "hosts that the steps know")
_NETWORK = _steps(
    "network_mode", "docker-py", check.network, "the steps' network: default, none, host", field="network"
)
_PLATFORM = Keyword(
    name="platform",
    of="docker-py",
    check=check.platforms,
    auto=_honoured("the image's platform; several go to a registry together (`push=True`, or `output`)"),
    dockerfile=_honoured("as `docker buildx build --platform`; several need `push=True`"),
    field="platforms",
)
_CACHES = "as `docker buildx build` has them"

KEYWORDS: tuple[Keyword, ...] = (
    _both("name", "Prefect", check.text, "`[registry/][namespace/]repository[:tag]`"),
    _both("tag", "Prefect", check.text, "the tag; without one, a tag that says what goes in"),
    _both("dockerfile", "Prefect", check.path, "`auto`, or the path of a Dockerfile (in `context`, or from here)"),
    _both("stream_progress_to", "Prefect", check.stream, "where progress and warnings go; `None`: nowhere"),
    _both(
        "build_backend", "Prefect", check.one_of("docker-py", "buildx"), "`docker-py` or `buildx`: both are BuildKit"
    ),
    _both("context", "Prefect", check.path, "the project's directory; the one we are in by default"),
    _both("push", "Prefect", check.flag, "`build()` pushes, and `push()` then has nothing left to do"),
    _project("requirements", check.paths, "requirements files or a lock, instead of `requirements.txt`"),
    _project("packages", check.texts, "more requirements (PEP 508)"),
    _project("conda", check.texts, "packages of conda's, as match specs, beneath the others (docs/conda.md)"),
    _project("conda_channels", check.texts, "conda's channels, instead of those of the `environment.yml`"),
    _project("recipes", check.texts, "what the base is given beneath all layers: names, or paths (docs/recipes.md)"),
    _project("extras", check.texts, "extras of the project"),
    _project("groups", check.texts, "dependency groups of the project (PEP 735)"),
    _project("env", check.table, "variables of the image, byte for byte: nothing in them is expanded"),
    _project("files", check.table, "files and directories of the project, each with its path in the image"),
    _project("base_image", check.text, "the image below; one that is only in the engine will do"),
    _project("python", check.text, 'the image\'s Python, `"3.12"`'),
    _project("resolver", check.text, "`uv` or `pip-tools`"),
    _project("source_builds", check.flag_or_texts, "packages that may be built from source; `True`: any"),
    _project("include_source", check.flag, "whether the project's own files go in", harmless=(True,)),
    _project("dockerignore", check.path, "a file of ignore rules, instead of `.dockerignore`"),
    _project("workdir", check.text, "where the source lies and runs; `/app` by default"),
    _project("entrypoints", check.texts, "flows, `path.py:function`, that the health check imports"),
    _project("health_check", check.flag, "whether the image is tried out before it gets its tag", harmless=(False,)),
    _project(
        "preflight",
        check.text,
        "`warn`, `strict` or `off`: what becomes of libraries that packages ask for and the base lacks",
        harmless=("warn", "off"),
    ),
    _project(
        "runtime_extras",
        check.flag,
        "whether the image installs `EXTRA_PIP_PACKAGES` itself, where other engines start it",
        harmless=(False,),
    ),
    _project(
        "extra_dockerfile_commands",
        check.instructions,
        "instructions that BuildKit runs on the assembled image, as root, in the project's directory",
    ),
    _project(
        "builder", check.builder, "`assemble`, or `buildkit`: from the equivalent Dockerfile", harmless=("assemble",)
    ),
    Keyword(
        name="output",
        of="imagekit",
        check=check.texts,
        auto=_honoured(
            "`engine`, `registry`, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`; only `engine` needs one"
        ),
        dockerfile=_refused("the image goes into the engine; push=True sends it on"),
        harmless=("engine", ["engine"], ("engine",)),
    ),
    Keyword(
        name="buildx_builder",
        of="imagekit",
        check=check.text,
        auto=_with_buildkit("one of `docker buildx ls`"),
        dockerfile=_honoured("one of `docker buildx ls`"),
        field="builder",
    ),
    _BUILDARGS,
    _both("labels", "docker-py", check.labels, "labels of the image, byte for byte", field="labels"),
    Keyword(
        name="target",
        of="docker-py",
        check=check.stage,
        auto=_refused("an automatic image has no stages: dockerfile='PATH' names a Dockerfile that has"),
        dockerfile=_honoured("the stage to build"),
        field="target",
    ),
    _PLATFORM,
    Keyword(
        name="cache_from",
        of="docker-py",
        check=check.caches,
        auto=_with_buildkit(_CACHES),
        dockerfile=_honoured(_CACHES),
        field="cache_from",
    ),
    Keyword(
        name="cache_to",
        of="buildx",
        check=check.caches,
        auto=_with_buildkit(_CACHES),
        dockerfile=_honoured(_CACHES),
        field="cache_to",
    ),
    _NOCACHE,
    Keyword(
        name="pull",
        of="docker-py",
        check=check.flag,
        auto=_honoured("a named `base_image` is pulled first"),
        dockerfile=_honoured("bases are looked up in their registries, also where the engine has them"),
        field="pull",
        harmless=(False,),
    ),
    _HOSTS,
    _NETWORK,
    _steps("shmsize", "docker-py", check.size, "size of the steps' `/dev/shm`: bytes, or `64m`", field="shm_size"),
    _both(
        "secrets",
        "buildx",
        check.secrets,
        "`id=NAME,env=VARIABLE`, `id=NAME,src=FILE`, `id=NAME,name=STORED`, or `Secret`s by id: for secret mounts",
    ),
    _both("ssh", "buildx", check.texts, "`default`, or `ID=PATH` of a key or an agent's socket: for ssh mounts"),
    _both(
        "allow_secret_build_args",
        "imagekit",
        check.flag,
        "credentials are taken where everyone would see them",
        harmless=(False,),
    ),
    _steps("build_contexts", "buildx", check.contexts, "further contexts by name: directories, images, URLs"),
    _steps("allow", "buildx", check.texts, "entitlements of the build: `network.host`, `security.insecure`"),
    _both("path", "docker-py", check.path, "another name of `context`", same_as="context"),
    _other_name("platforms", "buildx", check.platforms, "platform", _PLATFORM),
    _other_name("build_args", "buildx", check.arguments, "buildargs", _BUILDARGS),
    _other_name("add_hosts", "buildx", check.hosts, "extra_hosts", _HOSTS),
    _other_name("network", "buildx", check.network, "network_mode", _NETWORK),
    _other_name("cache", "buildx", check.inverted, "nocache", _NOCACHE, harmless=(True,)),
    _nowhere("squash", "docker-py", "layers are what makes the next build quick; leave it out"),
    _nowhere("container_limits", "docker-py", "BuildKit has no limits for one build; set them on a builder of its own"),
    _nowhere("fileobj", "docker-py", "dockerfile='PATH' names the Dockerfile"),
    _nowhere("custom_context", "docker-py", "context='DIRECTORY' names the build context"),
    _nowhere("tags", "buildx", "tag is DockerImage's second argument; docker tag gives an image more names"),
    _nowhere("extra_tags", "buildx", "docker tag gives a built image more names"),
    _nowhere("file", "buildx", "dockerfile='PATH' names the Dockerfile"),
    _nowhere("context_path", "buildx", "context='DIRECTORY' names the build context"),
    _nowhere("metadata_file", "buildx", "what build() returns has the digest and all else: .to_json()"),
    _nowhere(
        "attest", "buildx", "imagekit attaches attestations to an image that is built, and changes no digest by it"
    ),
    Keyword(
        name="provenance",
        of="buildx",
        check=check.yes_or_no,
        auto=_refused("imagekit attaches provenance to an image that is built, and changes no digest by it"),
        dockerfile=_honoured("whether BuildKit's own goes along; the engine's image store must hold it"),
        field="provenance",
        harmless=(False,),
    ),
    _nowhere("sbom", "buildx", "imagekit attaches an SBOM to an image that is built, and changes no digest by it"),
    _nowhere("load", "buildx", "the image is in the engine in any case", ignored=True, harmless=(True,)),
    _nowhere("progress", "buildx", "stream_progress_to says where progress goes", ignored=True),
    _nowhere("stream_logs", "buildx", "stream_progress_to says where progress goes", ignored=True),
    _nowhere("quiet", "docker-py", "stream_progress_to=None is silent", ignored=True),
    _nowhere("rm", "docker-py", "BuildKit leaves no containers behind", ignored=True),
    _nowhere("forcerm", "docker-py", "BuildKit leaves no containers behind", ignored=True),
    _nowhere("timeout", "docker-py", "a build takes as long as it takes", ignored=True),
    _nowhere("gzip", "docker-py", "BuildKit is sent what it asks for", ignored=True),
    _nowhere("encoding", "docker-py", "BuildKit is sent what it asks for", ignored=True),
    _nowhere("decode", "docker-py", "progress is lines of text", ignored=True),
    _nowhere("isolation", "docker-py", "it is of Windows containers", ignored=True),
    _nowhere("use_config_proxy", "docker-py", "docker's proxies are always used", ignored=True, harmless=(True,)),
    _nowhere("registry_url", "storage.Docker", "begin the name with it: DockerImage('REGISTRY/NAME')"),
    _nowhere("image_name", "storage.Docker", "the name is DockerImage's first argument"),
    _nowhere("image_tag", "storage.Docker", "the tag is DockerImage's second argument: tag='…'"),
    _nowhere("python_dependencies", "storage.Docker", "it is called packages here: packages=['…']"),
    _nowhere("env_vars", "storage.Docker", "it is called env here, and expands nothing: env={'NAME': 'VALUE'}"),
    _nowhere("ignore_healthchecks", "storage.Docker", "it is called health_check here: health_check=False"),
    _nowhere("local_image", "storage.Docker", "leave it out: a base_image that the engine has is used as it is"),
    _nowhere("prefect_version", "storage.Docker", "name it as a requirement: packages=['prefect==…']"),
    _nowhere("prefect_directory", "storage.Docker", "it is called workdir here: workdir='/opt/prefect'"),
    _nowhere("stored_as_script", "storage.Docker", "leave it out: the project's files are always in the image"),
    _nowhere("base_url", "storage.Docker", "set the engine's address: DOCKER_HOST, or imagekit config set engine=…"),
    _nowhere("tls_config", "storage.Docker", "reach the engine by ssh and not by TLS: DOCKER_HOST=ssh://HOST"),
    _nowhere("build_kwargs", "storage.Docker", "give its entries as keywords of their own"),
)
BY_NAME: Mapping[str, Keyword] = {keyword.name: keyword for keyword in KEYWORDS}
