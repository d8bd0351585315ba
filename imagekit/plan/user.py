"""Who runs in the image: the base's own user, or one that is added to it. Pure."""

from __future__ import annotations

from dataclasses import replace

from imagekit.plan.values import User
from imagekit.spec.base import BaseImage

NAME = "app"
_FIRST_ID = 1000


def choose_user(base: BaseImage) -> User:
    """The base's configured user unless that is root; else ``app``, with the first free ID from 1000 on."""
    users = _passwd(base.passwd)
    groups = _groups(base.group)
    if (configured := _configured(base)) is not None:
        name, _, group = configured.partition(":")
        gid = int(group) if group.isdigit() else groups.get(group)
        for user in users:
            if name in (user.name, str(user.uid)):
                return user if gid is None else replace(user, gid=gid)
        if name.isdigit():
            # As engines do it: an ID that nobody has is of root's group and lives in /.
            return User(name=name, uid=int(name), gid=gid or 0, home="/", exists=True)
    names = {user.name: user for user in users}
    if NAME in names and names[NAME].uid != 0:
        return names[NAME]
    name = NAME if NAME not in names else f"{NAME}-user"
    taken = {user.uid for user in users} | set(groups.values())
    free = next(n for n in range(_FIRST_ID, 1 << 16) if n not in taken)
    return User(name=name, uid=free, gid=groups.get(name, free), home=f"/home/{name}", exists=False)


def user_setting(base: BaseImage, user: User) -> str:
    """``User`` of the image's configuration: the base's own words where they chose ``user``, group included."""
    configured = _configured(base)
    if configured is not None and configured.partition(":")[0] in (user.name, str(user.uid)):
        return configured
    return user.name


def configured_home(user: str, passwd: str) -> str | None:
    """The home directory of the user that a configuration names, by ``passwd``; ``None`` for root and for strangers."""
    name = user.partition(":")[0]
    if name in ("", "root", "0"):
        return None
    return next((known.home for known in _passwd(passwd) if name in (known.name, str(known.uid))), None)


def account_files(base: BaseImage, user: User) -> dict[str, bytes]:
    """``etc/passwd`` and ``etc/group`` with ``user`` added; empty where the base has the user."""
    if user.exists:
        return {}
    passwd = _ended(base.passwd) + f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:/bin/sh\n"
    group = base.group
    if user.name not in _groups(group):
        group = _ended(group) + f"{user.name}:x:{user.gid}:\n"
    # What is not UTF-8 in them comes as surrogates and goes as it was.
    files = {"etc/passwd": passwd, "etc/group": group}
    return {name: text.encode("utf-8", "surrogateescape") for name, text in files.items()}


def _configured(base: BaseImage) -> str | None:
    configured = str(base.config.settings.get("User") or "")
    return None if configured.partition(":")[0] in ("", "root", "0") else configured


def _passwd(text: str) -> list[User]:
    users = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and fields[3].isdigit():
            users.append(User(name=fields[0], uid=int(fields[2]), gid=int(fields[3]), home=fields[5], exists=True))
    return users


def _groups(text: str) -> dict[str, int]:
    lines = (line.split(":") for line in text.splitlines())
    return {fields[0]: int(fields[2]) for fields in lines if len(fields) >= 3 and fields[2].isdigit()}


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
