"""Programs in a base reach a private index as those on the host do: by login, certificate and client certificate."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Login, Logins
from imagekit.lock.uv import find_uv, index_arguments
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import Indexes
from imagekit.stages.in_base import InBase
from imagekit.stages.probe import read_base
from tests.certificates import Authority
from tests.lock.conftest import wheel_bytes

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("in_base")

URL = "https://localhost:8443/simple"
# Its own loopback is all the network that the program needs: the index runs beside it.
SERVER = """
import base64, http.server, ssl, subprocess, sys, threading
wanted = "Basic " + base64.b64encode(b"reader:" + open("password", "rb").read()).decode()
name = "alpha-1.0-py3-none-any.whl"
pages = {"/simple/alpha/": f'<a href="/files/{name}">{name}</a>'.encode(), f"/files/{name}": open(name, "rb").read()}

class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = pages.get(self.path, b"")
        known = self.headers.get("Authorization") == wanted
        self.send_response(200 if known and content else 404 if known else 401)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(content)

    def do_HEAD(self):
        self.send_error(405)

    def log_message(self, *_):
        pass

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain("server.pem")
server = http.server.ThreadingHTTPServer(("localhost", 8443), Index)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


@pytest.fixture(scope="session")
def base(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> BaseImage:
    image = engine.image(python_image)
    assert image is not None
    return read_base(engine, python_image, image.id, tmp_path_factory.mktemp("bases"), SilentReporter())


@pytest.mark.parametrize("offline", [True, False])
def test_a_private_index_with_a_client_certificate(base: BaseImage, tmp_path: Path, offline: bool) -> None:
    password = f"canary-{secrets.token_hex(8)}"
    authority = Authority(tmp_path / "authority")
    access = IndexAccess(
        indexes=Indexes(default=URL),
        logins=Logins(by_url=(Login(url=URL, user="reader", password=password, origin="a test"),)),
        ca_bundle=authority.bundle,
        client_cert=authority.client(),
        offline=offline,
    )
    words = ["uv", "pip", "compile", "--no-config", "--no-cache", "--no-header", "--no-annotate"]
    words += [*index_arguments(access, in_base=True), "--", "r.in"]
    stage = InBase(base=base, access=access)
    done = stage(
        ["python3", "server.py", *words],
        inputs={
            "server.py": SERVER.encode(),
            "password": password.encode(),
            "alpha-1.0-py3-none-any.whl": wheel_bytes("alpha", "1.0"),
            "ca.pem": authority.bundle.read_bytes(),
            "server.pem": authority.server_pem("localhost"),
            "r.in": b"alpha\n",
        },
        programs={"uv": find_uv()},
        directories={},
        outputs=[],
    )
    if offline:
        # Even what could be reached is not asked.
        assert done.exit_code != 0
        assert "network was disabled" in done.stderr
        return
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "alpha==1.0\n"
    assert password not in done.stdout + done.stderr
    kept = subprocess.run(["docker", "buildx", "du", "--verbose"], check=True, capture_output=True, text=True).stdout
    assert password not in kept


def test_offline_there_is_no_network_in_a_base(base: BaseImage) -> None:
    stage = InBase(base=base, access=IndexAccess(offline=True))
    code = "import os; print(sorted(os.listdir('/sys/class/net')))"
    online = replace(stage, access=IndexAccess())
    seen = [
        each(["python3", "-c", code], inputs={}, programs={}, directories={}, outputs=[]).stdout
        for each in (stage, online)
    ]
    assert seen[0] == "['lo']\n"
    assert seen[1] != seen[0]
