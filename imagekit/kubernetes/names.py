"""What Kubernetes takes as names, labels and quantities. Pure.

Source: kubernetes.io, *Object Names and IDs* (RFC 1123 labels and subdomains) and *Labels and Selectors*;
``apimachinery/pkg/util/validation``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from imagekit.errors import InputError

MOST = 63  # of a label; a Job's pods repeat its name as one
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
# ``apimachinery/pkg/api/resource``; a request is no less than nothing.
_QUANTITY = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
# Of what a Job's name is made of, its pods' names take six more.
_MOST_OF_JOB = MOST - 6


def object_name(text: str) -> str:
    """``text`` as a Job's name; what had to be changed is told apart by a digest."""
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if found and found == text and len(found) <= _MOST_OF_JOB:
        return found
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{found[: _MOST_OF_JOB - 7].strip('-') or 'run'}-{mark}"


def check_name(value: object, what: str) -> str:
    """A name of one label (a namespace). Raises ``InputError``."""
    if not isinstance(value, str) or len(value) > MOST or not _LABEL.fullmatch(value):
        raise InputError(
            f"{what}: {value!r} is no name in Kubernetes",
            hint=f"use lower-case letters, digits and '-', {MOST} at most",
        )
    return value


def check_subdomain(value: object, what: str) -> str:
    """A name of several labels (a service account, a secret). Raises ``InputError``."""
    if not isinstance(value, str) or len(value) > 253 or not _SUBDOMAIN.fullmatch(value):
        raise InputError(
            f"{what}: {value!r} is no name in Kubernetes", hint="use lower-case letters, digits, '-' and '.'"
        )
    return value


def check_labels(labels: Mapping[str, str]) -> list[InputError]:
    """What of ``labels`` no object of Kubernetes can have."""
    problems = []
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        is_key = len(name) <= MOST and _WORD.fullmatch(name) is not None
        if slash:
            is_key = is_key and len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix) is not None
        if not is_key or (value and (len(value) > MOST or not _WORD.fullmatch(value))):
            problems.append(
                InputError(
                    f"labels: Kubernetes takes no label {key}={value}",
                    hint=f"use letters, digits, '-', '_' and '.' in both, {MOST} at most; annotations take more",
                )
            )
    return problems


def check_quantity(value: object, what: str) -> list[InputError]:
    """What is wrong with an amount of a resource: ``500m``, ``1.5``, ``1Gi``."""
    if value is None or (isinstance(value, str) and _QUANTITY.fullmatch(value)):
        return []
    return [InputError(f"{what}: {value!r} is no quantity of Kubernetes", hint="write '500m', '1.5' or '1Gi'")]


def secret_key(value: object, what: str) -> dict[str, str]:
    """``SECRET/KEY`` as a ``secretKeyRef``. Raises ``InputError``."""
    secret, slash, key = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or not _KEY.fullmatch(key):
        raise InputError(f"{what}: {value!r} is no key of a secret", hint="write SECRET/KEY, as the cluster has it")
    return {"name": check_subdomain(secret, what), "key": key}
