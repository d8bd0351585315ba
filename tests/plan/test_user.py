"""Who runs in the image, by the base's configuration and accounts."""

from __future__ import annotations

import pytest

from imagekit.plan.user import account_files, choose_user, user_setting

from ..layers.bases import GROUP, PASSWD, base

ANN = "ann:x:1000:1000:Ann:/home/ann:/bin/bash\n"


@pytest.mark.parametrize(
    ("user", "passwd", "group", "expected", "setting"),
    [
        # (name, uid, gid, home, in the base)
        (None, PASSWD, GROUP, ("app", 1000, 1000, "/home/app", False), "app"),
        ("", PASSWD, GROUP, ("app", 1000, 1000, "/home/app", False), "app"),
        ("root", PASSWD, GROUP, ("app", 1000, 1000, "/home/app", False), "app"),
        ("0:0", PASSWD, GROUP, ("app", 1000, 1000, "/home/app", False), "app"),
        (None, PASSWD + ANN, GROUP, ("app", 1001, 1001, "/home/app", False), "app"),
        (None, PASSWD, GROUP + "staff:x:1000:\n", ("app", 1001, 1001, "/home/app", False), "app"),
        (None, PASSWD, GROUP + "app:x:50:\n", ("app", 1000, 50, "/home/app", False), "app"),
        (None, PASSWD + "app:x:77:88::/srv:/bin/sh\n", GROUP, ("app", 77, 88, "/srv", True), "app"),
        (
            None,
            PASSWD + "app:x:0:0::/root:/bin/sh\n",
            GROUP,
            ("app-user", 1000, 1000, "/home/app-user", False),
            "app-user",
        ),
        ("ann", PASSWD + ANN, GROUP, ("ann", 1000, 1000, "/home/ann", True), "ann"),
        ("1000", PASSWD + ANN, GROUP, ("ann", 1000, 1000, "/home/ann", True), "1000"),
        ("1000:1000", PASSWD, GROUP, ("1000", 1000, 1000, "/", True), "1000:1000"),
        ("1000620000", PASSWD, GROUP, ("1000620000", 1000620000, 0, "/", True), "1000620000"),
        ("ann:nogroup", PASSWD + ANN, GROUP, ("ann", 1000, 65534, "/home/ann", True), "ann:nogroup"),
        ("1000:nogroup", PASSWD, GROUP, ("1000", 1000, 65534, "/", True), "1000:nogroup"),
        ("nobody", PASSWD, GROUP, ("nobody", 65534, 65534, "/nonexistent", True), "nobody"),
        (None, "", "", ("app", 1000, 1000, "/home/app", False), "app"),
    ],
)
def test_the_user(
    user: str | None, passwd: str, group: str, expected: tuple[str, int, int, str, bool], setting: str
) -> None:
    image = base(passwd=passwd, group=group, User=user)
    found = choose_user(image)
    assert (found.name, found.uid, found.gid, found.home, found.exists) == expected
    assert user_setting(image, found) == setting
    assert bool(account_files(image, found)) is not found.exists


def test_accounts_are_added_to_the_bases_own() -> None:
    image = base(passwd=PASSWD.rstrip("\n"), group=GROUP)
    assert account_files(image, choose_user(image)) == {
        "etc/passwd": f"{PASSWD}app:x:1000:1000::/home/app:/bin/sh\n".encode(),
        "etc/group": f"{GROUP}app:x:1000:\n".encode(),
    }


def test_a_group_that_is_there_is_not_added_again() -> None:
    image = base(group=f"{GROUP}app:x:50:\n")
    assert account_files(image, choose_user(image))["etc/group"] == f"{GROUP}app:x:50:\n".encode()


def test_accounts_that_are_not_utf8_stay_as_they_are() -> None:
    gecos = b"mueller:x:500:500:M\xfcller:/:/bin/sh\n"
    image = base(passwd=PASSWD + gecos.decode("utf-8", "surrogateescape"))
    assert gecos in account_files(image, choose_user(image))["etc/passwd"]
