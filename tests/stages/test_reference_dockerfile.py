"""The Dockerfile of a plan: what it says, and that hadolint has nothing to say."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import BuildError, InputError, InvalidProject
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.plan.make import make_plan
from imagekit.plan.values import Plan
from imagekit.spec.base import BaseImage
from imagekit.spec.image import FileMapping, ImageSpec, Project
from imagekit.spec.installed import Distribution
from imagekit.spec.source_tree import scan
from imagekit.stages.dockerfile_text import word
from imagekit.stages.reference_context import write_context
from imagekit.stages.reference_dockerfile import reference_dockerfile

from ..layers.bases import base
from .test_dockerfile_text import NASTY

HADOLINT = Path(sys.executable).with_name("hadolint")
PROJECT = Project(name="orders", version="1.2", import_root="src", scripts=(("orders", "orders:main"),))


def locked(*names: str, url: str = "https://example.com") -> Lock:
    packages = []
    for name in names:
        filename = f"{name}-1.0-py3-none-any.whl"
        artifact = Artifact(filename=filename, url=f"{url}/{filename}", sha256="0" * 64, size=10)
        packages.append(LockedPackage(name=name, version="1.0", artifact=artifact, direct=True))
    return Lock(packages=tuple(packages), inputs=Digest("sha256:" + "1" * 64), python="3.11.2", platform="linux/amd64")


def planned(on: BaseImage | None = None, lock: Lock | None = None, *, source: bool = True, **spec: Any) -> Plan:
    wanted = ImageSpec(context=Path("/project"), **spec)
    return make_plan(
        wanted,
        locked("alpha", "beta") if lock is None else lock,
        on or base(),
        file_digests={mapping.target: "-:" + "2" * 64 for mapping in wanted.files},
        source_digest="sha256:" + "3" * 64 if source else None,
        labels={"org.opencontainers.image.title": "orders"},
        created=None,
    )


def with_packages() -> BaseImage:
    """A base that holds packages already: then it is no bare one."""
    bare = base()
    there = Distribution(
        name="prefect",
        version="3.0",
        metadata=f"{bare.python.scheme.purelib}/prefect-3.0.dist-info",
        installer="pip",
        is_system=False,
        obstacle=None,
    )
    return replace(bare, python=replace(bare.python, distributions=(there,)))


FILES = (
    FileMapping(source=Path("/project/a"), target="/etc/orders/settings.yml"),
    FileMapping(source=Path("/project/b"), target='/srv/odd "dir"/$HOME it\'s.txt'),
    FileMapping(source=Path("/project/c"), target="/root/in-a-special-directory"),
)
VARIETY: dict[str, Plan] = {
    "plain": planned(),
    "no packages": planned(lock=locked()),
    "no source": planned(source=False),
    "a project": planned(project=PROJECT),
    "files": planned(files=FILES),
    "odd values": planned(
        env=tuple((f"V{n}", text) for n, text in enumerate(NASTY)),
        labels=tuple((f"l.{n}", text) for n, text in enumerate(NASTY)),
        workdir="/srv/my app",
    ),
    "base with a user": planned(base(User="nobody")),
    "base with a user by number": planned(base(User="4711:4711")),
    "base with root": planned(base(User="0")),
    "untagged base": planned(replace(base(), reference="registry.example.com/team/base")),
    "latest base": planned(replace(base(), reference="registry.example.com:5000/base:latest")),
    "pinned base": planned(replace(base(), reference=f"base@sha256:{'1' * 64}")),
    "accounts without a last newline": planned(base(passwd="root:x:0:0::/root:/bin/sh", group="root:x:0:")),
    "at the root": planned(workdir="/"),
    "base with packages": planned(with_packages()),
    "base with packages, none wanted": planned(with_packages(), locked()),
}


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    # One start for all of them; it names the file of which it has something to say.
    for title, plan in VARIETY.items():
        for uv_image in (None, "registry.example.com/uv:0.8"):
            path = tmp_path / f"{title}, {'by an image of uv' if uv_image else 'by uv'}.Dockerfile"
            path.write_text(reference_dockerfile(plan, uv_image=uv_image), "utf-8")
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 2 * len(VARIETY)
    done = subprocess.run([HADOLINT, "--no-color", "--", *paths], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    """Of the last of several files, too."""
    good, bad = tmp_path / "good.Dockerfile", tmp_path / "bad.Dockerfile"
    good.write_text(reference_dockerfile(VARIETY["plain"]), "utf-8")
    bad.write_text("FROM debian\nRUN cd /tmp\nRUN apt-get install python3\n")
    done = subprocess.run([HADOLINT, "--no-color", "--", good, bad], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{bad}:1 DL3006" in done.stdout


@pytest.mark.parametrize("title", VARIETY)
def test_what_holds_for_all(title: str) -> None:
    text = reference_dockerfile(VARIETY[title])
    assert text == reference_dockerfile(VARIETY[title])
    # Parser directives count in the first lines, and a frontend would be fetched from a registry.
    assert not re.search(r"^#\s*\w+\s*=", text, re.MULTILINE)
    for line in text.splitlines():
        if line.startswith("FROM"):
            assert not line.endswith(" ")
    last = text.rstrip().splitlines()[-1]
    assert re.fullmatch(r"USER (app|nobody|4711:4711)", last), last
    for number, value in enumerate(NASTY):
        if title == "odd values":
            assert f"ENV V{number}={word(value, '')}\n" in text


def test_what_the_plan_has_is_in_it() -> None:
    text = reference_dockerfile(planned(project=PROJECT, files=FILES, env=(("TZ", "UTC"),)))
    lines = text.splitlines()
    assert "FROM base:1 AS packages" in lines
    assert "COPY --link --from=packages /opt/venv /opt/venv" in lines
    assert "COPY --link project/ /opt/venv/" in lines
    assert "COPY --link files/0 /etc/orders/settings.yml" in lines
    assert r"""COPY --link ["files/1", "/srv/odd \\\"dir\\\"/\\$HOME it\\'s.txt"]""" in lines
    # The base's own mode of that directory stays.
    assert "COPY files/2 /root/in-a-special-directory" in lines
    assert "COPY --link --chown=1000:1000 source/ /app/" in lines
    assert "ENV TZ=UTC" in lines
    assert "PYC_INVALIDATION_MODE=UNCHECKED_HASH" in text
    assert "--mount=type=secret,id=imagekit-netrc" in text
    assert "--mount=type=cache,id=imagekit-uv" in text
    assert text.index("printf '%s\\n' app:x:1000:1000::/home/app:/bin/sh >> /etc/passwd") < text.index("USER app")


def test_a_base_with_packages_gets_them_beside_its_own() -> None:
    plan = planned(with_packages())
    assert not plan.prefix.is_ours
    text = reference_dockerfile(plan)
    assert "venv" not in text
    assert "AS packages" not in text
    assert "--break-system-packages -r /run/imagekit/lock/pylock.toml" in text
    assert "compile_installed.py" in text


def test_a_base_that_was_made_here_says_how_it_is_elsewhere() -> None:
    place = "imagekit/derived:0123"
    text = reference_dockerfile(planned(replace(base(), found_at=place)))
    assert f"\n# {place} is what imagekit made of base:1.\n" in text
    assert f"--build-context {place}=docker-image://" in text
    assert f"\nFROM {place} AS" in text
    assert "is in no registry" not in reference_dockerfile(planned())
    with pytest.raises(InputError, match="cannot name base:1: it is in an OCI layout") as caught:
        reference_dockerfile(planned(replace(base(), found_at="oci:/home/me/cache:x")))
    assert "/home/me" not in f"{caught.value.message} {caught.value.hint}"


def test_a_value_that_no_line_holds_is_refused() -> None:
    plan = planned()
    for bad in ("a\nRUN id", "a\0"):
        with pytest.raises(InputError, match="the environment variable X"):
            reference_dockerfile(replace(plan, env={"X": bad}))
        with pytest.raises(InputError, match="the directory"):
            reference_dockerfile(replace(plan, workdir=f"/{bad}"))


def test_the_context_holds_all_and_only_that(tmp_path: Path) -> None:
    project, wheels = tmp_path / "project", tmp_path / "wheels"
    (project / "src" / "empty").mkdir(parents=True)
    (project / "src" / "run.sh").write_text("#!/bin/sh\n")
    (project / "src" / "run.sh").chmod(0o700)
    (project / "link").symlink_to("src")
    (project / "a").write_text("a")
    wheels.mkdir()
    (wheels / "alpha-1.0-py3-none-any.whl").write_bytes(b"a wheel")
    lock = locked("alpha", url=wheels.as_uri())
    files = (FileMapping(source=project / "a", target="/etc/a"),)
    plan = planned(lock=lock, files=files, project=PROJECT)
    context = tmp_path / "context"
    for _ in range(2):  # the second time over the first
        write_context(context, plan, lock, scan(project))
        found = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_symlink() or path.is_file()}
        assert found == {
            *("Dockerfile", "uv", "files/0", "lock/pylock.toml", "lock/wheels/alpha-1.0-py3-none-any.whl"),
            *("source/a", "source/link", "source/src/run.sh", "project/bin/orders"),
            "project/lib/python3.11/site-packages/_orders.pth",
            *(
                f"project/lib/python3.11/site-packages/orders-1.2.dist-info/{name}"
                for name in ("METADATA", "INSTALLER", "WHEEL", "RECORD", "direct_url.json", "entry_points.txt")
            ),
        }
        assert (context / "source/link").is_symlink()
        assert (context / "source/src/empty").is_dir()
        assert (context / "source/src/run.sh").stat().st_mode & 0o777 == 0o755
        assert (context / "source/a").stat().st_mode & 0o777 == 0o644
        assert 'path = "wheels/alpha-1.0-py3-none-any.whl"' in (context / "lock/pylock.toml").read_text()
        assert str(tmp_path) not in (context / "lock/pylock.toml").read_text()
        (context / "source" / "left over").write_text("")


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(InvalidProject, match="not empty") as caught:
        write_context(tmp_path, planned(), locked(), None)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["Dockerfile"]


def test_uv_of_this_machine_goes_where_it_runs(tmp_path: Path) -> None:
    bare = base()
    musl = planned(replace(bare, python=replace(bare.python, libc="musl", libc_version="1.2")))
    with pytest.raises(BuildError, match="does not run in base:1") as caught:
        write_context(tmp_path / "a", musl, locked("alpha", "beta"), None)
    assert "--uv-image" in (caught.value.hint or "")
    write_context(tmp_path / "b", musl, locked("alpha", "beta"), None, uv_image="registry.example.com/uv:0.8")
    assert not (tmp_path / "b" / "uv").exists()
    assert "FROM registry.example.com/uv:0.8 AS uv" in (tmp_path / "b" / "Dockerfile").read_text()
