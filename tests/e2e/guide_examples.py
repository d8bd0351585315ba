"""The Python examples of Prefect's guides to flows in containers, as they stand there, and how they are told anew.

*How to run flows in Docker containers* (Prefect 3) and *Docker integration* (``DockerFlowRunner``). Their modules of
Prefect become ``imagekit``, the names of images, registries and repositories those of a test, and nothing else is
changed: ``anew`` does it. docs/prefect-guides.md says which test has which.
"""

from __future__ import annotations

import re

_MODULES = re.compile(
    r"(?m)^from prefect(?:\.docker|\.deployments|\.deployments\.runner|\.blocks\.system|\.flow_runners)? import "
)


def anew(example: str, **names: str) -> str:
    """``example`` imported from imagekit, with ``names`` in the places of those that stand in ``NAMES``."""
    text = _MODULES.sub("from imagekit import ", example)
    assert "prefect" not in text
    for key, name in names.items():
        assert NAMES[key].search(text), key
        text = NAMES[key].sub(name.replace("\\", r"\\"), text)
    return text


NAMES = {
    "image": re.compile(
        r"my_registry/my_image:my_image_tag|my_registry/already-built-image:1\.0|my_image:my_image_tag"
        r"|my-registry/my-image:dev|my-image:my-tag|my-custom-tag|(?<=name=\")my[-_]image(?=\")"
    ),
    "url": re.compile(r"https://github\.com/[\w./-]+\.git"),
    "base": re.compile(r"(?<=^FROM )python:3\.12"),
    "package": re.compile(r"boto3"),
    "packages": re.compile(r"my-extra-package1 my-extra-package2"),
}

# Automatically bake your code into a Docker image

DEPLOY_BUY = """\
from prefect import flow

@flow(log_prints=True)
def buy():
    print("Buying securities")

if __name__ == "__main__":
    buy.deploy(
        name="my-code-baked-into-an-image-deployment",
        work_pool_name="my-docker-pool",
        image="my_registry/my_image:my_image_tag" # YOUR IMAGE REGISTRY
    )
"""
WITHOUT_PUSH = """\
if __name__ == "__main__":
    buy.deploy(
        name="my-code-baked-into-an-image-deployment",
        work_pool_name="my-docker-pool",
        image="my_registry/my_image:my_image_tag",
        push=False
    )
"""
WITHOUT_BUILD = """\
if __name__ == "__main__":
    buy.deploy(
        name="my-code-baked-into-an-image-deployment",
        work_pool_name="my-docker-pool",
        image="my_registry/already-built-image:1.0",
        build=False
    )
"""

# Automatically build a custom Docker image with a local Dockerfile

CUSTOM_DOCKERFILE = """\
from prefect import flow
from prefect.docker import DockerImage


@flow(log_prints=True)
def buy():
    print("Buying securities")


if __name__ == "__main__":
    buy.deploy(
        name="my-custom-dockerfile-deployment",
        work_pool_name="my-docker-pool",
        image=DockerImage(
            name="my_image",
            tag="deploy-guide",
            dockerfile="Dockerfile"
    ),
    push=False
)
"""
SAMPLE_DOCKERFILE = """\
FROM python:3.12

ARG AUTHED_ARTIFACT_REG_URL
COPY ./requirements.txt /requirements.txt

RUN pip install --extra-index-url ${AUTHED_ARTIFACT_REG_URL} -r /requirements.txt
"""
PRIVATE_PACKAGE = """\
from prefect import flow
from prefect.deployments.runner import DockerImage
from prefect.blocks.system import Secret
from myproject.cool import do_something_cool


@flow(log_prints=True)
def my_flow():
    do_something_cool()


if __name__ == "__main__":
    artifact_reg_url = Secret.load("artifact-reg-url")

    my_flow.deploy(
        name="my-deployment",
        work_pool_name="my-docker-pool",
        image=DockerImage(
            name="my-image",
            tag="test",
            dockerfile="sample.Dockerfile",
            buildargs={"AUTHED_ARTIFACT_REG_URL": artifact_reg_url.get()},
        ),
    )
"""
DEFAULT_NAMESPACE = """\
if __name__ == "__main__":
    buy.deploy(
        name="my-code-baked-into-an-image-deployment",
        work_pool_name="my-docker-pool",
        image="my_image:my_image_tag"
    )
"""

# Store your code in git-based cloud storage

GIT_STORAGE = """\
from prefect import flow

if __name__ == "__main__":
    flow.from_source(
        "https://github.com/my_github_account/my_repo/my_file.git",
        entrypoint="flows/no-image.py:hello_world",
    ).deploy(
        name="no-image-deployment",
        work_pool_name="my-docker-pool",
        build=False
    )
"""

# Additional configuration with .deploy

PASS_PARAMS = """\
from prefect import flow


@flow
def hello_world(name: str):
    print(f"Hello, {name}!")


if __name__ == "__main__":
    hello_world.deploy(
        name="pass-params-deployment",
        work_pool_name="my-docker-pool",
        parameters=dict(name="Prefect"),
        image="my_registry/my_image:my_image_tag",
    )
"""
IMAGE_PULL_POLICY = """\
if __name__ == "__main__":
    get_repo_info.deploy(
        name="my-deployment-never-pull",
        work_pool_name="my-docker-pool",
        job_variables={"image_pull_policy": "Never"},
        image="my-image:my-tag",
        push=False
    )
"""
EXTRA_PACKAGES = """\
if __name__ == "__main__":
    get_repo_info.deploy(
        name="my-deployment-never-pull",
        work_pool_name="my-docker-pool",
        job_variables={"env": {"EXTRA_PIP_PACKAGES": "boto3"} },
        image="my-image:my-tag",
        push=False
    )
"""

# Work with multiple deployments with deploy

TWO_POOLS = """\
from prefect import deploy, flow


@flow(log_prints=True)
def buy():
    print("Buying securities")


if __name__ == "__main__":
    deploy(
        buy.to_deployment(name="dev-deploy", work_pool_name="my-docker-pool"),
        buy.to_deployment(name="prod-deploy", work_pool_name="my-other-docker-pool"),
        image="my-registry/my-image:dev",
        push=False,
    )
"""
TWO_FLOWS = """\
from prefect import deploy, flow


@flow(log_prints=True)
def buy():
    print("Buying securities.")


@flow(log_prints=True)
def sell():
    print("Selling securities.")


if __name__ == "__main__":
    deploy(
        buy.to_deployment(name="buy-deploy"),
        sell.to_deployment(name="sell-deploy"),
        work_pool_name="my-docker-pool",
        image="my-registry/my-image:dev",
        push=False,
    )
"""
LOCAL_AND_REMOTE = """\
from prefect import deploy, flow


@flow(log_prints=True)
def local_flow():
    print("I'm a flow!")


if __name__ == "__main__":
    deploy(
        local_flow.to_deployment(name="example-deploy-local-flow"),
        flow.from_source(
            source="https://github.com/org/repo.git",
            entrypoint="flows.py:my_flow",
        ).to_deployment(
            name="example-deploy-remote-flow",
        ),
        work_pool_name="my-docker-pool",
        image="my-registry/my-image:dev",
    )
"""

# Docker integration

SPECIFICATION = """\
from prefect import flow
from prefect.deployments import DeploymentSpec
from prefect.flow_runners import DockerFlowRunner

@flow
def my_flow():
    print("Hello from Docker!")


DeploymentSpec(
    name="example",
    flow=my_flow,
    flow_runner=DockerFlowRunner()
)
"""
RUNNER_WITH_IMAGE = """\
from prefect.flow_runners import DockerFlowRunner

DockerFlowRunner(image="my-custom-tag")
"""
RUNNER_WITH_PACKAGES = """\
from prefect.flow_runners import DockerFlowRunner

DockerFlowRunner(env={"EXTRA_PIP_PACKAGES": "my-extra-package1 my-extra-package2"})
"""
