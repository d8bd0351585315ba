"""An assembled image beside the one that BuildKit makes of the same plan: file by file, and setting by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.check.bytecode import meanings
from imagekit.check.documented import Documented, documented, kept
from imagekit.check.saved_image import File, files_of
from imagekit.engine.client import Engine
from imagekit.plan.prefix import Prefix

# What of a configuration says how the image runs; times and history tell of its making.
_SETTINGS = (
    *("User", "WorkingDir", "Entrypoint", "Cmd", "ExposedPorts", "Volumes", "StopSignal", "StopTimeout"),
    *("Healthcheck", "OnBuild", "Shell"),
)
_OF_THE_BASE = "org.opencontainers.image."
BYTECODE = Documented(
    name="bytecode",
    reason="marshal marks what else the compiling process referred to; header and code objects are the same",
    covers=lambda path, ours, theirs: False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two images differ."""

    path: str  # of a file; for a setting its name
    message: str

    def to_json(self) -> dict[str, str]:
        return {"path": self.path, "message": self.message}

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two images have in common, and what not."""

    files: int  # paths that were compared
    differences: tuple[Difference, ...]
    documented: tuple[tuple[Documented, int], ...]  # those that are meant, with the number of files each

    def to_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "differences": [difference.to_json() for difference in self.differences],
            "documented": [{"name": d.name, "reason": d.reason, "files": n} for d, n in self.documented],
        }


def compare_images(engine: Engine, assembled: str, reference: str, prefix: Prefix) -> Comparison:
    """Compare two images of ``engine`` by their IDs; their packages are at ``prefix``."""
    keep = kept(prefix)
    ours, theirs = (files_of(engine.save(image), keep) for image in (assembled, reference))
    unlike = [path for path in sorted({*ours, *theirs}) if ours.get(path) != theirs.get(path)]
    pycs = [path for path in unlike if path.endswith(".pyc") and _alike_but_content(ours.get(path), theirs.get(path))]
    same: set[str] = set()
    if pycs:
        mine, others = (meanings(engine, image, pycs) for image in (assembled, reference))
        same = {path for path in pycs if mine[path] == others[path] and not mine[path].startswith("unreadable")}
    found, counts = judged([path for path in unlike if path not in same], ours, theirs, documented(prefix))
    if same:
        counts[BYTECODE] = len(same)
    first, second = (engine.image(image) for image in (assembled, reference))
    if first is not None and second is not None:
        found += setting_differences(first.settings, second.settings)
    return Comparison(files=len({*ours, *theirs}), differences=tuple(found), documented=tuple(counts.items()))


def judged(
    unlike: Sequence[str], ours: Mapping[str, File], theirs: Mapping[str, File], rules: Sequence[Documented]
) -> tuple[list[Difference], dict[Documented, int]]:
    """``unlike`` paths as differences, and how many of them each rule covers."""
    differences: list[Difference] = []
    counts: dict[Documented, int] = {}
    for path in unlike:
        mine, other = ours.get(path), theirs.get(path)
        rule = next((rule for rule in rules if rule.covers(path, mine, other)), None)
        if rule is not None:
            counts[rule] = counts.get(rule, 0) + 1
        else:
            differences.append(Difference(path=path, message=_words(mine, other)))
    return differences, counts


def setting_differences(
    assembled: Mapping[str, Any],
    reference: Mapping[str, Any],
    words: tuple[str, str] = ("assembled", "by BuildKit"),
) -> list[Difference]:
    """Settings of the image's configuration that are not the same; labels of the base itself are left out."""
    ours = {name: assembled.get(name) or None for name in _SETTINGS}
    theirs = {name: reference.get(name) or None for name in _SETTINGS}
    for which, settings in ((ours, assembled), (theirs, reference)):
        which |= {f"Env {name}": value for name, _, value in (e.partition("=") for e in settings.get("Env") or ())}
        which |= {f"Label {name}": value for name, value in (settings.get("Labels") or {}).items()}
    return [
        Difference(path=name, message=f"{ours.get(name)!r} {words[0]}, {theirs.get(name)!r} {words[1]}")
        for name in sorted({*ours, *theirs})
        # A Dockerfile cannot take away what the base says of itself.
        if ours.get(name) != theirs.get(name) and not (name.startswith(f"Label {_OF_THE_BASE}") and name not in ours)
    ]


def _alike_but_content(ours: File | None, theirs: File | None) -> bool:
    if ours is None or theirs is None or ours.content is None or theirs.content is None:
        return False
    return (ours.mode, ours.uid, ours.gid) == (theirs.mode, theirs.uid, theirs.gid)


def _words(ours: File | None, theirs: File | None) -> str:
    if ours is None or theirs is None:
        there = ours or theirs
        assert there is not None
        return f"a {there.kind} {'by BuildKit' if ours is None else 'in the assembled image'} only"
    if ours.kind != theirs.kind:
        return f"a {ours.kind} assembled, a {theirs.kind} by BuildKit"
    said = []
    if ours.mode != theirs.mode:
        said.append(f"mode {ours.mode:04o} assembled, {theirs.mode:04o} by BuildKit")
    if (ours.uid, ours.gid) != (theirs.uid, theirs.gid):
        said.append(f"owner {ours.uid}:{ours.gid} assembled, {theirs.uid}:{theirs.gid} by BuildKit")
    if ours.target != theirs.target:
        said.append(f"a link to {ours.target!r} assembled, to {theirs.target!r} by BuildKit")
    if ours.content != theirs.content:
        said.append(f"other content ({ours.size} bytes assembled, {theirs.size} by BuildKit)")
    return "; ".join(said)
