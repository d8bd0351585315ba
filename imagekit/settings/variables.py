"""Variables that are read besides those that stand for a key: declared once, for the documentation and for doctor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from imagekit.settings.keys import machine_keys
from imagekit.spec.keys import keys_of

# Ours, that no key of a file stands for.
OWN = {
    "IMAGEKIT_PROFILE": "the profile that holds, as `--profile` says it; `default` for none",
    "IMAGEKIT_CONFIG_FILE": "the user's configuration, in place of `~/.config/imagekit/config.toml`",
    "IMAGEKIT_DEBUG": "`1` shows the traceback of an error",
}
OTHERS = {
    "SOURCE_DATE_EPOCH": "the image's time of creation, in seconds (reproducible-builds.org)",
    "NO_COLOR": "no colours (no-color.org)",
    "XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_DATA_HOME, XDG_STATE_HOME": (
        "where configuration, cache, stored secrets and the record of runs lie"
    ),
    "XDG_CONFIG_DIRS": "where the machine's configuration of uv and pip lies",
    "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG": "the engine and the credentials, as docker itself has them",
    "DOCKER_TLS_VERIFY": "refused for an engine over TCP: use ssh://",
    "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE, PREFECT_DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE": (
        "the default namespace, as Prefect has it"
    ),
    "PREFECT_PROFILE, PREFECT_HOME, PREFECT_PROFILES_PATH": "which of Prefect's profiles it is read from",
    "SSL_CERT_FILE, REQUESTS_CA_BUNDLE, PIP_CERT, CURL_CA_BUNDLE": "certificates to trust: the first that is there",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY, ALL_PROXY": "proxies",
}
# Of the set-up and the tests of a checkout, and of secrets by their own names.
_ELSEWHERE = re.compile(r"IMAGEKIT_(ENGINE_LOG|BENCHMARKS_\w+|STEP_SECRET_\w+|SECRET_\w+|COMPLETE)")


def known_variables() -> set[str]:
    """Every ``IMAGEKIT_…`` that means something."""
    from imagekit.spec.table import Table

    return {*OWN, *(each.variable for each in (*machine_keys().values(), *keys_of(Table).values()))}


def unknown_variables(environ: Mapping[str, str] | Iterable[str]) -> list[str]:
    """What is called ``IMAGEKIT_…`` and means nothing: most likely misspelt."""
    known = known_variables()
    own = (name for name in environ if name.startswith("IMAGEKIT_"))
    return sorted(name for name in own if name not in known and not _ELSEWHERE.fullmatch(name))
