"""Stored secrets: in a file of the user's alone, or in a keyring; values are never shown."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import json
import os
import pickle
import pty
import stat
import subprocess
import sys
import termios
from pathlib import Path

import keyring.core
import pytest
from keyring.backend import KeyringBackend

from imagekit import Secret
from imagekit.errors import DiskFull, InvalidSecret
from imagekit.secrets.store import SecretStore

CANARY = "canary-" + "Zq8Xv2" * 3
# A keyring as third parties write them: a class that the keyring library finds by its name.
BACKEND = """
import json, os
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

class Kept(KeyringBackend):
    priority = 5
    path = os.environ["KEPT_IN"]
    def _all(self):
        return json.load(open(self.path)) if os.path.exists(self.path) else {}
    def _keep(self, values):
        json.dump(values, open(self.path, "w"))
    def get_password(self, service, username):
        return self._all().get(service + "/" + username)
    def set_password(self, service, username, password):
        if username == "locked":
            raise RuntimeError("cannot take " + password)
        self._keep({**self._all(), service + "/" + username: password})
    def delete_password(self, service, username):
        values = self._all()
        if service + "/" + username not in values or username == "stuck":
            raise PasswordDeleteError("not there")
        values.pop(service + "/" + username)
        self._keep(values)
"""


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("HOME", str(tmp_path))
    # One that another test chose in this process stays chosen.
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    return tmp_path / "data" / "imagekit"


def program(tmp_path: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imagekit", "secret", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        cwd=tmp_path,
        check=False,
    )


def test_saved_and_loaded() -> None:
    assert Secret(CANARY).save("index-password") == "index-password"
    assert Secret.load("index-password").get() == CANARY
    Secret.delete("index-password")
    with pytest.raises(InvalidSecret, match="there is no secret 'index-password'"):
        Secret.load("index-password")


def test_as_prefects_block_it_is_saved_over_only_when_asked() -> None:
    Secret("one").save("name")
    with pytest.raises(ValueError, match="already"):
        Secret("two").save("name")
    Secret("two").save("name", overwrite=True)
    assert Secret.load("name").get() == "two"


def test_nothing_shows_the_value() -> None:
    secret = Secret(CANARY)
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>30}",
        f"{secret}",
        repr([secret]),
        ascii(secret),
    ):
        assert CANARY not in shown
    with pytest.raises(TypeError) as caught:
        json.dumps({"secret": secret})
    assert CANARY not in str(caught.value)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(secret, protocol)
    assert copy.deepcopy(secret) is secret
    assert not hasattr(secret, "__dict__")
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert len({secret, Secret(CANARY)}) == 1


def test_the_file_is_its_owners_alone(own_data: Path) -> None:
    Secret(CANARY).save("a")
    assert stat.S_IMODE((own_data / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(own_data.stat().st_mode) == 0o700
    for path, mode in ((own_data / "secrets.json", 0o640), (own_data, 0o755)):
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        with pytest.raises(InvalidSecret, match="open to other users") as caught:
            Secret.load("a")
        assert caught.value.hint == f"chmod {before:o} {path}"
        with pytest.raises(InvalidSecret, match="open to other users"):
            Secret("b").save("b")
        path.chmod(before)
    assert Secret.load("a").get() == CANARY


def test_a_link_is_not_followed(own_data: Path, tmp_path: Path) -> None:
    Secret(CANARY).save("a")
    (own_data / "secrets.json").rename(tmp_path / "elsewhere")
    (own_data / "secrets.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidSecret, match="cannot be read"):
        Secret.load("a")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"secrets": {"A B": {}}}', '{"secrets": {"a": {"in": "x"}}}', "\0"])
def test_a_file_that_is_not_ours_is_left_alone(own_data: Path, text: str) -> None:
    Secret(CANARY).save("a")
    (own_data / "secrets.json").write_text(text)
    for use in (lambda: Secret.load("a"), lambda: Secret("b").save("b"), lambda: Secret.delete("a")):
        with pytest.raises(InvalidSecret, match="is not what imagekit wrote"):
            use()
    assert (own_data / "secrets.json").read_text() == text


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a--b", "-a", "a_b", "a" * 101, "ä", "a\n"])
def test_names(name: str) -> None:
    with pytest.raises(InvalidSecret, match="no name for a secret"):
        Secret("x").save(name)
    with pytest.raises(InvalidSecret, match="no name for a secret"):
        Secret.load(name)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 100_001, "\ud800"])
def test_values_that_no_step_could_get(value: str) -> None:
    with pytest.raises(InvalidSecret):
        Secret(value).save("a")


def test_a_value_is_text() -> None:
    with pytest.raises(TypeError):
        Secret(b"bytes")  # type: ignore[arg-type]


def test_the_nearest_name_is_told() -> None:
    Secret("x").save("index-password")
    with pytest.raises(InvalidSecret) as caught:
        Secret.load("index-passwort")
    assert "did you mean 'index-password'?" in str(caught.value.hint)


def test_in_a_keyring(tmp_path: Path, own_data: Path) -> None:
    (tmp_path / "kept_backend.py").write_text(BACKEND)
    environ = {
        "PYTHON_KEYRING_BACKEND": "kept_backend.Kept",
        "PYTHONPATH": str(tmp_path),
        "KEPT_IN": str(tmp_path / "kept.json"),
    }
    done = program(tmp_path, "set", "a", stdin=CANARY + "\n", **environ)
    assert done.stdout == "a is kept in the system's keyring\n"
    assert CANARY not in (own_data / "secrets.json").read_text()
    assert json.loads((tmp_path / "kept.json").read_text()) == {"imagekit/a": CANARY}
    source = "import hashlib; from imagekit import Secret\n"
    source += "print(hashlib.sha256(Secret.load('a').get().encode()).hexdigest())"
    got = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, env={**os.environ, **environ}, check=True
    )
    assert got.stdout.strip() == hashlib.sha256(CANARY.encode()).hexdigest()
    listed = program(tmp_path, "ls", "--json", **environ)
    assert json.loads(listed.stdout) == {"secrets": [{"name": "a", "in": "keyring"}]}
    # What a backend stumbles over may hold the value: its words are not repeated.
    locked = program(tmp_path, "set", "locked", stdin=CANARY, **environ)
    assert (locked.returncode, CANARY in locked.stderr) == (2, False)
    assert "RuntimeError" in locked.stderr
    # Where there is no keyring this time, that is said, and nothing is lost.
    missing = program(tmp_path, "delete", "a", **{**environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"})
    assert missing.returncode == 2
    assert "NoKeyringError" in missing.stderr
    assert program(tmp_path, "delete", "a", **environ).returncode == 0
    assert json.loads((tmp_path / "kept.json").read_text()) == {}


def test_nothing_stays_in_the_keyring_that_nobody_knows_of(tmp_path: Path, own_data: Path) -> None:
    (tmp_path / "kept_backend.py").write_text(BACKEND)
    kept = tmp_path / "kept.json"
    environ = {"PYTHON_KEYRING_BACKEND": "kept_backend.Kept", "PYTHONPATH": str(tmp_path), "KEPT_IN": str(kept)}
    without = {**environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    assert program(tmp_path, "set", "a", stdin="value-a", **environ).returncode == 0
    # The keyring is not to be had this time: the old value would stay there.
    done = program(tmp_path, "set", "a", stdin="value-b", **without)
    assert (done.returncode, "the keyring did not" in done.stderr) == (2, True)
    assert json.loads(program(tmp_path, "ls", "--json", **without).stdout) == {
        "secrets": [{"name": "a", "in": "keyring"}]
    }
    # One that says it cannot delete.
    assert program(tmp_path, "set", "stuck", stdin="value-s", **environ).returncode == 0
    stuck = program(tmp_path, "delete", "stuck", **environ)
    assert (stuck.returncode, "does not let go of 'stuck'" in stuck.stderr) == (2, True)
    assert "stuck" in program(tmp_path, "ls", **environ).stdout


def test_a_name_that_could_not_be_written_down_leaves_no_value(own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, str] = {}

    class Kept(KeyringBackend):
        priority = 5  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            return values.get(username)

        def set_password(self, service: str, username: str, password: str) -> None:
            values[username] = password

        def delete_password(self, service: str, username: str) -> None:
            del values[username]

    def full(path: Path, data: bytes) -> None:
        raise DiskFull(f"no space left for {path}", hint="free some")

    monkeypatch.setattr(keyring.core, "_keyring_backend", Kept())
    store = SecretStore(own_data)
    store.set("kept", "value-kept")
    monkeypatch.setattr("imagekit.secrets.store.write_whole", full)
    with pytest.raises(DiskFull):
        store.set("new", "value-new")
    assert values == {"kept": "value-kept"}


def test_a_keyring_that_lost_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "kept_backend.py").write_text(BACKEND)
    kept = tmp_path / "kept.json"
    environ = {"PYTHON_KEYRING_BACKEND": "kept_backend.Kept", "PYTHONPATH": str(tmp_path), "KEPT_IN": str(kept)}
    assert program(tmp_path, "set", "a", stdin="value-a", **environ).returncode == 0
    kept.unlink()
    source = "from imagekit import Secret; Secret.load('a')"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env={**os.environ, **environ})
    assert "the keyring no longer has 'a'" in done.stderr
    assert program(tmp_path, "delete", "a", **environ).returncode == 0


def test_from_the_command_line(tmp_path: Path, own_data: Path) -> None:
    done = program(tmp_path, "set", "index-password", stdin=f"{CANARY}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert CANARY not in done.stdout
    assert SecretStore(own_data).get("index-password") == CANARY
    assert program(tmp_path, "ls").stdout.startswith("index-password  file")
    assert program(tmp_path, "delete", "index-password", "--json").stdout == '{"deleted": ["index-password"]}\n'
    assert program(tmp_path, "ls", "--json").stdout == '{"secrets": []}\n'
    gone = program(tmp_path, "delete", "index-password")
    assert (gone.returncode, "there is no secret" in gone.stderr) == (2, True)


def test_it_is_asked_for_at_a_terminal_and_not_shown(tmp_path: Path, own_data: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "imagekit", "secret", "set", "typed"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        cwd=tmp_path,
    )
    os.close(theirs)
    said = b""
    while b"(not shown): " not in said:
        said += os.read(ours, 1000)
    os.write(ours, CANARY.encode() + b"\n")
    with contextlib.suppress(OSError):  # the terminal is gone with its last process
        while piece := os.read(ours, 1000):
            said += piece
    assert process.wait() == 0
    os.close(ours)
    assert CANARY.encode() not in said
    assert SecretStore(own_data).get("typed") == CANARY


def test_a_value_among_the_arguments_is_refused_and_not_repeated(tmp_path: Path, own_data: Path) -> None:
    done = program(tmp_path, "set", "name", CANARY)
    assert done.returncode == 2
    assert CANARY not in done.stderr + done.stdout
    assert "seen by everyone" in done.stderr
    assert not own_data.exists()
    assert program(tmp_path, "set", "name", stdin="").returncode == 2


def test_eight_at_once_lose_none(tmp_path: Path, own_data: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "imagekit", "secret", "set", f"name-{n}"], stdin=subprocess.PIPE, cwd=tmp_path
        )
        for n in range(8)
    ]
    for n, process in enumerate(started):
        process.communicate(f"value-{n}".encode())
        assert process.returncode == 0
    store = SecretStore(own_data)
    assert [store.get(f"name-{n}") for n in range(8)] == [f"value-{n}" for n in range(8)]
