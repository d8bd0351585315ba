"""Who runs in the image: the base's own user, or one that is added to it. Pure."""

from __future__ import annotations

from dataclasses import replace

from imagekit.plan.values import User
from imagekit.spec.base import BaseImage

NAME = "app"
_FIRST_ID = 1000


def choose_user(base: BaseImage) -> User:
    """The base's configured user unless that is root; else ``app``, with the first free ID from 1000 on."""
    configured = str(base.config.settings.get("User") or "")
    name, _, group = configured.partition(":")
    users = _passwd(base.passwd)
    if name and name not in ("root", "0"):
        for user in users:
            if name in (user.name, str(user.uid)):
                return replace(user, gid=int(group)) if group.isdigit() else user
        if name.isdigit():
            return User(name=name, uid=int(name), gid=int(group) if group.isdigit() else 0, home="/", exists=True)
    for user in users:
        if user.name == NAME:
            return user
    taken = {user.uid for user in users} | _group_ids(base.group)
    free = next(n for n in range(_FIRST_ID, 1 << 16) if n not in taken)
    return User(name=NAME, uid=free, gid=free, home=f"/home/{NAME}", exists=False)


def account_files(base: BaseImage, user: User) -> dict[str, bytes]:
    """``etc/passwd`` and ``etc/group`` with ``user`` added; empty where the base has the user."""
    if user.exists:
        return {}
    entry = f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:/bin/sh\n"
    return {
        "etc/passwd": (_ended(base.passwd) + entry).encode(),
        "etc/group": (_ended(base.group) + f"{user.name}:x:{user.gid}:\n").encode(),
    }


def _passwd(text: str) -> list[User]:
    users = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and fields[3].isdigit():
            users.append(User(name=fields[0], uid=int(fields[2]), gid=int(fields[3]), home=fields[5], exists=True))
    return users


def _group_ids(text: str) -> set[int]:
    return {int(fields[2]) for line in text.splitlines() if len(fields := line.split(":")) >= 3 and fields[2].isdigit()}


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
