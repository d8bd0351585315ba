"""Files that by their names hold credentials: they rarely belong in an image."""

from __future__ import annotations

from fnmatch import fnmatchcase

_EXAMPLES = (".example", ".sample", ".template", ".dist", ".tmpl", ".pub")
# The programs' own names for their files.
_NAMES = frozenset(
    (
        ".env .envrc .netrc _netrc .pypirc .npmrc .yarnrc.yml .git-credentials .dockercfg .pgpass .my.cnf .s3cfg .boto "
        ".vault-token .htpasswd .terraformrc credentials.json client_secret.json application_default_credentials.json "
        "service-account.json service_account.json secrets.json secrets.yaml secrets.yml secrets.toml .secrets.toml "
        "id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk id_ed25519_sk terraform.tfstate kubeconfig"
    ).split()
)
_PATTERNS = (
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "service-account*.json",
)
_PATHS = (".aws/credentials", ".docker/config.json", ".kube/config", ".config/gcloud", ".ssh", ".gnupg", ".azure")


def telling_file(path: str) -> bool:
    """Whether a file at ``path`` (posix, relative) is one that programs keep credentials in."""
    name = path.rpartition("/")[2]
    if name.endswith(_EXAMPLES):
        return False
    if name in _NAMES or (("." in name) and any(fnmatchcase(name, pattern) for pattern in _PATTERNS)):
        return True
    within = f"/{path}/"
    return any(f"/{place}/" in within for place in _PATHS)
