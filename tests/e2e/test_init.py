"""What ``imagekit init`` writes builds, and profiles hold for builds that are done again."""

from __future__ import annotations

from pathlib import Path

from .conftest import Imagekit, WriteProject

TOOLS = "def flow(function):\n    return function\n"
FLOW = "import alpha\nfrom tools import flow\n\n\n@flow\ndef etl(n: int = 1):\n    return [n, alpha.VERSION]\n"


def test_what_is_written_builds_and_runs(imagekit: Imagekit, project: WriteProject, no_index: str) -> None:
    root = project({"requirements/prod.txt": f"{no_index}alpha==1.0\n", "flow.py": FLOW, "tools.py": TOOLS})
    told = imagekit.json("init", root)
    holding = {each["key"]: each["value"] for each in told["keys"] if each["holds"]}
    assert holding == {"requirements": ["requirements/prod.txt"], "entrypoints": ["flow.py:etl"]}
    assert told["next"] == [f"imagekit build {root}", f"imagekit run flow.py:etl --project {root}"]
    reference = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    assert imagekit.json("run", "flow.py:etl", "--image", reference, "-p", "n=7")["result"] == [7, "1.0"]


def test_a_script_that_imports_and_declares_nothing(imagekit: Imagekit, project: WriteProject) -> None:
    root = project({"main.py": "import attrs\n\n\ndef main():\n    return attrs.__name__\n"})
    assert imagekit("init", root).returncode == 0
    reference = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    assert imagekit.json("run", "main.py:main", "--image", reference)["result"] == "attrs"


def test_a_profile_holds_when_a_build_is_done_again(
    imagekit: Imagekit, project: WriteProject, no_index: str, tmp_path: Path
) -> None:
    root = project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": FLOW, "tools.py": TOOLS})
    name = imagekit.name()
    (tmp_path / "config.toml").write_text(
        f'default-namespace = "first.example.com/{name}"\n[profiles.second]\nlabels = {{which = "2"}}\n'
        f'default-namespace = "second.example.com/{name}"\n'
    )
    words = ("build", root, "--name", "app", "--profile", "second")
    first = imagekit.json(*words)
    assert first["reference"].startswith(f"second.example.com/{name}/app:")
    assert imagekit.json(*words)["reference"] == first["reference"]
    # An edited source is built by the record of the last build, whose profile is the one that was named.
    (root / "tools.py").write_text(TOOLS + "\n\nOTHER = 1\n")
    edited = imagekit.json(*words)
    assert edited["reference"].startswith(f"second.example.com/{name}/app:")
    assert edited["reference"] != first["reference"]
    assert imagekit.json("build", root, "--name", "app")["reference"].startswith(f"first.example.com/{name}/app:")
    (tmp_path / "config.toml").write_text("")
    assert "no profile 'second'" in imagekit.refused(*words)["message"]
