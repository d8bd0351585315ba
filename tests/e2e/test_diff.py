"""``imagekit diff`` between runs and images that were built, and after these are gone."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from imagekit.engine.client import Engine
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord

from .conftest import Imagekit, WriteProject, own_flow


def told(found: Any) -> set[tuple[str, str, str]]:
    return {(change["input"], change["name"], change["change"]) for change in found["changes"]}


def test_two_runs_and_their_images(imagekit: Imagekit, engine: Engine, project: WriteProject, no_index: str) -> None:
    root = project(
        {
            "requirements.txt": f"{no_index}alpha==1.0\nbeta==1.0\n",
            "flow.py": own_flow(),
            "same.py": "",
            "imagekit.toml": f'workdir = "/srv/{secrets.token_hex(8)}"\n',
        }
    )
    name = imagekit.name()
    first = imagekit.json("build", root, "-t", f"{name}:1")
    (root / "requirements.txt").write_text(f"{no_index}alpha==2.0\n")
    (root / "flow.py").write_text(own_flow())
    second = imagekit.json("build", root, "-t", f"{name}:2", "--env", "TZ=UTC")
    expected = {("package", "alpha", "changed"), ("package", "beta", "removed"), ("variable", "TZ", "added")}
    found = imagekit.json("diff", f"{name}:1", f"{name}:2")
    assert told(found) >= expected
    files = {path.rpartition("/")[2] for kind, path, _ in told(found) if kind == "file"}
    assert files == {"flow.py", "requirements.txt"}
    assert found["unknown"] == []
    assert imagekit("diff", f"{name}:1", f"{name}:2", "--exit-code").returncode == 1
    assert imagekit.json("diff", f"{name}:1", first["image_id"], "--exit-code")["same"]

    with Store.open(Path(imagekit.env["XDG_STATE_HOME"]) / "imagekit") as store:
        for n, built in enumerate((first, second)):
            run = RunRecord(
                name=f"run-{n}",
                entrypoint="flow.py:etl",
                reference=built["reference"],
                image_id=built["image_id"],
                parameters={"n": n},
            )
            store.begin(run)
            store.started(run.id)
            store.end(run.id, RunEnd(state="completed", cpu_seconds=n))
    found = imagekit.json("diff", "run-0", "run-1")
    assert told(found) >= {*expected, ("parameter", "n", "changed"), ("image", "image", "changed")}
    text = imagekit("diff", "run-0", "run-1").stdout
    assert "~ alpha 1.0 → 2.0" in text
    assert "+ TZ\n" in text

    # What was noted when the first was built is told when the engine has it no more.
    engine.remove_image(f"{name}:1")
    found = imagekit.json("diff", "run-0", "run-1")
    of_image = {each for each in told(found) if each[0] in ("package", "base", "python", "variable", "setting")}
    assert of_image == expected
    # And without an engine what the runs were asked.
    found = imagekit.json("diff", "run-0", "run-1", env={"IMAGEKIT_ENGINE": "unix:///no/engine.sock"})
    assert ("parameter", "n", "changed") in told(found)
    assert imagekit.refused("diff", "run-0", "run-9")["error"] == "UnknownRun"
    assert imagekit.refused("diff", f"{name}:1", f"{name}:2")["error"] == "EngineError"
