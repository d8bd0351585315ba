"""What a recipe is in a shell: the script of its one step, and the files that the script takes. Pure.

Texts of the recipe stand in files beside the script, or in it as quoted words, so they come out byte for byte.
What the step leaves is the same on any day as far as it is ours: no lists, caches or logs of apt and dpkg, and
one time for all that was written.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib.resources import files as resources

from imagekit.recipes.fitted import Fitted, Repository

# Where the step sees the files of its recipe, and what this machine hands it.
ROOT = "/run/imagekit"
HERE = f"{ROOT}/recipe"
APT_CACHE = f"{ROOT}/apt"
CA = f"{ROOT}/ca.pem"
ENVIRONMENT = f"{ROOT}/environment"
APT_AUTH = f"{ROOT}/apt-auth"
SCRIPT, BUILD_SCRIPT = "apply.sh", "build.sh"
# 1980-01-01, as everywhere in imagekit.
EPOCH = "315532800"
_BEGAN = "/tmp/imagekit-began"  # noqa: S108  # in a file system of the step's own

# File systems of the step, and what the engine lays over an image's own files.
_NOT_OURS = " -o ".join(
    f"-path {path}"
    for path in ("/proc", "/sys", "/dev", ROOT, "/tmp", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")  # noqa: S108
)

_HEAD = f"""\
set -eu
umask 022
cd /
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical LC_ALL=C.UTF-8 HOME=/root SOURCE_DATE_EPOCH={EPOCH}
chmod 1777 /tmp
touch -d '2 seconds ago' {_BEGAN}
# What this machine knows of proxies, and whom it trusts: neither stays in the image.
if [ -f {ENVIRONMENT} ]; then . {ENVIRONMENT}; fi
if [ -s {CA} ]; then
    export SSL_CERT_FILE={CA} CURL_CA_BUNDLE={CA} REQUESTS_CA_BUNDLE={CA} PIP_CERT={CA} GIT_SSL_CAINFO={CA}
    export NODE_EXTRA_CA_CERTS={CA}
fi
"""
# Pattern-Only: a name with a '.' that no package has would be a regular expression, and take any that it fits.
_APT = f"""\
apt() {{
    set -- -q -y -o Dir::Cache={APT_CACHE}/cache -o Dir::State::lists={APT_CACHE}/lists -o Dir::Log=/tmp \\
        -o APT::Keep-Downloaded-Packages=true -o APT::Install-Recommends=false -o APT::Update::Error-Mode=any \\
        -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \\
        -o APT::Cmd::Pattern-Only=true \\
        -o Dpkg::Options::=--log=/dev/null "$@"
    if [ -s {CA} ]; then set -- -o Acquire::https::CAInfo={CA} "$@"; fi
    # The login is root's alone, and so apt's methods must be.
    if [ -f {APT_AUTH} ]; then set -- -o Dir::Etc::netrc={APT_AUTH} -o APT::Sandbox::User=root "$@"; fi
    apt-get "$@"
}}
mkdir -p {APT_CACHE}/cache/archives/partial {APT_CACHE}/lists/partial
"""
_TAIL = f"""\
# No list, no cache, no log of this step stays, and all that it wrote has one time.
rm -rf /var/cache/ldconfig/aux-cache
find /var/log /var/lib/dpkg /var/cache/debconf -xdev -type f -newer {_BEGAN} \\
    \\( -path '/var/log/*' -o -name '*-old' \\) -delete 2>/dev/null || true
find / -xdev \\( {_NOT_OURS} \\) -prune -o -newer {_BEGAN} -exec touch -h -d @{EPOCH} {{}} +
"""


def step_files(recipe: Fitted, keys: Mapping[str, bytes], python: str) -> dict[str, bytes]:
    """The files of the step of ``recipe``: its script, and what that takes. Names are relative.

    ``keys`` has the key of each fingerprint, not armored. ``python`` is the base's interpreter.
    """
    found: dict[str, bytes] = {}
    lines = [f"# {recipe.name}: {_comment(recipe.summary)}", _HEAD]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in recipe.build_env]
    if recipe.uses_apt:
        lines.append(_APT)
    lines += _repositories(recipe, keys, found)
    if recipe.debconf:
        found["debconf"] = "".join(f"{question} {answer}\n" for question, answer in recipe.debconf).encode()
        lines.append(f"debconf-set-selections {HERE}/debconf")
    if recipe.packages:
        lines += ["apt update", f"apt install -- {' '.join(map(shlex.quote, recipe.packages))}"]
    for number, file in enumerate(recipe.files):
        found[f"file-{number}"] = file.content.encode("utf-8", "surrogatepass")
        lines.append(f"install -D -m {file.mode} -- {HERE}/file-{number} {shlex.quote(file.path)}")
    if recipe.edits:
        found["edit.py"] = resources("imagekit.recipes").joinpath("edit_program.py").read_bytes()
        edits = [{"path": e.path, "match": e.match, "replace": e.replace, "append": e.append} for e in recipe.edits]
        found["edits.json"] = json.dumps(edits, indent=1).encode()
        lines.append(f"{shlex.quote(python)} -I -B {HERE}/edit.py {HERE}/edits.json")
    for number, command in enumerate(recipe.commands):
        if command.shell is None:
            lines.append(shlex.join(command.argv))
        else:
            found[f"command-{number}.sh"] = command.shell.encode("utf-8", "surrogatepass")
            lines.append(f"sh -eu {HERE}/command-{number}.sh")
    lines.append(_TAIL)
    found[SCRIPT] = "\n".join(lines).encode("utf-8", "surrogatepass")
    return found


def build_script(packages: tuple[str, ...]) -> bytes:
    """The script of the step that installs what builds need, above all recipes."""
    words = " ".join(map(shlex.quote, packages))
    return "\n".join([_HEAD, _APT, "apt update", f"apt install -- {words}"]).encode()


def _repositories(recipe: Fitted, keys: Mapping[str, bytes], found: dict[str, bytes]) -> list[str]:
    """Commands that make apt know the repositories; their keys and the list are added to ``found``."""
    if not recipe.repositories:
        return []
    lines = []
    stanzas = []
    if any(each.url.startswith("https:") for each in recipe.repositories):
        # Without certificates apt reaches none of them; they come from the distribution's own archive, which is signed.
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        lines.append(f"if [ ! -s {bundle} ]; then apt update && apt install -- ca-certificates; fi")
    for repository in recipe.repositories:
        keyring = repository.keyring
        if not keyring:
            # Several recipes may have the same repository, and apt takes it with one keyring alone.
            name = f"imagekit-{repository.fingerprint}.gpg"
            found[name] = keys[repository.fingerprint]
            keyring = f"/usr/share/keyrings/{name}"
            lines.append(f"install -D -m 0644 -- {HERE}/{name} {keyring}")
        stanzas.append(_stanza(repository, keyring))
    found["sources"] = "\n".join(stanzas).encode()
    lines.append(f"install -D -m 0644 -- {HERE}/sources /etc/apt/sources.list.d/imagekit-{recipe.name}.sources")
    return lines


def _stanza(repository: Repository, keyring: str) -> str:
    """An entry of deb822 style (sources.list(5))."""
    fields = {
        "Types": "deb",
        "URIs": repository.url,
        "Suites": repository.suite,
        "Components": " ".join(repository.components),
        "Architectures": " ".join(repository.architectures),
        "Signed-By": keyring,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def _comment(text: str) -> str:
    return " ".join(text.split())
