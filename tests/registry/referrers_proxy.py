"""What a registry that knows of referrers does (distribution-spec v1.1), in front of one that does not."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"


class ReferrersProxy:
    """Listens on ``name`` (``127.0.0.1:PORT``); lists what refers to a manifest, ``page`` at a time."""

    def __init__(self, upstream: str, *, page: int = 100) -> None:
        self.upstream, self.page = upstream, page
        self.known: dict[str, list[dict[str, Any]]] = {}  # subject → descriptors
        self.seen: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.name = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def learn(self, data: bytes) -> str | None:
        """The subject of a manifest that is pushed, which is noted."""
        document = json.loads(data)
        subject = (document.get("subject") or {}).get("digest")
        if subject is None:
            return None
        entry = {
            "mediaType": document["mediaType"],
            "digest": "sha256:" + hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "artifactType": document["artifactType"],
            **({"annotations": document["annotations"]} if "annotations" in document else {}),
        }
        there = self.known.setdefault(subject, [])
        if entry not in there:
            there.append(entry)
        return str(subject)


def _handler_of(proxy: ReferrersProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: Any) -> None:
            pass

        def _pass(self) -> None:
            proxy.seen.append((self.command, self.path))
            listed = re.fullmatch(r"(/v2/.+/referrers/(sha256:[0-9a-f]{64}))(?:\?from=(\d+))?", self.path)
            if listed:
                return self._list(listed[1], listed[2], int(listed[3] or 0))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(proxy.upstream)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")]
            if self.command == "PUT" and "/manifests/" in self.path and answer.status == 201:
                subject = proxy.learn(body)
                headers += [("OCI-Subject", subject)] if subject else []
            return self._answer(answer.status, headers, data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

        def _list(self, path: str, subject: str, start: int) -> None:
            found = proxy.known.get(subject, [])
            page = found[start : start + proxy.page]
            data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": page}).encode()
            headers = [("Content-Type", INDEX), ("Content-Length", str(len(data)))]
            if start + proxy.page < len(found):
                headers.append(("Link", f'<{path}?from={start + proxy.page}>; rel="next"'))
            self._answer(200, headers, data)

        def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    return Handler
