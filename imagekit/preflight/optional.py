"""What files ask for that is no reason to speak of: the host brings it, or their package does without. Pure.

Each row was seen in a published wheel. Whoever adds one says why.
"""

from __future__ import annotations

import re

# NVIDIA's container runtime mounts the driver's libraries into containers that get a GPU; no package is to bring them.
_DRIVER = re.compile(
    r"libcuda\.so\.1|libcudadebugger\.so\.1|libnvcuvid\.so\.1|libnvoptix\.so\.1|libnvidia-[a-z-]+\.so\.1"
)
# (package, the beginning of a file's name): modules that their package tries, and does without.
_TRIED = (
    ("numba", "tbbpool"),  # a threading layer, for whoever has TBB
    ("numba", "omppool"),  # another, of OpenMP
    ("torchaudio", "_torchaudio_sox"),  # a backend, for whoever has SoX
    ("torchaudio", "libtorchaudio_sox"),
    ("torchaudio", "_torchaudio_ffmpeg"),  # one for each release of FFmpeg, of which the first that loads is taken
    ("torchaudio", "libtorio_ffmpeg"),
    ("torchaudio", "_torio_ffmpeg"),
    ("torchcodec", "libtorchcodec_"),  # likewise
)


def is_of_driver(soname: str) -> bool:
    """Whether the library comes with a GPU's driver, from the machine that a container runs on."""
    return bool(_DRIVER.fullmatch(soname))


def is_optional(package: str, name: str) -> bool:
    """Whether ``package`` does without its compiled file ``name``."""
    return any(package == each and name.startswith(beginning) for each, beginning in _TRIED)
