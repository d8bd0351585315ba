"""What ``probe_program.py`` tells of a running base's file system, read off a tree. Pure."""

from __future__ import annotations

from imagekit.stages.file_tree import FileTree

# What a container has in place of what the image has there (runtime-spec, "Default Filesystems").
_OF_THE_RUNTIME = ("/proc", "/sys", "/dev")
_MOUNTED = frozenset({*_OF_THE_RUNTIME, "/dev/pts", "/dev/shm", "/dev/mqueue"})  # noqa: S108

Directories = list[tuple[str, int, int, int]]
Links = list[tuple[str, str]]


def special_directories_and_links(tree: FileTree) -> tuple[Directories, Links]:
    """Directories that are not 0755 root's, as ``(path, mode, uid, gid)``, and links to directories, as
    ``(path, real path)``."""
    directories: Directories = []
    links: Links = []
    for path, node in tree.walk():
        if path.startswith(_OF_THE_RUNTIME) and path.split("/")[1] in ("proc", "sys", "dev"):
            continue
        if node.kind == "dir" and (node.mode, node.uid, node.gid) != (0o755, 0, 0):
            directories.append((path, node.mode, node.uid, node.gid))
        elif node.kind == "link":
            found = tree.resolve(path)
            if found is not None and found[1].kind == "dir":
                links.append((path, found[0]))
            elif found is None and node.target in _MOUNTED:
                links.append((path, node.target))
    return sorted(directories), sorted(links)
