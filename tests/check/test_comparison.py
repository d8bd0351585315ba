"""What two images may have different, and what not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from imagekit.check.bytecode_program import meaning
from imagekit.check.comparison import judged, setting_differences
from imagekit.check.documented import documented, kept
from imagekit.check.saved_image import Content, File
from imagekit.plan.prefix import Prefix

from ..layers.bases import base

PREFIX = Prefix.venv(base().python)
RULES = documented(PREFIX)
SITE = "/opt/venv/lib/python3.11/site-packages"
INFO = f"{SITE}/six-1.0.dist-info"


def file(data: bytes | str, **fields: int) -> File:
    raw = data.encode() if isinstance(data, str) else data
    content = Content(hashlib.sha256(raw).hexdigest(), raw)
    return replace(File(kind="file", mode=0o644, uid=0, gid=0, size=len(raw), content=content), **fields)


OURS = """#!/opt/venv/bin/python
# -*- coding: utf-8 -*-
import re
import sys
from six import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
THEIRS = """#!/opt/venv/bin/python
# -*- coding: utf-8 -*-
import sys
from six import main
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit(main())
"""
RECORD_OURS = (
    "../../../bin/six,sha256=a,1\nsix-1.0.dist-info/INSTALLER,sha256=b,9\n"
    "six-1.0.dist-info/RECORD,,\nsix.py,sha256=d,4\n"
)
RECORD_THEIRS = (
    "six.py,sha256=d,4\n../../../bin/six,sha256=z,2\nsix-1.0.dist-info/INSTALLER,sha256=e,2\n"
    "six-1.0.dist-info/RECORD,,\nsix-1.0.dist-info/REQUESTED,sha256=f,0\n"
)
CONFIG_OURS = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"
CONFIG_THEIRS = (
    "home = /usr/bin\nimplementation = CPython\nuv = 0.8.0\nversion_info = 3.11.2\n"
    "include-system-site-packages = false\n"
)

MEANT = {
    "scripts": ("/opt/venv/bin/six", file(OURS, mode=0o755), file(THEIRS, mode=0o755)),
    "RECORD": (f"{INFO}/RECORD", file(RECORD_OURS), file(RECORD_THEIRS, mode=0o755)),
    "INSTALLER": (f"{INFO}/INSTALLER", file("imagekit\n"), file("uv")),
    "REQUESTED": (f"{INFO}/REQUESTED", None, file("")),
    "pyvenv.cfg": ("/opt/venv/pyvenv.cfg", file(CONFIG_OURS), file(CONFIG_THEIRS)),
    "shells": ("/opt/venv/bin/activate.fish", None, file("x")),
    "pip3.X": ("/opt/venv/bin/pip3.11", None, file("x", mode=0o755)),
    "uv_cache.json": (f"{INFO}/uv_cache.json", None, file("{}")),
}


@pytest.mark.parametrize("name", MEANT)
def test_each_of_the_list(name: str) -> None:
    path, ours, theirs = MEANT[name]
    found, counts = judged([path], {path: ours} if ours else {}, {path: theirs} if theirs else {}, RULES)
    assert found == []
    assert [rule.name for rule in counts] == [name]
    if ours is not None:
        assert kept(PREFIX)(path)


def test_all_of_the_list_is_tested_and_has_a_reason() -> None:
    assert {rule.name for rule in RULES} == set(MEANT)
    assert all(len(rule.reason) > 20 for rule in RULES)


@pytest.mark.parametrize(
    ("path", "ours", "theirs"),
    [
        ("/opt/venv/bin/six", file(OURS.replace("bin/python", "bin/python3"), mode=0o755), file(THEIRS, mode=0o755)),
        ("/opt/venv/bin/six", file(OURS.replace("from six", "from sixx"), mode=0o755), file(THEIRS, mode=0o755)),
        ("/opt/venv/bin/six", file(OURS.replace("exit(main", "exit(other"), mode=0o755), file(THEIRS, mode=0o755)),
        ("/opt/venv/bin/six", file(OURS + "evil()\n", mode=0o755), file(THEIRS, mode=0o755)),
        ("/opt/venv/bin/six", file(OURS), file(THEIRS, mode=0o755)),
        ("/opt/venv/bin/tool", file("a", mode=0o755), file("b", mode=0o755)),
        (f"{INFO}/RECORD", file(RECORD_OURS.replace("sha256=d", "sha256=D")), file(RECORD_THEIRS)),
        (f"{INFO}/RECORD", file(RECORD_OURS + "more.py,sha256=x,1\n"), file(RECORD_THEIRS)),
        (f"{INFO}/RECORD", file(RECORD_OURS.replace("six.py,sha256=d,4\n", "")), file(RECORD_THEIRS)),
        (f"{INFO}/RECORD", file(RECORD_OURS.replace("bin/six", "bin/sixx")), file(RECORD_THEIRS)),
        (f"{INFO}/RECORD", None, file(RECORD_THEIRS)),
        (f"{INFO}/INSTALLER", file("pip"), file("uv")),
        (f"{INFO}/INSTALLER", None, file("uv")),
        (f"{INFO}/REQUESTED", file(""), None),
        (f"{INFO}/REQUESTED", None, file("x")),
        ("/opt/venv/pyvenv.cfg", file(CONFIG_OURS.replace("3.11.2", "3.11.3")), file(CONFIG_THEIRS)),
        ("/opt/venv/pyvenv.cfg", file(CONFIG_OURS.replace("/usr/bin", "/bin")), file(CONFIG_THEIRS)),
        ("/opt/venv/pyvenv.cfg", file(CONFIG_OURS.replace("false", "true")), file(CONFIG_THEIRS)),
        ("/opt/venv/bin/activate.fish", file("x"), None),
        ("/opt/venv/bin/activate/x", None, file("x")),
        (f"{SITE}/six.py", file("a"), file("b")),
        (f"{SITE}/six.py", file("a"), None),
        (f"{SITE}/six.py", None, file("a")),
        (f"{SITE}/six.py", file("a"), file("a", uid=1)),
        (f"{SITE}/__pycache__/six.cpython-311.pyc", file("a"), file("b")),
        ("/etc/passwd", file("a"), file("b")),
    ],
)
def test_all_else_is_a_difference(path: str, ours: File | None, theirs: File | None) -> None:
    found, counts = judged([path], {path: ours} if ours else {}, {path: theirs} if theirs else {}, RULES)
    assert [difference.path for difference in found] == [path]
    assert "\n" not in str(found[0])
    assert counts == {}


def test_settings() -> None:
    ours = {"Env": ["A=1", "B=2"], "User": "app", "Labels": {"x": "1"}, "Cmd": None, "Volumes": {}}
    assert setting_differences(ours, {**ours, "Volumes": None}) == []
    of_base = {**ours, "Labels": {"x": "1", "org.opencontainers.image.title": "Debian"}}
    assert setting_differences(ours, of_base) == []
    changed = {**ours, "Env": ["A=1", "B=3"], "User": "root", "Labels": {}, "Cmd": ["sh"]}
    assert [d.path for d in setting_differences(ours, changed)] == ["Cmd", "Env B", "Label x", "User"]


def _pyc(source: str) -> bytes:
    import importlib.util
    import marshal

    code = compile(source, "/x.py", "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source.encode())
    return head + marshal.dumps(code)


SOURCE = "def f(x):\n    return x in {'a', 'b', 'c', 1, 1.5, None, (1, 'x')} or x[1:2] or (True, 1, b'', ...)\n"


def test_bytecode_means_the_same_with_other_marks() -> None:
    import importlib.util
    import marshal

    plain = _pyc(SOURCE)
    code = marshal.loads(plain[16:])
    # Held once more, every object is marked.
    held = [code.co_consts, code.co_names, *code.co_consts, *code.co_names]
    marked = plain[:16] + marshal.dumps(code)
    assert held
    assert meaning(marked) == meaning(plain)
    assert plain[:4] == importlib.util.MAGIC_NUMBER


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("'c'", "'d'"),
        SOURCE.replace("1.5", "2.5"),
        SOURCE.replace("def f(x)", "def f(x, y=1)"),
        SOURCE.replace("(True, 1", "(1, True"),
        SOURCE.replace("b''", "''"),
        "\n" + SOURCE,
    ],
)
def test_other_code_means_something_else(other: str) -> None:
    assert meaning(_pyc(other)) != meaning(_pyc(SOURCE))


def test_another_header_means_something_else() -> None:
    pyc = _pyc(SOURCE)
    for at in (0, 4, 9):
        assert meaning(pyc[:at] + bytes([pyc[at] ^ 1]) + pyc[at + 1 :]) != meaning(pyc)
