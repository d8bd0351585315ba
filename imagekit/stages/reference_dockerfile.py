"""A plan as the cached multi-stage Dockerfile that people would write for it. Pure.

uv installs the hashed lock in a stage of its own, with cache mounts, and one ``COPY --link`` brings
the virtual environment over. What is private (an index's credentials, a CA bundle) comes as optional
file secrets, and no layer, argument or history holds any of it. There is no ``# syntax=`` line: it would
be fetched from a registry on every build.
"""

from __future__ import annotations

from collections.abc import Iterable

from imagekit.plan.user import account_files, user_setting
from imagekit.plan.values import EnvironmentLayer, FilesLayer, Plan, ProjectLayer, SourceLayer, WheelsLayer
from imagekit.spec.base import BaseImage, real_directory, real_path
from imagekit.stages.dockerfile_text import checked, pair, paths, shell_word, word

# What lies in the context beside the Dockerfile.
LOCK, UV, PROJECT, FILES, SOURCE = "lock", "uv", "project", "files", "source"
PYLOCK = "pylock.toml"
# The first line of every one: by it a directory that holds one is known again.
TITLE = "# Made by imagekit"
# Secrets, all of them optional: a PEM file, a netrc file, lines of `export NAME='value'`.
CA, NETRC, ENVIRONMENT = "imagekit-ca", "imagekit-netrc", "imagekit-environment"

_ROOT = "/run/imagekit"
_UNPINNED = "# hadolint ignore=DL3006,DL3007\n"


def reference_dockerfile(plan: Plan, *, uv_image: str | None = None) -> str:
    """The Dockerfile of ``plan``, for a context that ``reference_context`` writes.

    ``uv_image`` names an image with uv at ``/uv``; without it uv lies in the context.
    ``InputError`` for a value that a Dockerfile cannot hold.
    """
    return "\n".join([_header(uv_image), _uv_stage(uv_image), _packages_stage(plan), _image_stage(plan)])


def file_name(number: int) -> str:
    """Where the file of the plan's ``number``-th mapping lies in the context: names of the outside stay outside."""
    return f"{FILES}/{number}"


def _header(uv_image: str | None) -> str:
    lines = [
        f"{TITLE}, to be built where the files beside it are: docker build .",
        "# Optional secrets, for private indexes and certificates of a site's own (--secret id=NAME,src=FILE):",
        f"#   {CA}: certificates to trust (PEM)",
        f"#   {NETRC}: logins (netrc)",
        f"#   {ENVIRONMENT}: settings of uv, proxies (lines of export NAME='VALUE')",
    ]
    if uv_image is None:
        lines.append("# uv may come from an image instead: --build-context uv=docker-image://IMAGE, where it is /uv")
    return "\n".join(lines) + "\n"


def _uv_stage(uv_image: str | None) -> str:
    if uv_image is not None:
        return f"{_from(uv_image)} AS uv\n"
    return f"FROM scratch AS uv\nCOPY --link {UV} /uv\n"


def _packages_stage(plan: Plan) -> str:
    uv, python = f"{_ROOT}/uv", shell_word(plan.base.python.executable, "the Python")
    mounts = [
        f"--mount=type=bind,from=uv,source=/uv,target={uv}",
        f"--mount=type=bind,source={LOCK},target={_ROOT}/{LOCK}",
        f"--mount=type=cache,id=imagekit-uv,target={_ROOT}/cache",
        f"--mount=type=secret,id={CA},target={_ROOT}/ca.pem",
        f"--mount=type=secret,id={NETRC},target={_ROOT}/netrc",
        f"--mount=type=secret,id={ENVIRONMENT},target={_ROOT}/environment",
    ]
    steps = [
        f"if [ -f {_ROOT}/environment ]; then . {_ROOT}/environment; fi",
        f"if [ -f {_ROOT}/ca.pem ]; then export SSL_CERT_FILE={_ROOT}/ca.pem; fi",
        f"if [ -f {_ROOT}/netrc ]; then export NETRC={_ROOT}/netrc; fi",
        # Another file system than the cache's; nothing that lies about in the base is read or fetched.
        f"export UV_CACHE_DIR={_ROOT}/cache UV_LINK_MODE=copy UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never",
        # The same bytes on any day, and no look at the source at import (PEP 552).
        "export UV_NO_PROGRESS=1 UV_PREVIEW_FEATURES=pylock PYC_INVALIDATION_MODE=UNCHECKED_HASH",
        f"{uv} venv --python {python} {plan.prefix.root}",
    ]
    if any(isinstance(layer, WheelsLayer) for layer in plan.layers):
        steps.append(f"{uv} pip install --python {plan.prefix.python} --compile-bytecode -r {_ROOT}/{LOCK}/{PYLOCK}")
    run = "RUN " + " \\\n    ".join([*mounts, " && \\\n    ".join(steps)])
    return f"{_from(plan.base.reference)} AS packages\nUSER 0:0\n{run}\n"


def _image_stage(plan: Plan) -> str:
    base = plan.base
    lines = [_from(base.reference), "USER 0:0"]
    for layer in plan.layers:
        if isinstance(layer, EnvironmentLayer):
            if account := _account(plan):
                lines.append("RUN " + " && \\\n    ".join(account))
            lines.append(_copy(["--from=packages"], layer.prefix.root, layer.prefix.root, base))
        elif isinstance(layer, ProjectLayer):
            # Below the environment, whose directories have no modes of their own.
            lines.append(f"COPY --link {PROJECT}/ {layer.prefix.root}/")
        elif isinstance(layer, FilesLayer):
            for number, mapping in enumerate(layer.files):
                lines.append(_copy([], file_name(number), real_path(mapping.target, base), base))
        elif isinstance(layer, SourceLayer):
            owner = f"--chown={layer.user.uid}:{layer.user.gid}"
            target = real_directory(layer.workdir, base).rstrip("/") + "/"
            lines.append(_copy([owner], f"{SOURCE}/", target, base))
        elif not isinstance(layer, WheelsLayer):
            raise TypeError(f"no Dockerfile is made of {type(layer).__name__}")
    lines += [f"ENV {pair(name, value, 'the environment variable')}" for name, value in plan.env.items()]
    lines += [f"LABEL {pair(name, value, 'the label')}" for name, value in sorted(plan.labels.items())]
    lines.append(f"WORKDIR {word(plan.workdir, 'the working directory')}")
    lines.append(f"USER {word(user_setting(base, plan.user), 'the user')}")
    return "\n".join(lines) + "\n"


def _account(plan: Plan) -> list[str]:
    """The commands that add the user to the base, and give them their directories."""
    base, user = plan.base, plan.user
    before = {"etc/passwd": base.passwd, "etc/group": base.group}
    steps = []
    for path, data in account_files(base, user).items():
        added = data.decode("utf-8", "surrogateescape")[len(before[path]) :]
        if added.startswith("\n"):
            steps.append(f"printf '\\n' >> /{path}")
        for line in filter(None, added.split("\n")):
            steps.append(f"printf '%s\\n' {shell_word(line, 'the account')} >> /{path}")
    owned = [real_directory(plan.workdir, base)]
    if not user.exists:
        owned.append(real_directory(user.home, base))
    directories = " ".join(shell_word(path, "the directory") for path in sorted(set(filter(None, owned))))
    if directories:
        steps.append(f"mkdir -p -- {directories}")
        steps.append(f"chown {user.uid}:{user.gid} -- {directories}")
        steps.append(f"chmod 755 -- {directories}")
    return steps


def _copy(options: Iterable[str], source: str, target: str, base: BaseImage) -> str:
    # Linked, a layer makes the directories above its files anew, with the usual mode and owner, and in the place of
    # links: fine but where the base has it otherwise.
    special = {path for path, *_ in base.directories} | {path for path, _ in base.links}
    above = {target.rstrip("/")[: at or None] for at, c in enumerate(target.rstrip("/")) if c == "/"}
    link = [] if special & (above | {target.rstrip("/")}) else ["--link"]
    return " ".join(["COPY", *link, *options, paths([source, target], f"the path {target!r}")])


def _from(reference: str) -> str:
    checked(reference, "the base image")
    name, _, tag = reference.rpartition("/")[2].partition("@")[0].partition(":")
    unpinned = name != "scratch" and "@" not in reference and tag in ("", "latest")
    return f"{_UNPINNED if unpinned else ''}FROM {reference}"
