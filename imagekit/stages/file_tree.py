"""The file system that an image's layers come to, as a tree of what is where (image-spec, layer.md). Pure.

Members are applied in the order in which the layers have them: whiteouts take away what lower
layers have, and what an upper layer has at a path is what is there. No path leads out of the root:
links are followed here, within the tree, and ``..`` in a member's name is refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# As Linux has it (path_resolution(7)).
_MOST_LINKS = 40


class BadLayer(ValueError):
    """A member that no image may have; the message says which."""


@dataclass(slots=True, kw_only=True)
class Node:
    """What is at a path."""

    kind: str  # dir, file, link, other (a device, a pipe)
    mode: int
    uid: int
    gid: int
    layer: int  # the last one that named it, counted from the lowest
    size: int = 0  # bytes of a file
    target: str = ""  # of a link, as it is written
    held: int | None = None  # a file's number among those whose content was kept
    children: dict[str, Node] = field(default_factory=dict)


class FileTree:
    """A root directory that layers are applied to, the lowest first."""

    def __init__(self) -> None:
        self.root = _directory(0)

    def add(self, member: tarfile.TarInfo, layer: int, held: int | None = None) -> None:
        """Apply one member of layer number ``layer``; raises ``BadLayer``."""
        parts = parts_of(member.name)
        if not parts:
            if member.isdir():
                self.root.mode, self.root.uid, self.root.gid = member.mode & 0o7777, member.uid, member.gid
            return
        parent, name = self._parent(parts, layer), parts[-1]
        if name.startswith(WHITEOUT):
            _whiteout(parent, name, layer)
            return
        there = parent.children.get(name)
        if member.isdir() and there is not None and there.kind == "dir":
            there.mode, there.uid, there.gid, there.layer = member.mode & 0o7777, member.uid, member.gid, layer
            return
        parent.children[name] = self._linked(member, layer) if member.islnk() else _node(member, layer, held)

    def _linked(self, member: tarfile.TarInfo, layer: int) -> Node:
        node: Node | None = self.root
        for part in parts_of(member.linkname):
            node = node.children.get(part) if node is not None and node.kind == "dir" else None
        if node is None or node.kind == "dir":
            raise BadLayer(f"{member.name!r} is a hard link to {member.linkname!r}, which is no file")
        return replace(node, layer=layer)

    def _parent(self, parts: list[str], layer: int) -> Node:
        """The directory that the member with ``parts`` is in, made where no member made it."""
        nodes = [self.root]
        waiting, followed = parts[-2::-1], 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":  # of a link's target; above the root is the root
                nodes = nodes[:-1] or nodes
                continue
            child = nodes[-1].children.get(part)
            if child is not None and child.kind == "link" and child.layer == layer:
                # What the layer itself has said: where an engine unpacks it, it leads there.
                followed += 1
                if followed > _MOST_LINKS:
                    raise BadLayer(f"{'/'.join(parts)!r} is beyond too many links")
                nodes = [self.root] if child.target.startswith("/") else nodes
                waiting += child.target.split("/")[::-1]
                continue
            if child is None or child.kind != "dir":
                # A lower layer's link or file gives way, as it does to a directory that is named.
                child = nodes[-1].children[part] = _directory(layer)
            child.layer = layer
            nodes = [*nodes, child]
        return nodes[-1]

    def resolve(self, path: str) -> tuple[str, Node] | None:
        """Where ``path`` leads, all links followed: the real path and what is there; ``None`` where nothing is."""
        real, node = self.realpath(path)
        return (real, node) if node is not None else None

    def realpath(self, path: str) -> tuple[str, Node | None]:
        """As ``resolve``, with the path as far as it leads and the rest of it as it is where nothing is there."""
        done: list[str] = []
        nodes: list[Node | None] = [self.root]
        waiting, followed = path.split("/")[::-1], 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                # Above the root is the root.
                if done:
                    done.pop()
                    nodes.pop()
                continue
            child = nodes[-1].children.get(part) if nodes[-1] is not None else None
            if child is not None and child.kind == "link":
                followed += 1
                if followed > _MOST_LINKS:
                    return path, None
                if child.target.startswith("/"):
                    done, nodes = [], [self.root]
                waiting += child.target.split("/")[::-1]
                continue
            done.append(part)
            nodes.append(child)
        return "/" + "/".join(done), nodes[-1]

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Every path below the root and what is there, directories before what they hold; links are not followed."""
        pending = [("", self.root)]
        while pending:
            path, node = pending.pop()
            for name, child in node.children.items():
                yield f"{path}/{name}", child
                if child.kind == "dir":
                    pending.append((f"{path}/{name}", child))


def parts_of(name: str) -> list[str]:
    """The parts of a member's name below the root; ``BadLayer`` for one that may lead out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise BadLayer(f"{name!r} leads out of the image")
    return parts


def _node(member: tarfile.TarInfo, layer: int, held: int | None) -> Node:
    mode, uid, gid = member.mode & 0o7777, member.uid, member.gid
    if member.isdir():
        return Node(kind="dir", mode=mode, uid=uid, gid=gid, layer=layer)
    if member.issym():
        return Node(kind="link", mode=mode, uid=uid, gid=gid, layer=layer, target=member.linkname)
    if member.isreg():
        return Node(kind="file", mode=mode, uid=uid, gid=gid, layer=layer, size=member.size, held=held)
    return Node(kind="other", mode=mode, uid=uid, gid=gid, layer=layer)


def _directory(layer: int) -> Node:
    return Node(kind="dir", mode=0o755, uid=0, gid=0, layer=layer)


def _whiteout(parent: Node, name: str, layer: int) -> None:
    if name == OPAQUE:
        _hide_lower(parent, layer)
        return
    if name.startswith(WHITEOUT * 2):
        return  # other marks of aufs, which say nothing of files
    hidden = name.removeprefix(WHITEOUT)
    if hidden in ("", ".", ".."):
        raise BadLayer(f"{name!r} is no whiteout")
    child = parent.children.get(hidden)
    if child is None:
        return
    if child.layer < layer:
        del parent.children[hidden]
    elif child.kind == "dir":
        _hide_lower(child, layer)


def _hide_lower(directory: Node, layer: int) -> None:
    """Take away what lower layers have in ``directory``, and leave what this one has."""
    for name, child in list(directory.children.items()):
        if child.layer < layer:
            del directory.children[name]
        elif child.kind == "dir":
            _hide_lower(child, layer)
