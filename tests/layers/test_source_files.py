"""Which files of the source differ from those in a layer that was made of it."""

from __future__ import annotations

import os
from pathlib import Path

from imagekit.layers.source_files import changed_files
from imagekit.layers.tree_layer import write_source
from imagekit.plan.changes import FileChanges
from imagekit.plan.user import choose_user
from imagekit.spec.source_tree import scan

from .bases import base


def _layer(root: Path, to: Path, workdir: str = "/app") -> Path:
    tree = scan(root)
    with open(to, "wb") as out:
        write_source(tree, tree.digest(), workdir, choose_user(base()), base(), out)
    return to


def test_files_links_modes(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "sub" / "empty").mkdir(parents=True)
    for name in ("same", "edited", "longer", "mode", "gone", "to-link", "sub/ä", "sub/" + "n" * 120):
        (root / name).write_text(name)
    (root / "link").symlink_to("same")
    (root / "moved-link").symlink_to("same")
    layer = _layer(root, tmp_path / "layer.tar")
    assert changed_files(layer, "app", scan(root)) == FileChanges()

    (root / "edited").write_text("EDITED")
    (root / "longer").write_text("longer than before")
    os.chmod(root / "mode", 0o755)
    (root / "gone").unlink()
    (root / "to-link").unlink()
    (root / "to-link").symlink_to("same")
    (root / "moved-link").unlink()
    (root / "moved-link").symlink_to("edited")
    (root / "sub" / "new").write_text("")
    os.utime(root / "same", (1, 1))
    assert changed_files(layer, "app", scan(root)) == FileChanges(
        added=("sub/new",), changed=("edited", "longer", "mode", "moved-link", "to-link"), removed=("gone",)
    )


def test_a_source_at_the_root(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "flow.py").write_text("1")
    layer = _layer(root, tmp_path / "layer.tar", "/")
    (root / "flow.py").write_text("2")
    assert changed_files(layer, "", scan(root)) == FileChanges(changed=("flow.py",))


def test_a_layer_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(b"x" * 2000)
    (tmp_path / "project").mkdir()
    assert changed_files(tmp_path / "layer.tar", "app", scan(tmp_path / "project")) is None
    assert changed_files(tmp_path / "missing.tar", "app", scan(tmp_path / "project")) is None
