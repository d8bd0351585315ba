"""The deployments that a file specifies: it is run, and each ``DeploymentSpec`` that it makes is kept."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.deploying.deploy import Deployed, deploy_all
from imagekit.deploying.pool import new_pool
from imagekit.deploying.spec import DeploymentSpec, collecting
from imagekit.errors import ImagekitError, InputError, InvalidSecret

if TYPE_CHECKING:
    from imagekit.running import DockerFlowRunner
    from imagekit.settings import Settings


def create_from_file(path: Path, pool: str, settings: Settings) -> list[Deployed]:
    """Run the file ``path`` and keep what it specifies. Flows of this machine's files run from the working directory,
    which is mounted. ``pool`` is for those that name none, and is made where it is missing.

    Raises ``InputError``'s kinds, and what building a runner's image raises.
    """
    from imagekit.image import DockerImage
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    specs = [_from_here(spec) for spec in specified_in(path)]
    if any(spec.work_pool_name is None for spec in specs):
        with Store.open(settings.state_dir) as store:
            Pools(store.file).make(new_pool(pool))
    done = []
    for spec in specs:
        image = spec.flow_runner.image if spec.flow_runner is not None else None
        if image is None and spec.flow_runner is not None:
            # What the flow needs; its source comes along.
            image = DockerImage(Path.cwd().name.lower(), context=Path.cwd(), include_source=False)
        if isinstance(image, DockerImage):
            done += deploy_all([spec], work_pool_name=pool, image=image, push=False, settings=settings)[0]
        else:
            if image is not None:
                spec = replace(spec, job_variables={**spec.job_variables, "image": image})
            done += deploy_all([spec], work_pool_name=pool, settings=settings)[0]
    return done


def specified_in(path: Path) -> list[DeploymentSpec]:
    """The specifications that ``path`` makes when it is run. Raises ``InputError`` where it fails, or makes none."""
    if not path.is_file():
        raise InputError(f"{path} is not there", hint="name a Python file that has DeploymentSpec(…) in it")
    directory = str(path.resolve().parent)
    sys.path.insert(0, directory)
    try:
        with collecting() as found:
            runpy.run_path(str(path.resolve()), run_name="imagekit_deployments")
    except ImagekitError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{path} fails: {type(error).__name__}: {error}", hint=f"python {path} shows where") from error
    finally:
        sys.path.remove(directory)
    if not found:
        raise InputError(f"{path} specifies no deployment", hint="DeploymentSpec(name='nightly', flow=FLOW) does")
    return list(found)


def _from_here(spec: DeploymentSpec) -> DeploymentSpec:
    """``spec`` with its flow's source, and the settings of its runner as job variables, which its own go before."""
    from imagekit.runs.here import entrypoint_of

    flow: Any = spec.flow
    if flow.source is None:
        flow = flow.with_options(entrypoint=entrypoint_of(flow), source=str(Path.cwd()))
    given = {} if spec.flow_runner is None else _variables_of(spec.flow_runner)
    return replace(spec, flow=flow, job_variables={**given, **spec.job_variables})


def _variables_of(runner: DockerFlowRunner) -> Mapping[str, Any]:
    settings = runner.settings
    found: dict[str, Any] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        default = each.default_factory() if callable(each.default_factory) else each.default
        if value != default and each.name != "image":
            found[each.name] = list(value) if isinstance(value, tuple) else value
    for name, value in (found.get("env") or {}).items():
        if value is not None and not isinstance(value, str):
            raise InvalidSecret(
                f"env: {name} is a secret, and a deployment keeps none",
                hint=f"job_variables={{'env': {{{name!r}: {{'secret': 'NAME'}}}}}} names a stored one",
            )
    return found
