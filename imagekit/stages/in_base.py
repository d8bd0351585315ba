"""Running a program in a throw-away BuildKit stage of a base image.

The stage is built and never kept: what the program wrote comes back by a local export. Text that
comes from outside never reaches the Dockerfile, except for the base's own name and Python; the
program's arguments travel in a file that ``inside_base.py`` reads. Credentials and the host's CA
bundle are file secrets (BuildKit 0.13 knows no other), so no layer, log or cache holds them.
No ``# syntax=`` line is written: it would be fetched from a registry on every build.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imagekit.engine.faults import reach
from imagekit.errors import BaseNotFound, BuildError
from imagekit.lock.access import IndexAccess
from imagekit.lock.runner import DIRECTORIES, CompletedInBase
from imagekit.oci.platform import Platform
from imagekit.preflight.values import Remedy
from imagekit.progress import Reporter, SilentReporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.spec.base import BaseImage
from imagekit.spec.url import redacted
from imagekit.stages.buildx import BuildxFailed, buildx_fault, buildx_lines

_ROOT = PurePosixPath("/run/imagekit")
_OUT = "/imagekit-out"
_CACHE = _ROOT / "cache"
_LAST_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RanInBase:
    """How a program ended, its words, and the directory that its outputs lie in."""

    exit_code: int
    stdout: str
    stderr: str
    outputs: Path


@dataclass(frozen=True, kw_only=True)
class InBase:
    """Runs programs in stages of ``base``; a :class:`~imagekit.lock.runner.BaseRunner`.

    ``engine``: the engine's address, or ``None`` for the one that the docker client would use.
    ``context``: a docker context instead of an address. ``access``: which indexes programs in the base ask, by
    which logins and proxies, trusting whom; offline there is no network. ``handed``: secrets and ssh agents that
    programs in the base see at ``/run/secrets`` and by ``SSH_AUTH_SOCK``. ``title`` heads the progress.
    ``in_engine`` gives ``base`` as the engine has it, which may be given it then. ``remedies``: the recipes that may
    mend what a build lacks.
    """

    base: BaseImage
    engine: str | None = None
    context: str | None = None
    access: IndexAccess = field(default_factory=IndexAccess)
    handed: Handed = NOTHING
    reporter: Reporter = field(default_factory=SilentReporter)
    title: str = "running in the base"
    in_engine: Callable[[BaseImage], BaseImage] = lambda base: base
    remedies: Callable[[], Sequence[Remedy]] = tuple

    def __call__(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, bytes],
        programs: Mapping[str, Path],
        directories: Mapping[str, Path],
        outputs: Sequence[str],
    ) -> CompletedInBase:
        with tempfile.TemporaryDirectory(prefix="imagekit-stage-") as directory:
            ran = self.run(
                argv,
                inputs=inputs,
                programs=programs,
                directories=directories,
                outputs=outputs,
                into=Path(directory, "out"),
                answers=True,
            )
            found = {name: (ran.outputs / name).read_bytes() for name in outputs if (ran.outputs / name).is_file()}
            return CompletedInBase(exit_code=ran.exit_code, stdout=ran.stdout, stderr=ran.stderr, outputs=found)

    def run(
        self,
        argv: Sequence[str],
        *,
        inputs: Mapping[str, bytes],
        programs: Mapping[str, Path],
        directories: Mapping[str, Path],
        outputs: Sequence[str],
        into: Path,
        copies: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        network: str | None = None,
        answers: bool = False,
    ) -> RanInBase:
        """As a call, with the outputs left in the directory ``into``; ``outputs`` may be glob patterns.

        ``copies`` are copied into the working directory (name there → path in the base), to be written to.
        ``environment`` is of this program alone and no secret. ``network`` is BuildKit's ``RUN --network``.
        ``answers``: stdout is an answer, and comes byte for byte; else secrets in it are ``***``, as in ``stderr``.
        """
        if programs and self.base.config.platform.architecture != Platform.host().architecture:
            raise BuildError(
                f"{self.title}: programs of this machine do not run in a {self.base.config.platform} base",
                hint=f"build on a machine of {self.base.config.platform.architecture}, or of packages that have wheels",
            )
        if self.context is None and self.engine is not None:
            reach(self.engine)
        base = self.in_engine(self.base)
        with tempfile.TemporaryDirectory(prefix="imagekit-stage-") as temporary:
            context = Path(temporary, "context")
            beside = Path(temporary, "programs")
            self._write_context(context, argv, inputs, outputs, copies or {}, environment or {}, answers=answers)
            beside.mkdir()
            for name, path in programs.items():
                shutil.copy2(path, beside / name)
            contexts = {"imagekit-programs": beside} if programs else {}
            contexts |= {f"imagekit-{name}": path for name, path in directories.items()}
            (context / "Dockerfile").write_text(
                dockerfile(
                    base,
                    programs=bool(programs),
                    directories=sorted(directories),
                    network="none" if self.access.offline else network,
                    mounts=self.handed.mounts(),
                ),
                "utf-8",
            )
            self._build(context, contexts, into)
        return RanInBase(
            exit_code=int((into / "exit_code").read_text("ascii")),
            stdout=_text(into / "stdout"),
            stderr=redacted(_text(into / "stderr")),
            outputs=into / "outputs",
        )

    def _write_context(
        self,
        context: Path,
        argv: Sequence[str],
        inputs: Mapping[str, bytes],
        outputs: Sequence[str],
        copies: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        answers: bool,
    ) -> None:
        driver = context / "in"
        (driver / "inputs").mkdir(parents=True)
        shutil.copyfile(Path(__file__).with_name("inside_base.py"), driver / "inside_base.py")
        for name, content in inputs.items():
            place = driver / "inputs" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        plan = {
            "argv": list(argv),
            "outputs": list(outputs),
            "copies": dict(copies),
            "out": _OUT,
            "answers": answers,
            "python": self.base.python.executable,
            "programs": str(_ROOT / "programs"),
            "ca_bundle": str(_ROOT / "ca.pem"),
            "client_cert": str(_ROOT / "client.pem"),
            "netrc": str(_ROOT / "netrc"),
            "secret_environment": str(_ROOT / "environment.json"),
            "environment": {
                "UV_CACHE_DIR": str(_CACHE / "uv"),
                "UV_TOOL_DIR": str(_CACHE / "uv-tools"),
                "UV_LINK_MODE": "copy",  # the cache is another file system
                "UV_PYTHON_DOWNLOADS": "never",
                "UV_NO_PROGRESS": "1",
                "PIP_CACHE_DIR": str(_CACHE / "pip"),
                "PIP_TOOLS_CACHE_DIR": str(_CACHE / "pip-tools"),
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "HOME": "/root",
                **environment,
            },
        }
        (driver / "plan.json").write_text(json.dumps(plan), "utf-8")

    def _build(self, context: Path, contexts: Mapping[str, Path], into: Path) -> None:
        # Not from BuildKit's cache: an index answers differently tomorrow, and what a
        # program failed at must not be remembered. What is worth keeping is kept by us.
        words = ["buildx", "build", "--progress", "plain", "--no-cache", "--provenance=false"]
        words += ["--output", f"type=local,dest={into}"]
        for name, path in contexts.items():
            words += ["--build-context", f"{name}={path}"]
        environment, access = self.access.in_base(), self.access
        certificates = {"imagekit-ca": access.ca_bundle, "imagekit-client-cert": access.client_cert}
        handed = self.handed.with_own(
            {"imagekit-environment": json.dumps(environment), "imagekit-netrc": access.netrc()},
            files={name: path for name, path in certificates.items() if path is not None},
        )
        words += handed.arguments()
        last: deque[str] = deque(maxlen=_LAST_LINES)
        try:
            lines = buildx_lines([*words, "--", str(context)], engine=self.engine, context=self.context, handed=handed)
            with self.reporter.task(self.title) as task, closing(lines):
                for line in lines:
                    last.append(redacted(line))
                    task.note(last[-1])
        except BuildxFailed:
            text = "\n".join(last)
            raise buildx_fault(text) or _failed(self.base, text) from None


def dockerfile(
    base: BaseImage,
    *,
    programs: bool,
    directories: Sequence[str],
    network: str | None = None,
    mounts: Sequence[str] = (),
) -> str:
    """The Dockerfile of the stage. Pure; ``base``, its Python and ``mounts`` are all that it says of the outside."""
    mounts = [
        *mounts,
        f"--mount=type=bind,source=in,target={_ROOT}/in",
        f"--mount=type=cache,id=imagekit-tools,target={_CACHE}",
        f"--mount=type=secret,id=imagekit-ca,target={_ROOT}/ca.pem",
        f"--mount=type=secret,id=imagekit-client-cert,target={_ROOT}/client.pem",
        f"--mount=type=secret,id=imagekit-netrc,target={_ROOT}/netrc",
        f"--mount=type=secret,id=imagekit-environment,target={_ROOT}/environment.json",
    ]
    if programs:
        mounts.append(f"--mount=type=bind,from=imagekit-programs,target={_ROOT}/programs")
    mounts += [f"--mount=type=bind,from=imagekit-{name},target={DIRECTORIES / name}" for name in directories]
    if network is not None:
        mounts.append(f"--network={network}")
    command = json.dumps([base.python.executable, "-I", "-B", f"{_ROOT}/in/inside_base.py"])
    return (
        f"FROM {base.place} AS work\n"
        "USER 0:0\n"
        "RUN " + " \\\n    ".join([*mounts, command]) + "\n"
        "FROM scratch\n"
        f"COPY --from=work {_OUT}/ /\n"
    )


def _failed(base: BaseImage, words: str) -> BuildError | BaseNotFound:
    if "failed to resolve source metadata" in words or "pull access denied" in words:
        return BaseNotFound(
            f"the base image {base.reference} is neither in the engine nor can it be pulled",
            hint="imagekit base build makes one from Debian packages",
            details=words,
        )
    return BuildError(
        f"a build step in the base image {base.reference} could not be run",
        hint="what stands above is BuildKit's own words; docker info shows whether the engine is well",
        details=words,
    )


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.exists() else ""
