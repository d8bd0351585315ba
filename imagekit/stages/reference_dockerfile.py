"""A plan as the cached multi-stage Dockerfile that people would write for it. Pure.

uv installs the hashed lock in a stage of its own, with cache mounts, and one ``COPY --link`` brings
the virtual environment over. What is private (an index's credentials, a CA bundle) comes as optional
file secrets, and no layer, argument or history holds any of it. There is no ``# syntax=`` line: it would
be fetched from a registry on every build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from imagekit.errors import InputError
from imagekit.oci.reference import MADE_HERE
from imagekit.plan.user import account_files, user_setting
from imagekit.plan.values import (
    EnvironmentLayer,
    FilesLayer,
    Plan,
    ProjectLayer,
    RemovedLayer,
    SourceLayer,
    WheelsLayer,
)
from imagekit.spec.base import BaseImage, real_directory, real_path
from imagekit.spec.commands import reads_context
from imagekit.spec.image import OCI_LAYOUT
from imagekit.stages.beneath import Beneath
from imagekit.stages.dockerfile_text import as_root, checked, pair, paths, shell_word, word

# What lies in the context beside the Dockerfile.
LOCK, UV, PROJECT, FILES, SOURCE = "lock", "uv", "project", "files", "source"
# The stage of the base with what recipes put on it.
BASE = "base"
PYLOCK, NAMES, COMPILER = "pylock.toml", "names.txt", "compile_installed.py"
# The first line of every one: by it a directory that holds one is known again.
TITLE = "# Made by imagekit"
# Secrets, all of them optional: a PEM file, a netrc file, lines of `export NAME='value'`.
CA, NETRC, ENVIRONMENT = "imagekit-ca", "imagekit-netrc", "imagekit-environment"
CLIENT_CERT = "imagekit-client-cert"

_ROOT = "/run/imagekit"
_UV = f"{_ROOT}/uv"
_MOUNTS = (
    f"--mount=type=bind,from=uv,source=/uv,target={_UV}",
    f"--mount=type=bind,source={LOCK},target={_ROOT}/{LOCK}",
    f"--mount=type=cache,id=imagekit-uv,target={_ROOT}/cache",
    f"--mount=type=secret,id={CA},target={_ROOT}/ca.pem",
    f"--mount=type=secret,id={CLIENT_CERT},target={_ROOT}/client.pem",
    f"--mount=type=secret,id={NETRC},target={_ROOT}/netrc",
    f"--mount=type=secret,id={ENVIRONMENT},target={_ROOT}/environment",
)
_SETTINGS = (
    f"if [ -f {_ROOT}/environment ]; then . {_ROOT}/environment; fi",
    f"if [ -f {_ROOT}/ca.pem ]; then export SSL_CERT_FILE={_ROOT}/ca.pem; fi",
    f"if [ -f {_ROOT}/client.pem ]; then export SSL_CLIENT_CERT={_ROOT}/client.pem; fi",
    f"if [ -f {_ROOT}/netrc ]; then export NETRC={_ROOT}/netrc; fi",
    # Another file system than the cache's; nothing that lies about in the base is read or fetched.
    f"export UV_CACHE_DIR={_ROOT}/cache UV_LINK_MODE=copy UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never",
    "export UV_NO_PROGRESS=1 UV_PREVIEW_FEATURES=pylock",
)
_UNPINNED = "# hadolint ignore=DL3006,DL3007\n"


def reference_dockerfile(plan: Plan, *, uv_image: str | None = None, beneath: Beneath | None = None) -> str:
    """The Dockerfile of ``plan``, for a context that ``reference_context`` writes.

    ``uv_image`` names an image with uv at ``/uv``; without it uv lies in the context. ``beneath`` makes the base of
    the image that is named. ``InputError`` for a value that a Dockerfile cannot hold.
    """
    header = _header(uv_image, plan.base.named)
    stages = [header, _uv_stage(uv_image)] if plan.prefix.is_ours or names_of(plan) else [header]
    base = _from(plan.base.place, plan.base.reference)
    if beneath is not None:
        named = _from(plan.base.named.place, plan.base.reference)
        stages.append("\n".join([f"{named} AS {BASE}", *beneath.lines]) + "\n")
        base = f"FROM {BASE}"
    if plan.prefix.is_ours:
        stages.append(_environment_stage(plan, base))
    return "\n".join([*stages, _image_stage(plan, base)])


def file_name(number: int) -> str:
    """Where the file of the plan's ``number``-th mapping lies in the context: names of the outside stay outside."""
    return f"{FILES}/{number}"


def _header(uv_image: str | None, base: BaseImage) -> str:
    lines = [
        f"{TITLE}, to be built where the files beside it are: docker build .",
        "# Optional secrets, for private indexes and certificates of a site's own (--secret id=NAME,src=FILE):",
        f"#   {CA}: certificates to trust (PEM)",
        f"#   {CLIENT_CERT}: a client's certificate and its key (PEM)",
        f"#   {NETRC}: logins (netrc)",
        f"#   {ENVIRONMENT}: settings of uv, proxies (lines of export NAME='VALUE')",
    ]
    if uv_image is None:
        lines.append("# uv may come from an image instead: --build-context uv=docker-image://IMAGE, where it is /uv")
    if base.place.startswith(MADE_HERE):
        if base.place != base.reference:
            lines.append(f"# {base.place} is what imagekit made of {' '.join(base.reference.split())}.")
        lines += [
            f"# {base.place} is in no registry: for another engine, push it to one, and say",
            f"#   --build-context {base.place}=docker-image://REGISTRY/NAME",
        ]
    return "\n".join(lines) + "\n"


def _uv_stage(uv_image: str | None) -> str:
    if uv_image is not None:
        return f"{_from(uv_image)} AS uv\n"
    return f"FROM scratch AS uv\nCOPY --link {UV} /uv\n"


def _environment_stage(plan: Plan, begin: str) -> str:
    """The virtual environment, made and filled in a stage of its own."""
    base, prefix = plan.base, plan.prefix
    python = shell_word(base.python.executable, "the Python")
    steps = [f"{_UV} venv --python {python} {prefix.root}"]
    if names_of(plan):
        # The same bytes on any day, and no look at the source at import (PEP 552).
        steps.insert(0, "export PYC_INVALIDATION_MODE=UNCHECKED_HASH")
        steps.append(f"{_UV} pip install --python {prefix.python} --compile-bytecode -r {_ROOT}/{LOCK}/{PYLOCK}")
    ignored = "# hadolint ignore=DL3002\n" if _has_user(base) else ""
    return f"{begin} AS packages\n{ignored}{_as_root(base)}{_run(_MOUNTS, [*_SETTINGS, *steps])}\n"


def _image_stage(plan: Plan, begin: str) -> str:
    base = plan.base
    lines = [begin + ("\n" + _as_root(base)).rstrip("\n")]
    if not plan.prefix.is_ours and names_of(plan):
        lines.append(_install_in_place(plan))
    for layer in plan.layers:
        if isinstance(layer, EnvironmentLayer):
            if account := _account(plan):
                lines.append(_run([], account))
            if layer.prefix.is_ours:
                lines.append(_copy(["--from=packages"], layer.prefix.root, layer.prefix.root, base))
        elif isinstance(layer, ProjectLayer):
            lines.append(_copy([], f"{PROJECT}/", f"{layer.prefix.root}/", base))
        elif isinstance(layer, FilesLayer):
            for number, mapping in enumerate(layer.files):
                lines.append(_copy([], file_name(number), real_path(mapping.target, base), base))
        elif isinstance(layer, SourceLayer):
            owner = f"--chown={layer.user.uid}:{layer.user.gid}"
            target = real_directory(layer.workdir, base).rstrip("/") + "/"
            lines.append(_copy([owner], f"{SOURCE}/", target, base))
        elif not isinstance(layer, (RemovedLayer, WheelsLayer)):
            raise TypeError(f"no Dockerfile is made of {type(layer).__name__}")
    lines += [f"ENV {pair(name, value, 'the environment variable')}" for name, value in plan.env.items()]
    lines += [f"LABEL {pair(name, value, 'the label')}" for name, value in sorted(plan.labels.items())]
    lines.append(f"WORKDIR {word(plan.workdir, 'the working directory')}")
    user = user_setting(base, plan.user)
    if not user.partition(":")[0].isdecimal():
        # By name, as the image's own accounts have it.
        lines.append("# hadolint ignore=DL3066")
    lines.append(f"USER {word(user, 'the user')}")
    if plan.entrypoint is not None:
        lines.append(f"ENTRYPOINT {json.dumps(list(plan.entrypoint))}")
        # An entrypoint that is set takes the base's command away.
        if command := base.config.settings.get("Cmd"):
            lines.append(f"CMD {json.dumps(list(command))}")
    if plan.commands:
        if reads_context(plan.commands):
            raise InputError(
                "extra_dockerfile_commands take from the project's directory, which lies elsewhere in the context of "
                "the equivalent Dockerfile",
                hint="bring the file by files= (--file), or assemble the image (--builder assemble)",
            )
        lines += as_root(plan.commands, user)
    return "\n".join(lines) + "\n"


def _install_in_place(plan: Plan) -> str:
    """Packages beside those that the base has; uv takes away what it replaces."""
    python = shell_word(plan.base.python.command, "the Python")
    steps = [
        # Debian's own Python asks for it (PEP 668).
        f"{_UV} pip install --python {python} --break-system-packages -r {_ROOT}/{LOCK}/{PYLOCK}",
        # uv would compile the base's packages anew, too.
        f"{python} -I -B {_ROOT}/{LOCK}/{COMPILER} {_ROOT}/{LOCK}/{NAMES}",
    ]
    return _run([*_MOUNTS, "--mount=type=tmpfs,target=/tmp"], [*_SETTINGS, *steps])


def _run(mounts: Sequence[str], steps: Sequence[str]) -> str:
    return "RUN " + " \\\n    ".join([*mounts, " && \\\n    ".join(steps)])


def names_of(plan: Plan) -> list[str]:
    """The packages that uv installs, by name."""
    return sorted(wheel.name for layer in plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels)


def _has_user(base: BaseImage) -> bool:
    return str(base.config.settings.get("User") or "").partition(":")[0] not in ("", "root", "0")


def _as_root(base: BaseImage) -> str:
    return "USER 0:0\n" if _has_user(base) else ""


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


def _from(reference: str, shown: str | None = None) -> str:
    """``FROM reference``; ``shown`` is what a user calls it."""
    shown = shown or reference
    checked(reference, "the base image")
    if reference.startswith(OCI_LAYOUT):
        raise InputError(
            f"a Dockerfile cannot name {shown}: it is in an OCI layout",
            hint="let an engine have it, or push it to a registry, and name it there with --base-image",
        )
    name, _, tag = reference.rpartition("/")[2].partition("@")[0].partition(":")
    unpinned = name != "scratch" and "@" not in reference and tag in ("", "latest")
    return f"{_UNPINNED if unpinned else ''}FROM {reference}"
