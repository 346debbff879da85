"""A small server on loopback that answers like a model hub, and can be told to fail."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import trustme

COMMIT = "c0ffee" + "0" * 34  # of every repository


@dataclass
class Hub:
    """Files by path, and faults to simulate.

    files:      path -> content; /ORG/NAME/resolve/main/FILE redirects to the file and names
                its sha256, as hubs do for large files
    cut_after:  number of bytes after which the connection breaks, one entry per response
    status:     codes of the first responses, one entry per response
    ranges:     whether the server supports Range
    wrong_hash: the server states a wrong hash
    names_hash: whether a redirect states the hash
    says_length: whether a response states its length
    log:        the requests: (path, Range header, Authorization header)
    leads_to:   the server that holds the bytes; default: this server under another name
    """

    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    cut_after: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    ranges: bool = True
    wrong_hash: bool = False
    names_hash: bool = True
    says_length: bool = True
    log: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""
    leads_to: str = ""

    def add(self, repository: str, file: str, content: bytes) -> None:
        """Add a file to the newest commit, `main`; the commit's hash also leads to the file."""
        for revision in ("main", COMMIT):
            self.files[f"/{repository}/resolve/{revision}/{file}"] = content

    def ranges_asked(self) -> list[str | None]:
        return [asked for path, asked, _ in self.log if path.startswith("/bytes/")]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        hub = self.hub
        hub.log.append((path, self.headers.get("Range"), self.headers.get("Authorization")))
        if hub.status:
            self.send_error(hub.status.pop(0))
        elif "/resolve/" in path and path in hub.files:
            self._redirect(path)
        elif (content := hub.files.get(path.removeprefix("/bytes"))) is not None:
            self._send(content)
        else:
            self.send_error(404)

    def _redirect(self, path: str) -> None:
        content = b"?" if self.hub.wrong_hash else self.hub.files[path]
        self.send_response(302)
        if self.hub.names_hash:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        # another name of the same machine, so that it counts as another host
        other = self.hub.leads_to or self.hub.url.replace("127.0.0.1", "localhost")
        self.send_header("Location", f"{other}/bytes{path}")
        self.end_headers()

    def _send(self, content: bytes) -> None:
        start = self._start()
        if start > 0 and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.hub.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = self.hub.cut_after.pop(0) if self.hub.cut_after else len(content)
        self.wfile.write(content[start : start + cut])

    def _start(self) -> int:
        asked = self.headers.get("Range")
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.hub.ranges else 0

    def log_message(self, *_: object) -> None:
        """Print nothing."""


AUTHORITY = trustme.CA()
"""Signs the servers' certificates; made anew for every run of the tests."""


@contextmanager
def serving(encrypted: bool = False) -> Iterator[Hub]:
    """A running hub on a free port."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hub.url = f"http{'s' * encrypted}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
