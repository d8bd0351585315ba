"""What the engine pushed is looked at."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from imagekit.building.pushing import _see
from imagekit.errors import PushError
from imagekit.oci.digest import digest_of
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import SilentReporter
from imagekit.registry.client import Registry
from imagekit.registry.values import Pushed

from ..own_registry import OwnRegistry
from ..registry.images import PATIENCE, image, layer, push


def see(pushed: Pushed, platform: str) -> None:
    reference = Reference.parse(pushed.reference)
    with Registry(reference.registry, patience=PATIENCE) as registry:
        _see(registry, reference, pushed, Platform.parse(platform), SilentReporter())


@pytest.mark.parametrize("platforms", [["linux/amd64"], ["linux/amd64", "linux/arm64"]])
def test_one_platform_and_several(shared_registry: OwnRegistry, platforms: list[str]) -> None:
    images = [image(layer(secrets.token_hex(6)), platform=platform) for platform in platforms]
    pushed = push(f"{shared_registry.name}/tests/{secrets.token_hex(4)}:v1", *images)
    for platform in platforms:
        see(pushed, platform)
    with pytest.raises(PushError, match="has another manifest"):
        see(dataclasses.replace(pushed, digest=digest_of(b"another")), platforms[0])
