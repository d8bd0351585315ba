"""What installing the project itself writes, its modules left where its source lies.

The project's modules are in the source layer; a path file puts them on the import path, as
a development install does (PEP 660). So an edited module changes the source layer alone.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from imagekit.layers.wheel import INSTALLER, record, script
from imagekit.plan.prefix import Prefix
from imagekit.spec.image import Project


def project_files(project: Project, prefix: Prefix, workdir: str) -> list[tuple[str, bytes, int]]:
    """``(path, content, mode)`` of the project's metadata, path file and scripts."""
    site = prefix.site_path.lstrip("/")
    escaped = project.name.replace("-", "_").replace(".", "_")
    info = f"{site}/{escaped}-{project.version}.dist-info"
    root = str(PurePosixPath(workdir) / (project.import_root or "."))
    files = [
        (f"{site}/_{escaped}.pth", f"{root}\n".encode(), 0o644),
        (f"{info}/METADATA", project.metadata.encode(), 0o644),
        (f"{info}/INSTALLER", f"{INSTALLER}\n".encode(), 0o644),
        (
            f"{info}/WHEEL",
            b"Wheel-Version: 1.0\nGenerator: imagekit\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            0o644,
        ),
        (f"{info}/direct_url.json", _direct_url(workdir), 0o644),
    ]
    points = _entry_points(project)
    if points:
        files.append((f"{info}/entry_points.txt", points.encode(), 0o644))
    for kind, scripts in (("console", project.scripts), ("gui", project.gui_scripts)):
        for name, value in scripts:
            files.append((f"{prefix.scripts_path.lstrip('/')}/{name}", script(name, value, kind, prefix.python), 0o755))
    files.append((f"{info}/RECORD", record([(path, data) for path, data, _ in files], f"{info}/RECORD", site), 0o644))
    return files


def _direct_url(workdir: str) -> bytes:
    # PEP 610: a local directory, installed in place.
    return json.dumps({"dir_info": {"editable": True}, "url": f"file://{workdir}"}, sort_keys=True).encode()


def _entry_points(project: Project) -> str:
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, value in project.scripts:
        groups.setdefault("console_scripts", []).append((name, value))
    for name, value in project.gui_scripts:
        groups.setdefault("gui_scripts", []).append((name, value))
    for group, name, value in project.entry_points:
        groups.setdefault(group, []).append((name, value))
    return "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(points))
        for group, points in sorted(groups.items())
    )
