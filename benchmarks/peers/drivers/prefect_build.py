"""Runs in Prefect's environment: ``base`` prints its image's name; ``BACKEND REFERENCE`` builds this directory."""

import sys

if sys.argv[1] == "base":
    from prefect.utilities.dockerutils import get_prefect_image_name

    print(get_prefect_image_name())
else:
    from prefect.docker import DockerImage

    backend, reference = sys.argv[1:]
    # The build's steps share this machine's network, to reach its index.
    network = {"network_mode": "host"} if backend == "docker-py" else {"network": "host"}
    DockerImage(name=reference, build_backend=backend, pull=False, **network).build()
