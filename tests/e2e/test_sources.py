"""Projects whose requirements name directories, archives, repositories and URLs, built and run on a real engine."""

from __future__ import annotations

import json
import secrets
import tarfile
from pathlib import Path

from imagekit.engine.client import Engine
from tests.own_repositories import Repository, git_server, package_files

from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel


def test_sources_of_every_kind_become_wheels_and_a_lock(
    imagekit: Imagekit, project: WriteProject, inside: Inside, engine: Engine, tmp_path: Path
) -> None:
    unique = secrets.token_hex(4)
    files = {
        **package_files("tree", "1.0", below="libs/tree/", value=unique),
        **package_files("packed", "3.0", below="packed-3.0/", value=unique),
    }
    root = project(
        {**files, ".dockerignore": "libs\nvendor\npacked-3.0\nrequirements.txt\n", "app.py": f"# {unique}\n"}
    )
    write_wheel(root / "vendor", "made", "1.5", {"made.py": f"VALUE = {unique!r}\n"})
    with tarfile.open(root / "vendor/packed-3.0.tar.gz", "w:gz") as archive:
        archive.add(root / "packed-3.0", "packed-3.0")
    repository = Repository(tmp_path / "served/part")
    commit = repository.commit(package_files("part", "2.0", below="inner/", value=unique))
    script = "import tree, packed, made, part; print(tree.VALUE, packed.VALUE, made.VALUE, part.VALUE)"
    with git_server(tmp_path / "served") as server:
        lines = [
            "--no-index",
            "-e ./libs/tree",
            "./vendor/packed-3.0.tar.gz",
            "./vendor/made-1.5-py3-none-any.whl",
            f"part @ git+{server}/part/.git@main#subdirectory=inner",
        ]
        (root / "requirements.txt").write_text("\n".join(lines) + "\n")
        locked = imagekit.json("lock", root)
        assert [(p["name"], p["version"]) for p in locked["packages"]] == [
            ("made", "1.5"), ("packed", "3.0"), ("part", "2.0"), ("tree", "1.0"),
        ]  # fmt: skip
        text = (root / "pylock.toml").read_text()
        assert f'commit-id = "{commit}"' in text
        assert str(tmp_path) not in text
        repository.commit(package_files("part", "9.0", below="inner/", value="moved"))
        assert imagekit("lock", root, "--check").returncode == 0
        built = imagekit.json("build", root, "--name", imagekit.name())
    # The server is gone: what was built is kept by its commit.
    assert inside(built["reference"], "python", "-c", script).split() == [unique] * 4
    assert inside(built["reference"], "ls", "/app").split() == ["app.py", "pylock.toml"]
    image = engine.image(built["reference"])
    assert image is not None
    assert str(tmp_path) not in json.dumps(dict(image.labels))

    # An edit of a directory that is installed is a new wheel, and nothing else moves.
    (root / "libs/tree/tree.py").write_text(f"VALUE = 'edited-{unique}'\n")
    again = imagekit.json("build", root, "--name", imagekit.name())
    assert inside(again["reference"], "python", "-c", script).split() == [f"edited-{unique}", *[unique] * 3]
    assert [layer["title"] for layer in again["layers"] if not layer["cached"]] == ["tree==1.0"]


def test_a_build_that_needs_the_network_of_nobody(imagekit: Imagekit, project: WriteProject, tmp_path: Path) -> None:
    """A repository that is gone is told with its address and without a traceback."""
    root = project({"requirements.txt": f"--no-index\npart @ git+http://127.0.0.1:1/part@{'0' * 40}\n"})
    error = imagekit.refused("build", root, "--name", imagekit.name())
    assert (error["error"], error["exit_code"]) == ("RepositoryError", 4)
    assert "http://127.0.0.1:1/part could not be read" in error["message"]
