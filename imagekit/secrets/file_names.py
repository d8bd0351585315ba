"""Files that by their names hold credentials: they rarely belong in an image."""

from __future__ import annotations

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
_ENDINGS = tuple(".pem .key .p12 .pfx .jks .keystore .kdbx .ppk".split())
_PATHS = (".aws/credentials", ".docker/config.json", ".kube/config", ".config/gcloud", ".ssh", ".gnupg", ".azure")


def telling_file(path: str) -> bool:
    """Whether a file at ``path`` (posix, relative) is one that programs keep credentials in."""
    name = path.rpartition("/")[2]
    if name.endswith(_EXAMPLES):
        return False
    if name in _NAMES or name.endswith(_ENDINGS) or name.startswith(".env."):
        return True
    if name.startswith("service-account") and name.endswith(".json"):
        return True
    if not path.startswith(".") and "/." not in path:
        return False
    within = f"/{path}/"
    return any(f"/{place}/" in within for place in _PATHS)
