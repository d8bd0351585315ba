"""uv's and pip's own variables: which are said in other words, which are handed on, and which count for nothing here.

Only what changes how servers are reached, and never what is chosen, is handed on as it is
(``crates/uv-static/src/env_vars.rs`` of uv 0.13, ``cmdoptions.py`` of pip 26). What would change a resolution must be
seen in the inputs' digest, so it is read by name (``uv_config``, ``pip_config``) or not at all; ``imagekit doctor``
shows what is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# What the access says instead.
_SAID = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY|INSECURE_HOST|PRERELEASE|EXCLUDE_NEWER"
    r"|OFFLINE|CONFIG_FILE|NO_CONFIG|NO_SYSTEM_CONFIG|KEYRING_PROVIDER|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD))"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|PRE|KEYRING_PROVIDER"
    r"|CONFIG_FILE)|SSL_CLIENT_CERT|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy"
)
HANDED_ON = frozenset(
    """UV_CACHE_DIR UV_NO_CACHE UV_LOCK_TIMEOUT UV_STACK_SIZE UV_LOG_CONTEXT
    UV_HTTP_TIMEOUT UV_HTTP_CONNECT_TIMEOUT UV_HTTP_RETRIES UV_REQUEST_TIMEOUT
    UV_CONCURRENT_DOWNLOADS UV_CONCURRENT_BUILDS UV_CONCURRENT_INSTALLS UV_CONCURRENT_CACHE_READS
    UV_NATIVE_TLS UV_SYSTEM_CERTS
    UV_CREDENTIALS_DIR UV_API_KEY UV_AUTH_TOKEN UV_NO_HF_TOKEN
    UV_S3_ENDPOINT_URL UV_GCS_ENDPOINT_URL UV_AZURE_ENDPOINT_URL
    PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_TIMEOUT PIP_DEFAULT_TIMEOUT PIP_RETRIES PIP_RESUME_RETRIES
    PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT PIP_NO_COLOR PIP_PROGRESS_BAR PIP_ROOT_USER_ACTION""".split()
)
# Of other commands than those that resolve, or of what each call says itself.
_OF_NO_MATTER = re.compile(
    r"UV_((NO_)?(MANAGED_)?PYTHON\w*|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|LIBC|TOOL_\w+|PUBLISH_\w+|PROJECT\w*|NO_PROJECT"
    r"|WORKING_DIR(ECTORY)?|(NO_)?ENV_FILE|NO_PROGRESS|NO_WRAP|LINK_MODE|COMPILE_BYTECODE\w*|FROZEN|LOCKED|NO_SYNC"
    r"|(NO_)?DEV|NO_GROUP|NO_DEFAULT_GROUPS|NO_EDITABLE|(NO|ONLY)_INSTALL_\w+|ISOLATED|INIT_\w+|VENV_\w+|RUN_\w+"
    r"|INSTALL_DIR|INSTALLER_\w+|UNMANAGED_INSTALL|DOWNLOAD_URL|NO_MODIFY_PATH|NO_INSTALLER_METADATA|GITHUB_\w+"
    r"|NO_GITHUB_FAST_PATH|GIT_LFS|HIDE_BUILD_OUTPUT|CUSTOM_COMPILE_COMMAND|SHOW_RESOLUTION|NO_VERIFY_HASHES"
    r"|MALWARE_\w+|UPDATE_SCHEMA|TEST_\w+|INTERNAL__\w+)"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|SRC|REQUIRE_VIRTUALENV|BREAK_SYSTEM_PACKAGES|NO_WARN\w*|QUIET|VERBOSE|LOG|DEBUG"
    r"|NO_COMPILE|COMPILE|PYTHON|FORMAT|NO_CLEAN|FORCE_REINSTALL|IGNORE_INSTALLED|UPGRADE|IS_CI|NO_PYTHON_VERSION_WARNING)"
)


def handed_on(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of other programs: without uv's and pip's own, but for those that only reach servers."""
    return {
        name: value
        for name, value in variables.items()
        if name in HANDED_ON or not (_SAID.fullmatch(name) or name.startswith(("UV_", "PIP_")))
    }


def not_honoured(variables: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Those of ``variables`` that would change what uv or pip chooses, and do not here; and those of no matter."""
    left = sorted(
        name
        for name, value in variables.items()
        if value and name.startswith(("UV_", "PIP_")) and name not in HANDED_ON and not _SAID.fullmatch(name)
    )
    return [n for n in left if not _OF_NO_MATTER.fullmatch(n)], [n for n in left if _OF_NO_MATTER.fullmatch(n)]
